"""A log as it comes, kept on disk in pieces with a sparse index, so that any part of it can be shown at once.

Called by `logview`, in threads. Memory is a few bytes for every hundred lines, whatever their length; of a log that is
larger than the book the oldest pieces go. Lines begin with a time (RFC 3339), as logs with `timestamps` do, or without.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.ui.logview import terminal
from sampan.ui.logview.terminal import PLAIN, Run, Style

_BLOCK_LINES = 128
"""Between two entries of the index."""
_PIECE_BYTES = 16 * 1024 * 1024
_MOST_BYTES = 256 * 1024 * 1024
_MOST_LINE = 32 * 1024
"""Bytes of one line that are kept."""
_MOST_AT_ONCE = 256 * 1024
"""Bytes of lines that are given at once, the first line aside."""
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ")


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    """From 0."""
    time: str
    """RFC 3339, or nothing."""
    text: str
    """With its codes."""
    style: Style
    """That it begins with."""

    def runs(self) -> list[Run]:
        return terminal.runs(self.text, self.style)[0]


@dataclass(slots=True)
class _Piece:
    file: Any
    first: int
    count: int = 0
    size: int = 0
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    """Of each line whose number in the piece is a multiple of the block's."""
    styles: list[Style] = field(default_factory=list)

    def read(self, start: int, end: int) -> bytes:
        return os.pread(self.file.fileno(), end - start, start)


class LogBook:
    """One log. Safe between threads. Close it."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._pieces: list[_Piece] = []
        self._style = PLAIN
        self._partial = b""
        self._cut = 0
        """Bytes of the line under way that are not kept."""
        self._whole = 0
        self._is_closed = False
        self.first = 0
        """The number of the first line that is still kept."""

    @property
    def total(self) -> int:
        """Lines until now, one that has not ended included."""
        return self._whole + (1 if self._partial else 0)

    def add(self, data: bytes) -> None:
        with self._lock:
            if self._is_closed:
                return  # a thread that was under way
            end = data.rfind(b"\n") + 1
            if end:
                lines = (self._partial + data[:end]).split(b"\n")[:-1]
                self._append([_kept(line, self._cut if not at else 0) for at, line in enumerate(lines)])
                self._partial, self._cut = b"", 0
            self._partial = self._shortened(self._partial + data[end:])

    def finish(self) -> None:
        """Nothing more comes."""
        with self._lock:
            if self._partial and not self._is_closed:
                self._append([_kept(self._partial, self._cut)])
                self._partial, self._cut = b"", 0

    def lines(self, start: int, end: int) -> list[Line]:
        """From `start` on, to before `end`; fewer where they are long, or gone."""
        with self._lock:
            start, size = max(start, self.first), 0
            found: list[Line] = []
            for line in self._from(start):
                size += len(line.text)
                if line.number >= end or (found and size > _MOST_AT_ONCE):
                    return found
                found.append(line)
            if self._partial and start <= self._whole < end:
                found.append(_line(self._whole, _kept(self._partial, self._cut), self._style))
            return found

    def blocks(self, start: int) -> Iterator[tuple[int, list[bytes]]]:
        """Ended lines from `start` on as they are kept, some at a time: the first one's number, and they."""
        while True:
            with self._lock:
                start = max(start, self.first)
                piece = next((each for each in self._pieces if start < each.first + each.count), None)
                if piece is None:
                    return
                block = (start - piece.first) // _BLOCK_LINES
                following = block + 16
                end = piece.offsets[following] if following < len(piece.offsets) else piece.size
                lines = piece.read(piece.offsets[block], end).split(b"\n")[:-1]
            skipped = start - piece.first - block * _BLOCK_LINES
            yield start, lines[skipped:]
            start += len(lines) - skipped

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            for piece in self._pieces:
                piece.file.close()
            self._pieces.clear()
            self.first = self._whole

    def _from(self, start: int) -> Iterator[Line]:
        """Ended lines, with their styles."""
        for piece in self._pieces:
            if start >= piece.first + piece.count:
                continue
            block = max(0, start - piece.first) // _BLOCK_LINES
            number, style = piece.first + block * _BLOCK_LINES, piece.styles[block]
            for at in range(block, len(piece.offsets)):
                end = piece.offsets[at + 1] if at + 1 < len(piece.offsets) else piece.size
                for raw in piece.read(piece.offsets[at], end).split(b"\n")[:-1]:
                    line = _line(number, raw, style)
                    if number >= start:
                        yield line
                    if "\x1b" in line.text:
                        style = terminal.style_after(line.text, style)
                    number += 1

    def _append(self, lines: Sequence[bytes]) -> None:
        at = 0
        while at < len(lines):
            piece = self._pieces[-1] if self._pieces else None
            if piece is None or piece.size >= _PIECE_BYTES:
                piece = _Piece(tempfile.TemporaryFile(), self._whole)  # noqa: SIM115  (until `close`)
                self._pieces.append(piece)
            # To the end of the block, whose next one may lie in another piece.
            taken = lines[at : at + _BLOCK_LINES - piece.count % _BLOCK_LINES]
            self._write(piece, taken)
            at += len(taken)
        while len(self._pieces) > 1 and sum(piece.size for piece in self._pieces) > self._most_bytes:
            self._pieces.pop(0).file.close()
            self.first = self._pieces[0].first

    def _write(self, piece: _Piece, lines: Sequence[bytes]) -> None:
        if piece.count % _BLOCK_LINES == 0:
            piece.offsets.append(piece.size)
            piece.styles.append(self._style)
        data = b"\n".join((*lines, b""))
        # Past the file's own position, which nobody uses.
        os.pwrite(piece.file.fileno(), data, piece.size)
        piece.size += len(data)
        piece.count += len(lines)
        self._whole += len(lines)
        if b"\x1b" in data:
            for line in lines:
                if b"\x1b" in line:
                    self._style = terminal.style_after(line.decode(errors="replace"), self._style)

    def _shortened(self, partial: bytes) -> bytes:
        """Of a line that does not end: what a progress bar shows now, and of what is longer the beginning."""
        if len(partial) <= _MOST_LINE:
            return partial
        time, text = _split(partial)
        if b"\r" in text.rstrip(b"\r"):
            # What follows a carriage return is kept: it is written over what stands there.
            ends_so = text.endswith(b"\r")
            partial = time + _settled(text) + (b"\r" if ends_so else b"")
        self._cut += max(0, len(partial) - _MOST_LINE)
        return partial[:_MOST_LINE]


def time_and_text(line: bytes) -> tuple[str, str]:
    """Of a line as `blocks` gives it; the text with its codes."""
    time, text = _split(line)
    return time.decode().strip(), text.decode(errors="replace")


def _line(number: int, line: bytes, style: Style) -> Line:
    time, text = time_and_text(line)
    return Line(number, time, text, style)


def _split(line: bytes) -> tuple[bytes, bytes]:
    found = _TIME.match(line)
    return (line[: found.end()], line[found.end() :]) if found else (b"", line)


def _kept(line: bytes, cut: int = 0) -> bytes:
    if b"\r" in line:
        time, text = _split(line)
        line = time + _settled(text)
    cut += max(0, len(line) - _MOST_LINE)
    if not cut:
        return line
    return line[:_MOST_LINE] + f"\x1b[0;2m … {cut:,} bytes more, in the download\x1b[0m".encode()


def _settled(text: bytes) -> bytes:
    return terminal.settled(text.decode(errors="replace")).encode()
