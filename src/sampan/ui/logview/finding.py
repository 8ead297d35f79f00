"""Finding a text in a log, from its beginning and on as it grows. Called by `logview`, in threads.

Expressions are RE2's: their time is linear in the text, so that none can keep the server busy for long.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from sampan.ui.logview import terminal
from sampan.ui.logview.book import LogBook, time_and_text

MOST_HITS = 10_000
_MOST_PATTERN = 500
_MOST_SPANS = 200
"""Of one line that are marked."""
_MEMORY = 8 * 1024 * 1024


class BadPatternError(Exception):
    """What was asked for is no expression. The message says why."""


class Finder:
    """One question to one log."""

    def __init__(self, book: LogBook, text: str, *, is_regex: bool, ignore_case: bool) -> None:
        """Raises BadPatternError."""
        if len(text) > _MOST_PATTERN:
            raise BadPatternError(f"at most {_MOST_PATTERN} characters")
        re2: Any = importlib.import_module("re2")
        options = re2.Options()
        options.case_sensitive = not ignore_case
        options.log_errors = False
        options.max_mem = _MEMORY
        try:
            self._pattern = re2.compile(text if is_regex else re2.escape(text), options)
        except re2.error as error:
            why = error.args[0] if error.args else error
            raise BadPatternError(
                why.decode(errors="replace") if isinstance(why, bytes) else str(why)
            ) from error
        self._book = book
        self._is_literal = not is_regex
        self._next = 0
        self.hits: list[int] = []
        """The numbers of lines, in order."""

    @property
    def is_full(self) -> bool:
        return len(self.hits) >= MOST_HITS

    def advance(self, seconds: float) -> bool:
        """Looks further for so long. Whether all that is there now has been looked at."""
        until = time.monotonic() + seconds
        for start, lines in self._book.blocks(self._next):
            if self.is_full:
                return True
            if not self._is_literal or self._may_be_in(lines):
                self._look(start, lines)
            self._next = start + len(lines)
            if time.monotonic() > until:
                return False
        return True

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where it is in a plain text."""
        found: list[tuple[int, int]] = []
        for match in self._pattern.finditer(text):
            start, end = match.span()
            if end > start:
                found.append((start, end))
            if len(found) == _MOST_SPANS:
                break
        return found

    def _may_be_in(self, lines: list[bytes]) -> bool:
        """Many lines at once, times included. Where codes may stand in between, perhaps."""
        block = b"\n".join(lines)
        return b"\x1b" in block or self._pattern.search(block.decode(errors="replace")) is not None

    def _look(self, start: int, lines: list[bytes]) -> None:
        for at, line in enumerate(lines):
            text = time_and_text(line)[1]
            if self.spans(terminal.plain(text)):
                self.hits.append(start + at)
                if self.is_full:
                    return
