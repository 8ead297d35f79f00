"""Connections that are accepted: requests one after the other on each, bodies as streams with back-pressure.

A handler is called for each request. Nothing that it raises, and nothing that comes over a connection, ends the server.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

from sampan.components.serving.engine.programs.wire.heads import (
    MOST_HEAD_BYTES,
    Body,
    HeadError,
    Headers,
    RequestHead,
    get,
    names_in,
    read_request,
    request_body,
    write_head,
)

_BUFFERED = 256 * 1024
"""Of a body that nobody has read yet; more waits with its sender."""
_MOST_DRAINED = 4 * 1024 * 1024
"""Of a body that a handler left; for more the connection is closed."""
_HTTP2 = b"PRI * HTTP/2.0\r\n"


@dataclass(frozen=True, slots=True)
class Limits:
    head_seconds: float = 60.0
    """From the first byte of a request until its head is whole."""
    read_seconds: float = 0.0
    """Until the whole request is there; 0 for any time."""
    idle_seconds: float = 180.0
    """Between requests."""
    connections: int = 2048


@dataclass(slots=True)
class Response:
    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] = b""
    reason: str = ""


class DisconnectedError(ConnectionError):
    """Whoever asked has gone."""


class TooLargeError(Exception):
    """A body is larger than its reader takes."""


Take = Callable[[asyncio.Transport, bytes], Awaitable[asyncio.Protocol]]
"""Takes a connection over, with the bytes that were read of it already; answers with the protocol that goes on."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What a handler answers whose connection is to speak something else from now on."""

    take: Take
    head: Response


class Request:
    """One request. Its body is read once: by `read` or by `parts`."""

    def __init__(self, head: RequestHead, body: Body, connection: Connection) -> None:
        self.head, self.headers, self.method = head, head.headers, head.method
        self._body, self._connection = body, connection
        self._parts: deque[bytes] = deque()
        self._buffered = 0
        self._error: Exception | None = None
        self._news: asyncio.Future[None] | None = None

    def get(self, name: str, default: str = "") -> str:
        return self.head.get(name, default)

    @property
    def peer(self) -> str:
        """The caller's address."""
        found = self._connection.transport.get_extra_info("peername")
        return str(found[0]) if isinstance(found, tuple) and found else ""

    @property
    def path(self) -> str:
        return self.head.path

    @property
    def has_body(self) -> bool:
        return self._body.chunked or bool(self._body.length)

    @property
    def length(self) -> int | None:
        """None for a chunked body."""
        return None if self._body.chunked else self._body.length

    async def parts(self) -> AsyncIterator[bytes]:
        """Raises DisconnectedError, HeadError for broken chunks, TimeoutError."""
        self._connection.go_on()
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._buffered -= len(part)
                yield part
            if self._body.done:
                return
            if self._error is not None:
                raise self._error
            self._connection.resume()
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    async def read(self, most: int) -> bytes:
        """All of it. Raises TooLargeError, and what `parts` raises."""
        if (self.length or 0) > most:
            raise TooLargeError
        if self._body.done and len(self._parts) == 1:
            self._buffered = 0
            return self._parts.popleft()
        found, size = [], 0
        async for part in self.parts():
            size += len(part)
            if size > most:
                raise TooLargeError
            found.append(part)
        return b"".join(found)

    # For the connection.

    def feed(self, buffer: bytearray) -> bool:
        """Whether the body is whole. Raises HeadError."""
        part = self._body.feed(buffer)
        if part:
            self._parts.append(part)
            self._buffered += len(part)
        self._tell()
        return self._body.done

    @property
    def is_full(self) -> bool:
        return self._buffered > _BUFFERED

    @property
    def is_whole(self) -> bool:
        return self._body.done

    def fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


Handler = Callable[[Request], Awaitable[Response | Tunnel]]


