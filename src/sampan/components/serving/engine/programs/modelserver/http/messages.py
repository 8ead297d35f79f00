"""A request, and what it is answered with. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import orjson

JSON = "application/json"

REASONS: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(slots=True)
class Request:
    method: str
    path: str
    """Decoded; without the query."""
    query: str
    headers: dict[str, str]
    """By names in lower case. Of a name that came several times, the values joined by commas."""
    body: bytes = b""
    gone: Callable[[], object] | None = None
    """Set by who answers: called where the client goes away before."""


@dataclass(slots=True)
class Response:
    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """An answer in pieces, which begins with its first."""

    pieces: AsyncIterator[bytes]
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)


Reply = Callable[["Response | Stream"], None]
"""Called once, at once or later, in the event loop."""


def error(status: int, message: str) -> Response:
    return Response(status, orjson.dumps({"error": message}))


def head_of(
    status: int, content_type: str, headers: Mapping[str, str], length: int | None, *, keep_alive: bool
) -> bytes:
    """`length` None is for a body in chunks. What would break the lines of the head is left out."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}", f"content-type: {content_type}"]
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    for name, value in headers.items():
        if name.lower() not in _OURS and not _breaks(name) and not _breaks(value):
            lines.append(f"{name}: {value}")
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


_OURS = frozenset({"content-length", "content-type", "transfer-encoding", "connection"})


def _breaks(text: str) -> bool:
    return "\r" in text or "\n" in text or "\0" in text
