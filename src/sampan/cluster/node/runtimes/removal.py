"""Removing the folders of pods that are over: late, together, and in a process with the least priority.

Called by the agent. In this process it would hold up, with its lock on the interpreter, the pods that just start. And a
file system such as ext4 does not give an inode out again for a minute, and looks at all that were freed since, one by
one, whenever a file is made: while pods come and go, their folders are better left. Only what takes room goes soon.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_AT_ONCE = 500
"""Folders in one command line."""
_MOST_ENTRIES, _MOST_BYTES = 300, 1024 * 1024
"""Of a folder that may wait."""


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


def is_small(folder: Path) -> bool:
    """Whether the folder may wait. Blocks for as long as it takes to look at a few hundred entries."""
    entries = size = 0
    for place, folders, files in os.walk(folder):
        entries += len(folders) + len(files)
        if entries > _MOST_ENTRIES:
            return False
        for name in files:
            try:
                size += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
        if size > _MOST_BYTES:
            return False
    return True