class Connection(asyncio.Protocol):
    """For one event loop. Reads ahead no further than the request that is being answered."""

    def __init__(
        self, handler: Handler, limits: Limits, connections: set[Connection], http2: Take | None = None
    ) -> None:
        """`http2` gets connections that begin so."""
        self._handler, self._limits, self._all, self._http2 = handler, limits, connections, http2
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._request: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._wants_continue = self._paused = self._last = self._is_reading_head = False
        self.transport: asyncio.Transport = None  # type: ignore[assignment]

    @property
    def is_idle(self) -> bool:
        return self._request is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclasses.
        self.transport = transport = cast(asyncio.Transport, transport)
        if len(self._all) >= self._limits.connections:
            transport.abort()
            return
        self._all.add(self)
        self._wait(self._limits.idle_seconds)

    def connection_lost(self, _error: Exception | None) -> None:
        self._all.discard(self)
        self._wait(0)
        self._writable.set()
        if self._request is not None:
            self._request.fail(DisconnectedError("the caller has gone"))
        if self._task is not None and not self._task.done():
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._request is None:
            self._begin()
        elif not self._request.is_whole:
            self._feed(self._request)
        elif len(self._buffer) > _BUFFERED:
            self._pause()

    def eof_received(self) -> bool:
        """A half-closed connection is as good as closed, save while its whole request is being answered."""
        return self._request is not None and self._request.is_whole

    def go_on(self) -> None:
        """The body is wanted: a sender that asked first is told to send it (RFC 9110 10.1.1)."""
        if self._wants_continue:
            self._wants_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    def close_when_idle(self) -> None:
        self._last = True
        if self._request is None:
            self.transport.close()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _wait(self, seconds: float) -> None:
        """Closes the connection unless something comes within that time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._too_slow) if seconds else None

    def _too_slow(self) -> None:
        if self._request is None or self._request.is_whole:
            self.transport.close()
        else:
            self._request.fail(TimeoutError("the request did not come in time"))

    def _begin(self) -> None:
        while self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
        if self._buffer.startswith(_HTTP2):
            self._other_protocol()
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 and len(self._buffer) <= MOST_HEAD_BYTES:
            if self._buffer and not self._is_reading_head:
                # Not set anew by each byte: who sends one at a time has no longer.
                self._is_reading_head = True
                self._wait(self._limits.head_seconds)
            return
        self._is_reading_head = False
        try:
            if end < 0 or end > MOST_HEAD_BYTES:
                raise HeadError(431, "the head is too large")
            head = read_request(bytes(self._buffer[:end]))
            body = request_body(head)
        except HeadError as error:
            self._refuse(error)
            return
        del self._buffer[: end + 4]
        self._wait(self._limits.read_seconds)
        self._wants_continue = head.get("expect").lower() == "100-continue" and head.minor == 1
        self._request = request = Request(head, body, self)
        self._feed(request)
        self._task = self._loop.create_task(self._answer(request))

    def _feed(self, request: Request) -> None:
        if request.is_whole:
            return
        try:
            if request.feed(self._buffer):
                self._wait(0)
            elif request.is_full:
                self._pause()
        except HeadError as error:
            self._last = True
            request.fail(error)

    def _refuse(self, error: HeadError) -> None:
        self._wait(0)
        self._last = True
        response = text(error.status, error.message)
        self._write_head(response, [("Content-Length", str(len(response.body)))], "HTTP/1.1")  # type: ignore[arg-type]
        assert isinstance(response.body, bytes)
        self.transport.write(response.body)
        self.transport.close()

    async def _answer(self, request: Request) -> None:
        try:
            response = await self._handled(request)
            if isinstance(response, Tunnel):
                await self._tunnel(response)
                return
            await self._write(request, response)
            if not request.is_whole and not self._last:
                await self._drain(request)
        except (ConnectionError, TimeoutError, HeadError):
            self.transport.abort()
            return
        except Exception as error:
            # The answer broke off: what came of it must not look whole.
            print(f"answering {request.path} failed: {error!r}", file=sys.stderr, flush=True)
            self.transport.abort()
            return
        self._request = self._task = None
        if self._last:
            self.transport.close()
            return
        self.resume()
        self._wait(self._limits.idle_seconds)
        if self._buffer:
            self._begin()

    async def _handled(self, request: Request) -> Response | Tunnel:
        try:
            return await self._handler(request)
        except HeadError as error:
            return text(error.status, error.message)
        except TooLargeError:
            self._last = True
            return text(413, "the body is too large")
        except DisconnectedError:
            raise
        except TimeoutError:
            self._last = True
            return text(408, "the request did not come in time")
        except Exception as error:
            print(f"{request.method} {request.path} failed: {error!r}", file=sys.stderr, flush=True)
            return text(500, "internal error")

    async def _write(self, request: Request, response: Response) -> None:
        if "close" in names_in(request.headers, "connection") or not request.head.minor:
            self._last = True
        if "close" in names_in(response.headers, "connection"):
            self._last = True
        has_body = request.method != "HEAD" and response.status not in (204, 304)
        if isinstance(response.body, bytes):
            length = (
                []
                if get(response.headers, "content-length") or response.status in (204, 304)
                else [("Content-Length", str(len(response.body)))]
            )
            self._write_head(response, length, "HTTP/1.1", response.body if has_body else b"")
            await self._writable.wait()
            return
        chunked = not get(response.headers, "content-length") and request.head.minor == 1 and has_body
        if not chunked and not get(response.headers, "content-length"):
            self._last = True
        self._write_head(response, [("Transfer-Encoding", "chunked")] if chunked else [], "HTTP/1.1")
        async for part in response.body:
            if part and has_body:
                self.transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                await self._writable.wait()
            if self.transport.is_closing():
                raise DisconnectedError("the caller has gone")
        if chunked:
            self.transport.write(b"0\r\n\r\n")

    def _write_head(self, response: Response, more: Headers, version: str, body: bytes = b"") -> None:
        closing = [("Connection", "close")] if self._last else []
        first = f"{version} {response.status} {response.reason or _reason(response.status)}"
        headers = [each for each in response.headers if each[0].lower() != "connection"]
        self.transport.write(write_head(first, [*headers, *more, *closing]) + body)

    async def _drain(self, request: Request) -> None:
        """Reads what the handler left of the body, so that the next request is found behind it."""
        if self._wants_continue:
            # It was never asked for, and may come or not: nobody knows what follows.
            self._last = True
            return
        try:
            await request.read(_MOST_DRAINED)
        except TooLargeError:
            self._last = True

    def _other_protocol(self) -> None:
        if self._http2 is None:
            self._refuse(HeadError(505, "HTTP/1.1 is spoken here"))
            return
        self._pause()
        self._task = self._loop.create_task(self._hand_over(self._http2))

    async def _tunnel(self, tunnel: Tunnel) -> None:
        head = tunnel.head
        self.transport.write(
            write_head(f"HTTP/1.1 {head.status} {head.reason or _reason(head.status)}", head.headers)
        )
        await self._hand_over(tunnel.take)

    async def _hand_over(self, take: Take) -> None:
        self._wait(0)
        behind = bytes(self._buffer)
        self._buffer.clear()
        try:
            protocol = await take(self.transport, behind)
        except OSError:
            self.transport.abort()
            return
        self._all.discard(self)
        self.transport.set_protocol(protocol)
        self.resume()


def text(status: int, message: str) -> Response:
    return Response(status, [("Content-Type", "text/plain; charset=utf-8")], message.encode() + b"\n")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
