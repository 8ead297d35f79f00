"""The bare bones of a virtual environment, made with a few system calls where `venv` takes a second. POSIX.

Called by the builder for shared environments and by `layer` for private ones. Scripts that uv writes into
such an environment find their Python beside themselves (`relocatable`), so the folder may be renamed, and
its scripts copied.
"""

from __future__ import annotations

import os
from pathlib import Path

from sampan.cluster.node.environments.interpreter import Interpreter
from sampan.lib.files import write_new


def site_packages(interpreter: Interpreter) -> str:
    """Relative to the prefix. PyPy and CPython agree since PyPy 3.8."""
    major, minor = interpreter.minor
    name = "pypy" if interpreter.implementation == "pypy" else "python"
    return f"lib/{name}{major}.{minor}/site-packages"


def make_skeleton(prefix: Path, interpreter: Interpreter) -> None:
    """`prefix` must not exist yet, its parent must. Raises OSError."""
    root = os.fspath(prefix)
    os.makedirs(f"{root}/{site_packages(interpreter)}")
    os.mkdir(f"{root}/bin")
    major, minor = interpreter.minor
    versioned = f"python{major}.{minor}"
    os.symlink(interpreter.executable, f"{root}/bin/{versioned}")
    for name in ("python3", "python"):
        os.symlink(versioned, f"{root}/bin/{name}")
    if interpreter.platlibdir != "lib":
        # Compiled modules go to lib64 on Fedora and its kin; one folder serves both.
        os.symlink("lib", f"{root}/{interpreter.platlibdir}")
    home = os.path.dirname(interpreter.executable)
    configuration = (
        f"home = {home}\nimplementation = {interpreter.implementation}\n"
        f"version_info = {interpreter.version}\n"
        "include-system-site-packages = false\nrelocatable = true\n"
    )
    write_new(f"{root}/pyvenv.cfg", configuration.encode())
