"""Files put where they belong: whole or not at all, linked or shared where that costs nothing, else copied.

A hard link needs both names below one mount. A pod's volume is mounted a second time, so its own place is looked up in
the table of mounts.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

PART = ".sampan-part-"
"""Files that begin so are on their way."""
_FICLONE = 0x40049409
_MOUNTS = "/proc/self/mountinfo"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def arriving(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{PART}{secrets.token_hex(6)}")
    try:
        yield part
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def put(source: Path, target: Path, *, share: bool) -> None:
    """`source` at `target` too. With `share` both may be one file, which nobody writes to. Raises OSError."""
    with arriving(target) as part:
        if share and _link(source, part):
            return
        if not _clone(source, part):
            shutil.copyfile(source, part)
        shutil.copymode(source, part)


def put_tree(source: Path, target: Path, *, share: bool) -> None:
    """All that is below `source`, links as links. Raises OSError, also where it goes meanwhile."""

    def refuse(error: OSError) -> None:
        raise error

    for where, folders, names in os.walk(source, onerror=refuse):
        place = target / Path(where).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in (*folders, *names):
            found = Path(where, name)
            if found.is_symlink():
                with arriving(place / name) as part:
                    part.symlink_to(os.readlink(found))
            elif name in names:
                put(found, place / name, share=share)


def sweep(folder: Path) -> None:
    """Removes what an attempt that was killed has left on its way."""
    for where, _, names in os.walk(folder):
        for name in names:
            if name.startswith(PART):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(where, name))


def is_full(error: OSError) -> bool:
    return error.errno in _FULL


def free_bytes(folder: Path) -> int:
    """On the disk of the nearest folder that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _link(source: Path, target: Path) -> bool:
    for place in (target, real_place(target)):
        try:
            os.link(source, place)
        except OSError:
            continue
        return True
    return False


def real_place(path: Path) -> Path:
    """The same file by a name below the mount of the whole disk, where there is one that shows it; else `path`."""
    path = Path(os.path.abspath(path))
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as table:
            mounts = [_mount(line) for line in table]
    except OSError:
        return path
    # The last of those at one place hides the others.
    holders = [each for each in mounts if path.is_relative_to(each[2])]
    if not holders:
        return path
    device, root, point = max(holders, key=lambda each: len(str(each[2])))
    inside = Path(root) / path.relative_to(point)
    for other_device, other_root, other_point in mounts:
        if other_device == device and other_point != point and inside.is_relative_to(other_root):
            shown = other_point / inside.relative_to(other_root)
            if shown.parent.is_dir():
                return shown
    return path


def _mount(line: str) -> tuple[str, Path, Path]:
    """Device, what of it is shown, and where. Source: proc_pid_mountinfo(5)."""
    fields = line.split(" ")
    return fields[2], Path(_unescaped(fields[3])), Path(_unescaped(fields[4]))


def _unescaped(text: str) -> str:
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text


def _clone(source: Path, target: Path) -> bool:
    """One content on disk until somebody writes, where the file system can."""
    with open(source, "rb") as reading, open(target, "wb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
        except OSError:
            return False
    return True
