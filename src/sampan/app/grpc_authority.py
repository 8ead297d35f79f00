"""Whom a gRPC connection is for, from its first bytes: the `:authority` of its first request.

Clients wait for a server's SETTINGS before they ask anything, so they get some of ours; the server that the connection
is then handed to sends its own, and must not see that ours were acknowledged. Source: RFC 9113, sections 3.4, 4.1, 6.
"""

from __future__ import annotations

import importlib
from typing import Any

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""A frame of none: it changes nothing."""
_FRAME_HEAD = 9
_HEADERS, _SETTINGS, _CONTINUATION = 1, 4, 9
_ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20
_MOST_FRAME = 16384
_MOST_BYTES = 64 * 1024
_MOST_HEADERS = 32 * 1024


class NoHttp2Error(Exception):
    """What came is none."""


class FirstFrames:
    """Fed with what comes behind the preface, gives what is to be passed on. For one connection."""

    def __init__(self) -> None:
        self._unread = b""
        self._block = b""
        self._in_block = False
        self._size = 0
        self._is_acknowledged = False
        self.authority: str | None = None
        """Set when it is known."""

    @property
    def is_done(self) -> bool:
        """Nothing more has to be looked at."""
        return self.authority is not None and self._is_acknowledged

    def feed(self, data: bytes) -> bytes:
        """Whole frames; what is left comes with the next. Raises NoHttp2Error."""
        if self.is_done:
            rest, self._unread = self._unread + data, b""
            return rest
        self._size += len(data)
        unread, at, passed = self._unread + data, 0, []
        while len(unread) - at >= _FRAME_HEAD and not (self.authority is not None and self._is_acknowledged):
            length = int.from_bytes(unread[at : at + 3], "big")
            if length > _MOST_FRAME:
                raise NoHttp2Error("a frame is too large")
            end = at + _FRAME_HEAD + length
            if len(unread) < end:
                break
            if self._take(unread[at + 3], unread[at + 4], unread[at + _FRAME_HEAD : end]):
                passed.append(unread[at:end])
            at = end
        self._unread = unread[at:]
        if self.authority is None and self._size > _MOST_BYTES:
            raise NoHttp2Error("no request has come")
        if self.authority is not None and self._is_acknowledged:
            passed.append(self._unread)
            self._unread = b""
        return b"".join(passed)

    def _take(self, kind: int, flags: int, payload: bytes) -> bool:
        """Whether the frame is passed on."""
        if kind == _SETTINGS and flags & _ACK and not self._is_acknowledged:
            self._is_acknowledged = True
            return False
        if self.authority is not None:
            return True
        if kind == _HEADERS:
            self._block, self._in_block = _fragment(flags, payload), True
        elif kind == _CONTINUATION and self._in_block:
            self._block += payload
        elif self._in_block:
            raise NoHttp2Error("a header block is broken off")
        else:
            return True
        if len(self._block) > _MOST_HEADERS:
            raise NoHttp2Error("the headers are too large")
        if flags & _END_HEADERS:
            self.authority = _authority(self._block)
        return True


def _fragment(flags: int, payload: bytes) -> bytes:
    start, end = 0, len(payload)
    if flags & _PADDED:
        if not payload:
            raise NoHttp2Error("a frame is too short")
        start, end = 1, end - payload[0]
    if flags & _PRIORITY:
        start += 5
    if start > end:
        raise NoHttp2Error("a frame is too short")
    return payload[start:end]


def _authority(block: bytes) -> str:
    # Loaded with the first connection.
    hpack: Any = importlib.import_module("hpack")
    decoder = hpack.Decoder(max_header_list_size=_MOST_HEADERS)
    try:
        headers = decoder.decode(block, raw=True)
    except hpack.HPACKError as error:
        raise NoHttp2Error("the headers cannot be read") from error
    found = [bytes(value) for key, value in headers if key == b":authority"]
    return found[0].decode("latin-1") if len(found) == 1 else ""
