"""Removing the folders of pods that are over: in a process of its own, and with the least priority.

Called by the agent. In this process it would hold up, with its lock on the interpreter, the pods that just start.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_AT_ONCE = 500
"""Folders in one command line."""


def remove(folders: Sequence[Path]) -> None:
    """Blocks: for a thread. What cannot be removed stays, as with any leftover, until the next start."""
    for start in range(0, len(folders), _AT_ONCE):
        some = folders[start : start + _AT_ONCE]
        command = ["nice", "-n", "19", "rm", "-rf", "--", *map(str, some)]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        except (OSError, subprocess.SubprocessError):
            for folder in some:
                shutil.rmtree(folder, ignore_errors=True)
