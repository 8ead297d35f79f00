"""Homes for servers of tests whose environments outlive them: PyTorch and its kin are built once, not in every test.

`SAMPAN_TEST_TRAINING_ENVS` names the folder that keeps them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

FRAMEWORKS = Path(
    os.environ.get("SAMPAN_TEST_TRAINING_ENVS") or Path(tempfile.gettempdir()) / "training-envs"
)


def home_with_frameworks(folder: Path) -> Path:
    """`folder`, made a home whose environments are the shared ones. Their builders keep out of each other's way."""
    FRAMEWORKS.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    envs = folder / "envs"
    if not envs.is_symlink():
        envs.symlink_to(FRAMEWORKS, target_is_directory=True)
    return folder
