"""Records of a log in CRI format (`TIME STREAM TAG TEXT`) as the text that a reader asked for.

Used with `logfiles` by whoever serves a log. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime


class LogView:
    """For one log, from its beginning: a line may stand in several records, and they in several pieces of data."""

    def __init__(
        self, *, timestamps: bool = False, since: datetime | None = None, limit_bytes: int | None = None
    ) -> None:
        self._timestamps = timestamps
        self._since = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").encode() if since else b""
        self._left = limit_bytes
        self._in_line = False

    @property
    def is_full(self) -> bool:
        return self._left is not None and self._left <= 0

    def render(self, data: bytes) -> bytes:
        """`data` are whole records."""
        parts: list[bytes] = []
        # Only at newlines: a carriage return is text, as in progress bars.
        for line in data.split(b"\n")[:-1]:
            time, _, rest = line.partition(b" ")
            # Both are in UTC and of fixed width as far as they are compared.
            if self._since and time[: len(self._since)] < self._since:
                continue
            _, _, rest = rest.partition(b" ")
            tag, _, text = rest.partition(b" ")
            if self._timestamps and not self._in_line:
                parts.append(time + b" ")
            parts.append(text if tag == b"P" else text + b"\n")
            self._in_line = tag == b"P"
        text = b"".join(parts)
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
        return text
