"""What `sampan run` is given, made into something to upload: Python is compiled, everything else is taken as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PROGRAM = Path(__file__).with_name("compile_program.py")
PACKAGE_SUFFIXES = (".yaml", ".yml", ".json", ".zip", ".tar.gz", ".tgz")

# kfp-pipeline-spec alone makes `kfp` a namespace without a file. Nothing is imported: that would take a second.
_HAS_KFP = "import importlib.util as u, sys; s = u.find_spec('kfp'); sys.exit(s is None or s.origin is None)"


class PackageError(Exception):
    """The file cannot be run. The message names it and says why."""


def read_package(file: Path, pipeline: str, kfp_python: Callable[[], Path]) -> bytes:
    """The content of the compiled pipeline. `kfp_python` finds or builds an interpreter that has `kfp`."""
    if not file.exists():
        raise PackageError(f"{file}: no such file")
    if file.is_dir():
        raise PackageError(f"{file}: is a folder; name the Python or YAML file in it")
    if file.suffix != ".py":
        if not file.name.endswith(PACKAGE_SUFFIXES):
            known = ", ".join((".py", *PACKAGE_SUFFIXES))
            raise PackageError(f"{file}: cannot run this kind of file; known are {known}")
        try:
            return file.read_bytes()
        except OSError as error:
            raise PackageError(f"{file}: cannot be read: {error.strerror or error}") from error
    with tempfile.TemporaryDirectory(prefix="sampan-compile-") as folder:
        out = Path(folder) / "pipeline.yaml"
        command = [
            str(_python(kfp_python)),
            str(PROGRAM),
            str(file),
            str(out),
            *([pipeline] if pipeline else []),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise PackageError(
                lines[-1] if lines else f"{file}: compiling ended with exit code {done.returncode}"
            )
        return out.read_bytes()


def _python(kfp_python: Callable[[], Path]) -> Path:
    """This interpreter or the shell's `python3` where they have kfp, since a pipeline file may import the user's own
    packages; else one built for the purpose."""
    on_path = shutil.which("python3")
    for candidate in filter(None, (sys.executable, on_path)):
        if subprocess.run([candidate, "-c", _HAS_KFP], capture_output=True, check=False).returncode == 0:
            return Path(candidate)
    return kfp_python()
