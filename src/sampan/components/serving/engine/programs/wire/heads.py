"""Heads of requests and answers, and where their bodies end. Pure.

Read strictly, as two programs that read one request differently can be played against each other (RFC 9112 11.2):
one way to end a line, no folded lines, no space before a colon, one length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

MOST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 256
_MOST_CHUNK_LINE = 256
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"[\x21-\x7e\x80-\xff]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_BODILESS = frozenset({204, 304})

Headers = list[tuple[str, str]]
"""As they came, names in any case."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class HeadError(Exception):
    """What is no HTTP/1.1. `status` is what its sender is told."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(slots=True)
class RequestHead:
    method: str
    target: str
    headers: Headers
    minor: int = 1
    """Of the version, HTTP/1.x."""

    @property
    def path(self) -> str:
        """Of a target in any form, without the query."""
        target = self.target
        if not target.startswith("/"):
            _, slashes, rest = target.partition("://")
            target = "/" + rest.partition("/")[2] if slashes else target
        return target.partition("?")[0]

    def get(self, name: str, default: str = "") -> str:
        return get(self.headers, name, default)


@dataclass(slots=True)
class ResponseHead:
    status: int
    reason: str
    headers: Headers
    minor: int = 1

    def get(self, name: str, default: str = "") -> str:
        return get(self.headers, name, default)


def get(headers: Iterable[tuple[str, str]], name: str, default: str = "") -> str:
    """The first of that name, which is in lower case."""
    return next((value for key, value in headers if key.lower() == name), default)


def names_in(headers: Iterable[tuple[str, str]], name: str) -> frozenset[str]:
    """The words of a list such as `Connection: close, upgrade`, in lower case."""
    values = (value for key, value in headers if key.lower() == name)
    return frozenset(word.strip().lower() for value in values for word in value.split(",") if word.strip())


def end_to_end(headers: Headers) -> Headers:
    """Without what concerns one connection only."""
    dropped = HOP_BY_HOP | names_in(headers, "connection")
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def canonical(name: str) -> str:
    """As Go writes names of headers, in which upstream's programs compare them: `ce-id` is `Ce-Id`.

    Source: go 1.24 net/textproto (CanonicalMIMEHeaderKey).
    """
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def read_request(data: bytes) -> RequestHead:
    """`data` is a head without the empty line at its end. Raises HeadError."""
    lines = data.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
        raise HeadError(400, "malformed request line")
    minor = _minor(parts[2])
    headers = _headers(lines[1:])
    hosts = sum(1 for name, _ in headers if name.lower() == "host")
    if hosts > 1 or (minor and not hosts):
        raise HeadError(400, "a request has one Host header")
    return RequestHead(parts[0], parts[1], headers, minor)


def read_response(data: bytes) -> ResponseHead:
    """Raises HeadError."""
    lines = data.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    code, _, reason = rest.partition(" ")
    if len(code) != 3 or not code.isascii() or not code.isdigit() or not _VALUE.fullmatch(reason):
        raise HeadError(502, "malformed status line")
    return ResponseHead(int(code), reason, _headers(lines[1:]), _minor(version))


def _minor(version: str) -> int:
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise HeadError(505, "HTTP/1.1 is spoken here")
    return int(version[-1])


def _headers(lines: Sequence[str]) -> Headers:
    if len(lines) > MOST_HEADERS:
        raise HeadError(431, f"there are more than {MOST_HEADERS} headers")
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise HeadError(400, "malformed header")
        headers.append((name, value.strip(" \t")))
    return headers


def write_head(first: str, headers: Headers) -> bytes:
    """What came in by `_headers` holds no line end; what a program makes must not either: ValueError."""
    lines = [first]
    for name, value in headers:
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name} holds what no header may hold")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(slots=True)
class Body:
    """How a body is framed, and as much of it as has been read. `length` None: until the connection ends."""

    length: int | None = 0
    chunked: bool = False
    done: bool = field(default=False, init=False)
    _left: int = field(default=0, init=False)
    _in_trailers: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not self.chunked:
            self._left = self.length or 0
            self.done = self.length == 0

    def feed(self, buffer: bytearray) -> bytes:
        """Takes from the front of `buffer` what belongs to the body. Raises HeadError."""
        if self.done:
            return b""
        if self.chunked:
            return self._chunks(buffer)
        if self.length is None:
            part = bytes(buffer)
            buffer.clear()
            return part
        part = bytes(buffer[: self._left])
        del buffer[: len(part)]
        self._left -= len(part)
        self.done = self._left == 0
        return part

    def at_end(self) -> bool:
        """Whether the connection may end here."""
        return self.done or (self.length is None and not self.chunked)

    def _chunks(self, buffer: bytearray) -> bytes:
        parts: list[bytes] = []
        while not self.done:
            if self._in_trailers:
                self._trailers(buffer)
                break
            if self._left > 2:
                part = bytes(buffer[: self._left - 2])
                if not part:
                    break
                del buffer[: len(part)]
                self._left -= len(part)
                parts.append(part)
            elif self._left:
                if len(buffer) < 2:
                    break
                if buffer[:2] != b"\r\n":
                    raise HeadError(400, "malformed chunk")
                del buffer[:2]
                self._left = 0
            elif not self._size(buffer):
                break
        return b"".join(parts)

    def _size(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\r\n", 0, _MOST_CHUNK_LINE)
        if end < 0:
            if len(buffer) >= _MOST_CHUNK_LINE:
                raise HeadError(400, "malformed chunk")
            return False
        match = _CHUNK.fullmatch(bytes(buffer[:end]))
        if match is None:
            raise HeadError(400, "malformed chunk")
        del buffer[: end + 2]
        size = int(match[1], 16)
        # With the line end behind its data.
        self._left = size + 2 if size else 0
        self._in_trailers = size == 0
        return True

    def _trailers(self, buffer: bytearray) -> None:
        """Dropped: nobody behind us is told of them."""
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            self.done = True
            return
        end = buffer.find(b"\r\n\r\n")
        if end >= 0:
            del buffer[: end + 4]
            self.done = True
        elif len(buffer) > MOST_HEAD_BYTES:
            raise HeadError(431, "the trailers are too large")


def request_body(head: RequestHead) -> Body:
    """Raises HeadError."""
    chunked, length = _framing(head.headers, head.minor, 400)
    return Body(length or 0, chunked)


def response_body(head: ResponseHead, method: str) -> Body:
    """Raises HeadError."""
    if method == "HEAD" or head.status in _BODILESS or head.status < 200:
        return Body()
    chunked, length = _framing(head.headers, head.minor, 502)
    return Body(length, chunked)


def _framing(headers: Headers, minor: int, status: int) -> tuple[bool, int | None]:
    codings = [value.strip().lower() for name, value in headers if name.lower() == "transfer-encoding"]
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if codings:
        if codings != ["chunked"] or not minor:
            raise HeadError(501 if status == 400 else status, "of transfer codings only chunked is known")
        if lengths:
            raise HeadError(status, "a body has a length or is chunked, not both")
        return True, None
    if not lengths:
        return False, None
    if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise HeadError(status, "malformed Content-Length")
    return False, int(lengths.pop())
