"""A pod's private, writable virtual environment over a shared one, made in about half a millisecond.

Called by the facade for every container. What the pod installs lands in the layer; what is below is seen as installed;
the shared environment is never written. Console scripts stay below and are found by PATH, but run the layer's Python,
which PYTHON_VARIABLE names to them, so they, too, see what the pod installed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from sampan.cluster.node.environments.model import Environment, Manifest
from sampan.cluster.node.environments.skeleton import make_skeleton
from sampan.lib.files import write_new

VENV_HOOK = "_sampan_venv"
"""The name under which environments hold a copy of `venv_hook`."""

PYTHON_VARIABLE = "SAMPAN_PYTHON"

# `addsitedir`, not a bare path: the .pth files below (setuptools', namespace packages') must work too.
_PTH = """\
import site; site.addsitedir({below!r})
import sys; {hook}
"""

_UV_HEADER = b"#!/bin/sh\n'''exec' "
_UV_HEADER_END = b"\n' '''\n"
_HEADER = (
    b"#!/bin/sh\n"
    b"'''exec' \"${"
    + PYTHON_VARIABLE.encode()
    + b':-$(dirname -- "$(realpath -- "$0")")/python}" "$0" "$@"\n'
    b"' '''\n"
)


def make_layer(shared: Environment, manifest: Manifest, folder: Path) -> Environment:
    """`folder` must not exist; its parent must. Raises OSError."""
    make_skeleton(folder, manifest.interpreter)
    root = os.fspath(folder)
    own = f"{root}/{manifest.site_packages}"
    below = f"{shared.prefix}/{manifest.site_packages}"
    pth = _PTH.format(below=below, hook=call_venv_hook(own, below))
    write_new(f"{own}/_sampan.pth", pth.encode())
    python = folder / "bin" / shared.python.name
    return replace(
        shared,
        prefix=folder,
        python=python,
        bin_dirs=(folder / "bin", *shared.bin_dirs),
        env={**shared.env, "VIRTUAL_ENV": root, PYTHON_VARIABLE: str(python)},
    )


def call_venv_hook(*sites: str) -> str:
    """The words of a .pth file, after `import sys`: only a process that names venv on its command line pays."""
    return f"'venv' in getattr(sys, 'orig_argv', ('venv',)) and __import__({VENV_HOOK!r}).install({list(sites)!r})"


def with_layered_python(script: bytes) -> bytes:
    """A console script as uv wrote it, made to run the layer's Python where a layer is, else the one beside it."""
    end = script.find(_UV_HEADER_END)
    if not script.startswith(_UV_HEADER) or end < 0:
        return script
    return _HEADER + script[end + len(_UV_HEADER_END) :]
