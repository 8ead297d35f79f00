"""Calls over HTTP/2, such as gRPC's, seen as they pass: which bytes a stream has carried, and when it has ended.

Nothing is changed, and headers are not read (they are packed for each connection), so a call's own id and content type
are not known. Called by `logging`, with what goes by in either direction. Pure.
Source: RFC 9113 3.4 (the preface), 4.1 (frames), 6.1 (DATA), 6.2 (HEADERS), 6.4 (RST_STREAM).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
_DATA, _HEADERS, _RESET = 0, 1, 3
_END_STREAM, _PADDED = 0x1, 0x8
_MOST_STREAMS = 4096

Ended = Callable[[int, bytes, int], None]
"""A stream's number, what it has carried (nothing, where that was too much), and how many bytes that was."""


@dataclass(slots=True)
class _Stream:
    parts: list[bytes] = field(default_factory=list)
    size: int = 0


class Direction:
    """What one end of a connection says."""

    def __init__(self, most_bytes: int, ended: Ended, *, is_client: bool) -> None:
        self._most_bytes, self._ended = most_bytes, ended
        self._buffer = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._preface = len(PREFACE) if is_client else 0
        self._is_lost = False
        self.reset: Callable[[int], None] = self.forget
        """Called with a stream that was broken off."""

    def feed(self, data: bytes) -> None:
        if self._is_lost:
            return
        self._buffer += data
        if self._preface:
            if len(self._buffer) < self._preface:
                return
            if self._buffer[: self._preface] != PREFACE:
                self._lose()
                return
            del self._buffer[: self._preface]
            self._preface = 0
        while len(self._buffer) >= _HEAD:
            length = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < _HEAD + length:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:_HEAD], "big") & 0x7FFF_FFFF
            payload = bytes(self._buffer[_HEAD : _HEAD + length]) if kind == _DATA else b""
            del self._buffer[: _HEAD + length]
            self._frame(kind, flags, stream, payload)

    def forget(self, stream: int) -> None:
        self._streams.pop(stream, None)

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _RESET:
            self.reset(stream)
            return
        if kind not in (_DATA, _HEADERS):
            return
        if len(self._streams) >= _MOST_STREAMS and stream not in self._streams:
            return
        found = self._streams.setdefault(stream, _Stream())
        if kind == _DATA:
            if flags & _PADDED and payload:
                payload = payload[1 : max(1, len(payload) - payload[0])]
            found.size += len(payload)
            if found.size <= self._most_bytes:
                found.parts.append(payload)
            else:
                found.parts.clear()
        if flags & _END_STREAM:
            del self._streams[stream]
            whole = b"".join(found.parts) if found.size <= self._most_bytes else b""
            self._ended(stream, whole, found.size)

    def _lose(self) -> None:
        """It is no HTTP/2: nothing is seen from now on."""
        self._is_lost = True
        self._buffer.clear()
        self._streams.clear()
