"""The files of one log in CRI format, read as one: the current one and those that it was before.

Synchronous: for threads. A writer may go on, and begin a new file, while it is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

_CHUNK_BYTES = 256 * 1024


class LogReader:
    """Whole records, from the beginning or from the last `tail` lines on. Close it."""

    def __init__(self, path: Path, tail: int | None = None, *, chunk_bytes: int = _CHUNK_BYTES) -> None:
        """`chunk_bytes`: of one `read` at most; more than one record has."""
        self._path = path
        self._chunk_bytes = chunk_bytes
        start, offset = _start(path, tail)
        self._file = _opened(start)
        if self._file is not None:
            self._file.seek(offset)

    def read(self) -> bytes:
        """What comes next; nothing when there is no more for now."""
        if self._file is None:
            self._file = _opened(self._path)
        data = self._records()
        if not data and self._next() is not None:
            # What was written last before the new file began is still to be read.
            data = self._records()
            if not data and (following := self._next()) is not None:
                self.close()
                self._file = _opened(following)
                data = self._records()
        return data

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _records(self) -> bytes:
        if self._file is None:
            return b""
        data = self._file.read(self._chunk_bytes) or b""
        end = data.rfind(b"\n") + 1
        self._file.seek(end - len(data), os.SEEK_CUR)
        return data[:end]

    def _next(self) -> Path | None:
        """The file that came after the one that is being read."""
        if self._file is None:
            return None
        own = os.fstat(self._file.fileno()).st_ino
        later: Path | None = None
        for path in (self._path, *reversed(_older(self._path))):
            try:
                if path.stat().st_ino == own:
                    return later
            except FileNotFoundError:
                continue
            later = path
        # It is gone already: the oldest that there is comes next.
        return later


def log_parts(path: Path) -> list[Path]:
    """All files of the log at `path`, the oldest first."""
    return [*_older(path), path]


def _opened(path: Path) -> FileIO | None:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return None


def _older(path: Path) -> list[Path]:
    """What the log was before, the oldest first."""
    found: list[Path] = []
    number = 1
    while (older := path.with_name(f"{path.name}.{number}")).exists():
        found.append(older)
        number += 1
    return found[::-1]


def _start(path: Path, tail: int | None) -> tuple[Path, int]:
    """Where reading begins."""
    older = _older(path)
    if tail is None:
        return (older[0] if older else path), 0
    for file in (path, *reversed(older)):
        offset, tail = _tail_offset(file, tail)
        if not tail:
            return file, offset
    return (older[0] if older else path), 0


def _tail_offset(path: Path, lines: int) -> tuple[int, int]:
    """Where the last `lines` lines begin, read from the end in blocks; and how many are missing."""
    start = os.path.getsize(path)
    if lines <= 0:
        return start, 0
    count = 0
    for position, record in _records_backwards(path):
        if _ends_line(record) and (count := count + 1) > lines:
            return start, 0
        start = position
    return start, max(lines - count, 0)


def _records_backwards(path: Path) -> Iterator[tuple[int, bytes]]:
    """Records with their offsets, the last one first."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        rest = b""
        while position > 0:
            size = min(_CHUNK_BYTES, position)
            position -= size
            file.seek(position)
            block = file.read(size) + rest
            lines = block.split(b"\n")
            rest = lines[0]
            at = position + len(block)
            for line in reversed(lines[1:]):
                at -= len(line)
                if line:
                    yield at, line
                at -= 1
        if rest:
            yield 0, rest


def _ends_line(record: bytes) -> bool:
    return record.split(b" ", 3)[2:3] == [b"F"]
