"""Frames of SPDY/3.1 to bytes and back. Pure; knows no connection.

Data is passed on in pieces as it arrives, so that only control frames are ever held as a whole.
Source: the SPDY Protocol, draft 3.1, sections 2.2 and 2.6.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

MAX_CONTROL_BYTES = 64 * 1024
MAX_HEADER_BYTES = 128 * 1024
"""Of a header block without its compression."""
MAX_DATA_BYTES = 32 * 1024
"""What we put into one frame."""
FLAG_FIN = 1
_VERSION = 3
_ID = 0x7FFFFFFF

Headers = Sequence[tuple[str, str]]


class Kind(IntEnum):
    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class Status(IntEnum):
    """Of RST_STREAM."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5


class SpdyError(Exception):
    """What came is no SPDY/3.1: the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Data:
    """`fin` with the last piece of a frame that ends its stream."""

    stream: int
    content: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """`stream` and `value` as the kind has them: a status, a difference of windows, the id of a ping."""

    kind: Kind
    stream: int = 0
    fin: bool = False
    headers: Headers = ()
    value: int = 0


# The words with which the compression of header blocks begins: each after its length in four bytes, and one text.
_WORDS = """
options head post put delete trace accept accept-charset accept-encoding accept-language
accept-ranges age allow authorization cache-control connection content-base content-encoding
content-language content-length content-location content-md5 content-range content-type date etag
expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since
last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer
retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate
method get status
"""
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug "
    "Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset="
    "utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _word(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()


DICTIONARY = (
    b"".join(
        map(
            _word,
            [*_WORDS.split(), "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive"],
        )
    )
    + _word("origin")
    + _REST.encode()
)
"""1423 bytes; their Adler-32, by which each side knows the other's, is E3C6A7C2."""


class Encoder:
    """Frames to bytes. Header blocks share one compression: what is encoded must be sent, in that order."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def data(self, stream: int, content: bytes, *, fin: bool = False) -> bytes:
        return struct.pack(">II", stream & _ID, (FLAG_FIN if fin else 0) << 24 | len(content)) + content

    def control(self, frame: Control) -> bytes:
        return (
            struct.pack(
                ">HHI",
                0x8000 | _VERSION,
                frame.kind,
                (FLAG_FIN if frame.fin else 0) << 24 | len(body := self._body(frame)),
            )
            + body
        )

    def _body(self, frame: Control) -> bytes:
        match frame.kind:
            case Kind.SYN_STREAM:
                return struct.pack(">IIH", frame.stream & _ID, 0, 0) + self._block(frame.headers)
            case Kind.SYN_REPLY | Kind.HEADERS:
                return struct.pack(">I", frame.stream & _ID) + self._block(frame.headers)
            case Kind.PING:
                return struct.pack(">I", frame.value)
            case Kind.SETTINGS:
                return struct.pack(">I", 0)
            case _:
                return struct.pack(">II", frame.stream & _ID, frame.value)

    def _block(self, headers: Headers) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers:
            for text in (name.lower().encode("latin-1"), value.encode("latin-1")):
                parts += (struct.pack(">I", len(text)), text)
        return self._zlib.compress(b"".join(parts)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


class Decoder:
    """Bytes to frames. Holds one control frame at most; frames of an unknown kind are passed over."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)
        self._buffer = bytearray()
        self._data: tuple[int, bool] | None = None
        """Stream and FIN of the data frame whose content comes, and how much of it is missing."""
        self._missing = 0

    def feed(self, data: bytes) -> Iterator[Data | Control]:
        """Raises SpdyError."""
        self._buffer += data
        while (frame := self._next()) is not None:
            if not isinstance(frame, int):
                yield frame

    def _next(self) -> Data | Control | int | None:
        """None when more is needed; a number for a frame that means nothing to us."""
        if self._data is not None:
            return self._content()
        if len(self._buffer) < 8:
            return None
        first, second = struct.unpack_from(">II", self._buffer)
        flags, length = second >> 24, second & 0xFFFFFF
        if not first >> 31:
            del self._buffer[:8]
            self._data, self._missing = (first, bool(flags & FLAG_FIN)), length
            return self._content()
        if first >> 16 & 0x7FFF != _VERSION:
            raise SpdyError(f"version {first >> 16 & 0x7FFF} is not spoken here")
        if length > MAX_CONTROL_BYTES:
            raise SpdyError("a control frame is too large")
        if len(self._buffer) < 8 + length:
            return None
        body = bytes(self._buffer[8 : 8 + length])
        del self._buffer[: 8 + length]
        try:
            return self._control(first & 0xFFFF, bool(flags & FLAG_FIN), body)
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a frame cannot be read: {error}") from error

    def _content(self) -> Data | None:
        assert self._data is not None
        if self._missing and not self._buffer:
            return None
        stream, fin = self._data
        content = bytes(self._buffer[: self._missing])
        del self._buffer[: self._missing]
        self._missing -= len(content)
        if self._missing:
            return Data(stream, content)
        self._data = None
        return Data(stream, content, fin)

    def _control(self, kind: int, fin: bool, body: bytes) -> Control | int:
        match kind:
            case Kind.SYN_STREAM:
                stream, _, _ = struct.unpack_from(">IIH", body)
                return Control(Kind.SYN_STREAM, stream & _ID, fin, self._headers(body[10:]))
            case Kind.SYN_REPLY | Kind.HEADERS:
                (stream,) = struct.unpack_from(">I", body)
                return Control(Kind(kind), stream & _ID, fin, self._headers(body[4:]))
            case Kind.RST_STREAM | Kind.GOAWAY | Kind.WINDOW_UPDATE:
                stream, value = struct.unpack_from(">II", body)
                return Control(Kind(kind), stream & _ID, value=value)
            case Kind.PING:
                return Control(Kind.PING, value=struct.unpack_from(">I", body)[0])
            case Kind.SETTINGS:
                return Control(Kind.SETTINGS)
            case _:
                return kind

    def _headers(self, block: bytes) -> Headers:
        text = self._zlib.decompress(block, MAX_HEADER_BYTES)
        if self._zlib.unconsumed_tail:
            raise SpdyError("the headers of a stream are too large")
        (count,) = struct.unpack_from(">I", text)
        found: list[tuple[str, str]] = []
        at = 4
        for _ in range(count):
            words = []
            for _ in range(2):
                (length,) = struct.unpack_from(">I", text, at)
                if at + 4 + length > len(text):
                    raise SpdyError("a header is cut short")
                words.append(text[at + 4 : at + 4 + length].decode("latin-1"))
                at += 4 + length
            found.append((words[0].lower(), words[1]))
        return found
