"""Files in folders that containers write into: opened and copied so that no link leads out of them.

Links there are a container's, who may make one at any moment, and the server may read and write what the container may
not. So every folder on the way is opened by itself, relative to the one before it, and none that is a link. Absolute
paths without links come in (`os.path.realpath` of what is the server's own, `pod_places` of what is a pod's). Blocks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator

_ON_THE_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def folder(path: str, *, make: bool = False) -> Iterator[int]:
    """Its descriptor. `make`: with what is missing on the way. Raises OSError, also for a link on the way."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts:
        raise OSError(f"{path} is not the plain path of a folder")
    descriptor = os.open("/", _ON_THE_WAY)
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            inner = os.open(part, _ON_THE_WAY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        readable = os.open(".", _FOLDER, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    try:
        yield readable
    finally:
        os.close(readable)


def opened(name: str, within: int) -> int:
    """The plain file of that name in an open folder. Raises OSError, also for what is no plain file."""
    descriptor = os.open(name, _FILE, dir_fd=within)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} is no plain file")
    return descriptor


def copy(source: str, target: str) -> None:
    """A file or a folder with all below it, onto what is there. Links stay links; what is neither is left out.

    Raises OSError.
    """
    above, name = os.path.split(source)
    there, new_name = os.path.split(target)
    with folder(above) as origin, folder(there, make=True) as into:
        _copy(name, origin, new_name, into)


def _copy(name: str, origin: int, new_name: str, into: int) -> None:
    state = os.stat(name, dir_fd=origin, follow_symlinks=False)
    present = _state(new_name, into)
    if present is not None and os.path.samestat(state, present):
        return
    if stat.S_ISDIR(state.st_mode):
        _copy_folder(name, origin, new_name, into)
        return
    if present is not None and (stat.S_ISREG(state.st_mode) or stat.S_ISLNK(state.st_mode)):
        # Never through what is there: it may be a link, or have another name elsewhere.
        os.unlink(new_name, dir_fd=into)
    if stat.S_ISLNK(state.st_mode):
        os.symlink(os.readlink(name, dir_fd=origin), new_name, dir_fd=into)
    elif stat.S_ISREG(state.st_mode):
        _copy_file(name, origin, new_name, into)


def _copy_folder(name: str, origin: int, new_name: str, into: int) -> None:
    present = _state(new_name, into)
    if present is not None and not stat.S_ISDIR(present.st_mode):
        os.unlink(new_name, dir_fd=into)
    with contextlib.suppress(FileExistsError):
        os.mkdir(new_name, dir_fd=into)
    inner = os.open(name, _FOLDER, dir_fd=origin)
    try:
        deeper = os.open(new_name, _FOLDER, dir_fd=into)
        try:
            for each in sorted(os.listdir(inner)):
                _copy(each, inner, each, deeper)
        finally:
            os.close(deeper)
    finally:
        os.close(inner)


def _copy_file(name: str, origin: int, new_name: str, into: int) -> None:
    with open(opened(name, origin), "rb") as source:
        state = os.fstat(source.fileno())
        with open(os.open(new_name, _NEW, 0o600, dir_fd=into), "wb") as made:
            shutil.copyfileobj(source, made)
            # Not who may become whom (setuid).
            os.fchmod(made.fileno(), state.st_mode & 0o777)
            os.utime(made.fileno(), ns=(state.st_atime_ns, state.st_mtime_ns))


def _state(name: str, within: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=within, follow_symlinks=False)
    except FileNotFoundError:
        return None
