"""The merged log of a job's ranks, each in a colour of its own. Pure.

Lines come as `/training/v1/…/log` gives them: a time, the rank in brackets, the text.
"""

from __future__ import annotations

import re

_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) )?\[([\w.-]{1,80})\] ")
_COLOURS = (b"36", b"33", b"35", b"32", b"34", b"31", b"96", b"93", b"95", b"92", b"94", b"91")
_MOST_HELD = 64 * 1024


class RankColours:
    """Of one reading: ranks have their colours in the order in which they first say something."""

    def __init__(self) -> None:
        self._colours: dict[bytes, bytes] = {}
        self._width = 0
        """Of the longest name until now: what follows stands below what stood there before."""
        self._held = b""
        """The beginning of a line whose rank is not yet whole."""

    def __call__(self, chunk: bytes) -> bytes:
        whole, newline, self._held = (self._held + chunk).rpartition(b"\n")
        painted = b"".join(self._painted(line) + b"\n" for line in whole.split(b"\n")) if newline else b""
        if len(self._held) > _MOST_HELD:
            painted, self._held = painted + self._painted(self._held), b""
        return painted

    def _painted(self, line: bytes) -> bytes:
        found = _LINE.match(line)
        if found is None:
            return line
        colour = self._colours.setdefault(found[2], _COLOURS[len(self._colours) % len(_COLOURS)])
        # Reset first: what another rank has left on is not this one's.
        self._width = max(self._width, len(found[2]))
        name = b"\x1b[0;" + colour + b"m" + found[2].ljust(self._width) + b"\x1b[0m  "
        return (found[1] or b"") + name + line[found.end() :]
