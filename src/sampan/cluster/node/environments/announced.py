"""Packages that a program says it will install before it begins, so that they can be there already. Pure.

The program that starts sent code (`sent.boot`) has its packages in a variable, each in a line. Where
the node can have them in an environment that is built once and shared, it does, and empties the variable; anywhere else
the program installs them itself. Called by the node's factory of containers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.cluster.node.environments.install import PipInstall, parse_pip_install

VARIABLE = "SAMPAN_PACKAGES"
_PROGRAM = ("python3", "/sampan/code/boot.py")


def announced(argv: Sequence[str], own: Mapping[str, str]) -> PipInstall | None:
    """`own` are the variables that the pod's author set. None where nothing is announced, or pip must see to it."""
    packages = own.get(VARIABLE, "")
    # As MPI's launcher does, something may stand before the program: then it is not this container's.
    if tuple(argv[:2]) != _PROGRAM or not packages:
        return None
    if "PATH" in own or any(name.startswith("PIP_") for name in own):
        return None
    return parse_pip_install(packages.split("\n"))
