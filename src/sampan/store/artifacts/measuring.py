"""What an artifact's files are: a digest that says whether they are the same, and a mark that says so cheaply.

The digest of a file is its SHA-256. That of a folder is the SHA-256 over its entries, sorted by name: one line a file
with its size and digest, so that neither the order of a listing nor the times of files matter. Links are part of a
folder by where they point to and are never followed; sockets, pipes and devices are left out.

The mark consists of sizes and times of change. The same mark means the same content, as for `make` and `rsync`; another
mark means only that the digest must be looked at again. Blocks: called in threads, but for marks of a few files.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measure:
    digest: str
    """Hex of SHA-256."""
    size_bytes: int
    file_count: int
    mark: str


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    """Below the folder, with slashes."""
    path: bytes
    mode: int
    size: int
    changed_at: int


class TooLargeError(Exception):
    """More bytes or files than the caller wanted to look at now."""


def measure(path: Path, *, most_bytes: int | None = None, most_files: int | None = None) -> Measure | None:
    """None where nothing lies at `path`. Raises TooLargeError before reading anything, OSError."""
    found = _lstat(path)
    if found is None:
        return None
    if not stat.S_ISDIR(found.st_mode):
        if most_bytes is not None and found.st_size > most_bytes:
            raise TooLargeError
        return Measure(_digest_of_file(os.fsencode(path)), found.st_size, 1, _mark_of_file(found))
    entries = _listed(path, most_files)
    size = sum(entry.size for entry in entries)
    if most_bytes is not None and size > most_bytes:
        raise TooLargeError
    digest = hashlib.sha256()
    for entry in entries:
        if stat.S_ISLNK(entry.mode):
            line = b"link %s %s\n" % (entry.name, os.readlink(entry.path))
        else:
            line = b"file %s %d %s\n" % (entry.name, entry.size, _digest_of_file(entry.path).encode())
        digest.update(line)
    return Measure(digest.hexdigest(), size, len(entries), _mark_of_folder(entries))


def mark(path: Path, *, most_files: int | None = None) -> str | None:
    """None where nothing lies at `path`. Raises TooLargeError, OSError."""
    found = _lstat(path)
    if found is None:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return _mark_of_file(found)
    return _mark_of_folder(_listed(path, most_files))


def folder_size(path: Path) -> tuple[int, int]:
    """Bytes and files at or below `path`; what goes away meanwhile does not count."""
    size = count = 0
    found = _lstat(path)
    if found is None:
        return 0, 0
    if not stat.S_ISDIR(found.st_mode):
        return found.st_size, 1
    for where, _, names in os.walk(path):
        for name in names:
            entry = _lstat(Path(where, name))
            if entry is not None:
                size, count = size + entry.st_size, count + 1
    return size, count


def _lstat(path: Path) -> os.stat_result | None:
    try:
        found = path.lstat()
        # The artifact itself may be a link to what it is; what lies in a folder may not.
        return path.stat() if stat.S_ISLNK(found.st_mode) else found
    except (FileNotFoundError, NotADirectoryError):
        return None


def _listed(folder: Path, most_files: int | None) -> list[_Entry]:
    entries: list[_Entry] = []
    for entry in _walked(os.fsencode(folder), b""):
        entries.append(entry)
        if most_files is not None and len(entries) > most_files:
            raise TooLargeError
    entries.sort(key=lambda entry: entry.name)
    return entries


def _walked(folder: bytes, prefix: bytes) -> Iterator[_Entry]:
    waiting = [(folder, prefix)]
    while waiting:
        path, name = waiting.pop()
        with os.scandir(path) as scanned:
            for item in scanned:
                if item.is_dir(follow_symlinks=False):
                    waiting.append((item.path, name + item.name + b"/"))
                    continue
                found = item.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                    yield _Entry(name + item.name, item.path, found.st_mode, found.st_size, found.st_mtime_ns)


def _digest_of_file(path: bytes) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _mark_of_file(found: os.stat_result) -> str:
    return f"{found.st_size}:{found.st_mtime_ns}"


def _mark_of_folder(entries: list[_Entry]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(b"%s\0%d\0%d\n" % (entry.name, entry.size, entry.changed_at))
    return digest.hexdigest()
