"""Files on this machine, as stores need them: complete or not there, and copied by the kernel. Blocks."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sampan.lib.files import staged

PART = ".sampan-part-"
"""How names of files begin that are still on their way."""


@contextlib.contextmanager
def arriving(target: Path) -> Iterator[Path]:
    """A name beside `target` to write to; takes its place when all went well, and goes otherwise."""
    with staged(target, PART) as part:
        yield part


def copy(source: Path, target: Path) -> None:
    """Content and whether it is executable. Shares the blocks where the file system can."""
    with arriving(target) as part:
        with source.open("rb") as read, part.open("wb") as written:
            if not _copied_by_kernel(read.fileno(), written.fileno()):
                shutil.copyfileobj(read, written, 1024 * 1024)
        if source.stat().st_mode & 0o100:
            part.chmod(0o755)


def remove_empty(folder: Path, root: Path) -> None:
    """Removes `folder` and those around it as far as they are empty, but not `root`."""
    with contextlib.suppress(OSError):
        while folder != root and folder.is_relative_to(root):
            folder.rmdir()
            folder = folder.parent


def remove_tree(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _copied_by_kernel(source: int, target: int) -> bool:
    """False when nothing was copied, as it cannot be done this way here."""
    left = os.fstat(source).st_size
    try:
        while left > 0:
            copied = os.copy_file_range(source, target, left)
            if not copied:
                return True
            left -= copied
    except OSError:
        os.lseek(source, 0, os.SEEK_SET)
        os.lseek(target, 0, os.SEEK_SET)
        os.ftruncate(target, 0)
        return False
    return True
