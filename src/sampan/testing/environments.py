"""Interpreters with packages that ours has not, such as the official SDKs, made once and kept.

`SAMPAN_TEST_ENVS` names the folder that keeps them between runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin


def interpreter_with(*requirements: str) -> Path:
    """A Python that has `requirements` installed."""
    kept = Path(os.environ.get("SAMPAN_TEST_ENVS") or Path(tempfile.gettempdir()) / "sampan-test-envs")
    folder = kept / "-".join(requirements).replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
        (folder / "complete").touch()
    return python
