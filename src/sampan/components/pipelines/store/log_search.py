"""Searching what steps printed: one log, line by line, from a place on and as long as there is time.

Called by `rest.log_search` in a thread. Plain texts are looked for in whole blocks. Expressions are RE2's, whose time
is linear in the text: no expression can keep the server busy for longer than its text is long.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.lib.logfiles import log_parts

MAX_SHOWN = 1000
"""Characters of a line that an answer holds, around what was found."""
_MAX_PATTERN = 1000
_MAX_LINE = 1024 * 1024
"""Bytes of a line that are looked at."""
_BLOCK = 256 * 1024
_RE2_MEMORY = 8 * 1024 * 1024
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class Matcher(Protocol):
    needle: bytes
    """Bytes without which no line matches; empty where nothing is known of them."""

    def find(self, text: str) -> tuple[int, int] | None:
        """Where the first match is."""
        ...


class _Literal:
    def __init__(self, text: str) -> None:
        self._text = text
        self.needle = text.encode()

    def find(self, text: str) -> tuple[int, int] | None:
        at = text.find(self._text)
        return None if at < 0 else (at, at + len(self._text))


class _Expression:
    needle = b""

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def find(self, text: str) -> tuple[int, int] | None:
        found = self._pattern.search(text)
        return None if found is None else found.span()


def matcher(text: str, *, is_regex: bool = False, ignore_case: bool = False) -> Matcher:
    """Raises InvalidArgumentError naming what is wrong with `text`."""
    if not text:
        raise InvalidArgumentError("text must say what to look for")
    if len(text) > _MAX_PATTERN:
        raise InvalidArgumentError(f"text: at most {_MAX_PATTERN} characters, not {len(text)}")
    if "\n" in text:
        raise InvalidArgumentError("text: lines are searched one by one, so it may hold no line break")
    if not is_regex and not ignore_case:
        return _Literal(text)
    # Loaded with the first search that needs it.
    re2: Any = importlib.import_module("re2")
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    options.max_mem = _RE2_MEMORY
    try:
        return _Expression(re2.compile(text if is_regex else re2.escape(text), options))
    except re2.error as error:
        why = error.args[0] if error.args else error
        why = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise InvalidArgumentError(f"text is no regular expression that RE2 reads: {why}") from error


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log is read: its files taken as one, the bytes and the lines before."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    number: int
    """From 1."""
    time: str
    text: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """A step of a search: how far it came, and the line that was found there, if any."""

    place: Place
    found: Found | None = None


def scan(runs: Sequence[Path], wanted: Matcher, since: str, place: Place) -> Iterator[Scanned]:
    """Searches the logs of a container's runs from `place` on. `since`: an RFC 3339 time in UTC, or empty.

    Yields for every match, and for every block without one: the caller stops when its time is over.
    """
    before = 0
    for path in (part for run in runs for part in log_parts(run)):
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        if before + size > place.offset:
            for step in _scan_file(path, wanted, since, Place(place.offset - before, place.line)):
                place = Place(step.place.offset + before, step.place.line)
                yield Scanned(place, step.found)
        before += size


def _scan_file(path: Path, wanted: Matcher, since: str, place: Place) -> Iterator[Scanned]:
    line = _Line(place)
    with path.open("rb") as file:
        file.seek(place.offset)
        while data := file.read(_BLOCK):
            end = data.rfind(b"\n") + 1
            if not end:
                # Longer than any record of ours, or one that is just being written.
                return
            file.seek(end - len(data), 1)
            block = data[:end]
            if wanted.needle and wanted.needle not in block and b" P " not in block and not line.is_open:
                line = _Line(Place(line.offset + end, line.number + block.count(b"\n")))
            else:
                for record in block.split(b"\n")[:-1]:
                    if line.add(record) and (found := line.found(wanted, since)) is not None:
                        yield Scanned(line.place, found)
            yield Scanned(line.place)


class _Line:
    """Puts lines together from records, and keeps count of them."""

    def __init__(self, place: Place) -> None:
        self.offset, self.number = place.offset, place.line
        self.is_open = False
        """Whether the line so far waits for its rest."""
        self._began = place.offset
        self._time = self._text = b""

    @property
    def place(self) -> Place:
        """From where a later search goes on: the beginning of a line, unless that is a very long one."""
        resumable = self.is_open and len(self._text) < _MAX_LINE
        return Place(self._began if resumable else self.offset, self.number)

    def add(self, record: bytes) -> bool:
        """Whether a line is whole now."""
        if not self.is_open:
            self._began, self._time, self._text = self.offset, b"", b""
        self.offset += len(record) + 1
        head = record.split(b" ", 3)
        if len(head) < 3:
            return False
        self._time = self._time or head[0]
        if len(head) > 3 and len(self._text) < _MAX_LINE:
            self._text += head[3]
        self.is_open = head[2] == b"P"
        self.number += not self.is_open
        return not self.is_open

    def found(self, wanted: Matcher, since: str) -> Found | None:
        if wanted.needle and wanted.needle not in self._text:
            return None
        return _found(self.number, self._time.decode(errors="replace"), self._text, wanted, since)


def _found(number: int, time: str, line: bytes, wanted: Matcher, since: str) -> Found | None:
    if since and time < since:
        return None
    text = line.decode(errors="replace")
    span = wanted.find(text)
    if span is None:
        return None
    if len(text) > MAX_SHOWN:
        start = max(min(span[0] - MAX_SHOWN // 4, len(text) - MAX_SHOWN), 0)
        end = start + MAX_SHOWN
        text = ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
    # What colours a terminal, or steers it, is no part of what was said.
    return Found(number, time, _CONTROL.sub("", text))
