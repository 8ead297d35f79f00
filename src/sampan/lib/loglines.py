"""Whole lines of one log in CRI format, each with its time, as they come. Synchronous: for threads.

On `logfiles`, for whoever reads what lines say: collectors of metrics.
"""

from __future__ import annotations

from pathlib import Path

from sampan.lib.logfiles import LogReader

_MAX_LINE_BYTES = 256 * 1024
"""A line that is longer is handed on in several."""


class LogLines:
    """Of the log at `path`, which may not be there yet. Close it."""

    def __init__(self, path: Path) -> None:
        self._reader = LogReader(path)
        self._begun: dict[bytes, tuple[bytes, list[bytes]]] = {}
        """By stream: when its line began, and the pieces so far."""

    def read(self) -> list[tuple[str, str]]:
        """The next lines with their times (RFC 3339 with nanoseconds, UTC); none when there are no more for now."""
        found: list[tuple[str, str]] = []
        while not found and (data := self._reader.read()):
            for record in data.split(b"\n")[:-1]:
                self._take(record, found)
        return found

    def rest(self) -> list[tuple[str, str]]:
        """Lines that have begun, where no more will come."""
        found = [_line(began, pieces) for began, pieces in self._begun.values()]
        self._begun.clear()
        return found

    def close(self) -> None:
        self._reader.close()

    def _take(self, record: bytes, found: list[tuple[str, str]]) -> None:
        time, _, rest = record.partition(b" ")
        stream, _, rest = rest.partition(b" ")
        tag, _, text = rest.partition(b" ")
        began, pieces = self._begun.pop(stream, (time, []))
        pieces.append(text)
        if tag == b"P" and sum(map(len, pieces)) < _MAX_LINE_BYTES:
            self._begun[stream] = (began, pieces)
        else:
            found.append(_line(began, pieces))


def _line(time: bytes, pieces: list[bytes]) -> tuple[str, str]:
    return time.decode("ascii", "replace"), b"".join(pieces).decode("utf-8", "replace")
