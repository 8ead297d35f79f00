"""One connection: bytes to requests, answers to bytes, in order. Made by `http.server`.

Answers are written where they are made, by a plain call: no task is made for a request, and none waits for another on
the way. Of pipelined requests one is at work at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

import httptools

from sampan.components.serving.engine.programs.modelserver.http.limits import Limits
from sampan.components.serving.engine.programs.modelserver.http.messages import (
    Reply,
    Request,
    Response,
    Stream,
    error,
    head_of,
)
from sampan.components.serving.engine.programs.modelserver.http.unpacking import UnpackError, unpacked

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_END = b"\r\n\r\n"
_PLAIN = ("", "identity")


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = error(status, message)


class Host(Protocol):
    """What a connection is to the server that accepted it."""

    limits: Limits
    is_draining: bool
    handle: Callable[[Request, Reply], None]
    """Never raises."""

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...

    def failed(self, problem: Exception) -> None: ...


class Connection(asyncio.Protocol):
    """Implements httptools' callbacks too. `waits_since` and `deadline` are read by the server's sweep."""

    __slots__ = (
        "_body",
        "_ending",
        "_headers",
        "_keep_alive",
        "_limits",
        "_overhead",
        "_parser",
        "_pending",
        "_refused",
        "_request",
        "_request",
        "_server",
        "_size",
        "_started",
        "_stream",
        "_transport",
        "_url",
        "_writable",
        "deadline",
        "is_busy",
    )

    def __init__(self, server: Host) -> None:
        self._server = server
        self._limits = server.limits
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._pending: deque[tuple[Request, bool]] = deque()
        self.is_busy = False
        self._keep_alive = True
        self._ending = False
        self._refused: Response | None = None
        self._stream: asyncio.Task[None] | None = None
        self._request: Request | None = None
        self._writable: asyncio.Event | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = self._overhead = 0
        self._started = 0.0
        self.deadline = time.monotonic() + self._limits.head_seconds

    # asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._pending.clear()
        if self._stream is not None:
            self._stream.cancel()
        elif self.is_busy and self._request is not None and self._request.gone is not None:
            self._request.gone()
        self._server.closed(self)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        if not self._started and not self.is_busy:
            self._started = time.monotonic()
            self.deadline = self._started + self._limits.head_seconds
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
            if self._overhead > self._limits.head_bytes:
                raise _RefusedError(431, f"the head of a request has {self._limits.head_bytes} bytes at most")
        except httptools.HttpParserUpgrade:
            # Nothing is upgraded to: what was asked is answered, and what follows cannot be told from it.
            self._ending = True
        except (_RefusedError, httptools.HttpParserError) as problem:
            self._refuse(problem)

    def eof_received(self) -> bool:
        # A client that has said all it will may still wait for the answer.
        self._ending = True
        return self.is_busy or bool(self._pending)

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()
        self.deadline = time.monotonic() + self._limits.write_seconds

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
        self._writable = None
        self.deadline = time.monotonic() + self._limits.idle_seconds

    # httptools'

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._body = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers = self._headers
        if key in headers:
            text = f"{headers[key]},{text}"
        elif len(headers) >= self._limits.headers:
            raise _RefusedError(431, f"a request has {self._limits.headers} headers at most")
        headers[key] = text

    def on_headers_complete(self) -> None:
        length = self._headers.get("content-length")
        if length is not None and int(length) > self._limits.body_bytes:
            raise _RefusedError(413, f"a request has {self._limits.body_bytes} bytes at most")
        if self._started:
            self.deadline = time.monotonic() + self._limits.body_seconds
        if self._headers.get("expect", "").lower() == "100-continue" and not self.is_busy:
            self._write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._limits.body_bytes:
            raise _RefusedError(413, f"a request has {self._limits.body_bytes} bytes at most")
        self._body.append(body)
        # What frames a chunk counts as head, be it in trailers or in what may stand beside a chunk's length.
        self._overhead = max(0, self._overhead - 9 * len(body))
        self.deadline = max(self.deadline, self._started + self._limits.body_seconds + self._size / 1024)

    def on_message_complete(self) -> None:
        self._started = 0.0
        self._overhead = 0
        parts = self._body
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._body = []
        headers = self._headers
        encoding = headers.get("content-encoding")
        if encoding is not None and encoding.lower() not in _PLAIN:
            try:
                body = unpacked(body, encoding.lower(), self._limits.body_bytes)
            except UnpackError as problem:
                raise _RefusedError(problem.status, problem.message) from problem
        url, _, query = self._url.decode("latin-1").partition("?")
        if "%" in url:
            url = urllib.parse.unquote(url)
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, url, query, headers, body)
        keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        if self.is_busy:
            self._pending.append((request, keep_alive))
            if len(self._pending) >= self._limits.pipelined and self._transport is not None:
                self._transport.pause_reading()
        else:
            self._begin(request, keep_alive)

    # Answers

    def _begin(self, request: Request, keep_alive: bool) -> None:
        self.is_busy = True
        self._keep_alive = keep_alive
        self._request = request
        self._server.handle(request, self._answerer(request.method == "HEAD"))

    def _answerer(self, is_head: bool) -> Callable[[Response | Stream], None]:
        return self._answer_head if is_head else self._answer

    def _answer_head(self, answer: Response | Stream) -> None:
        if isinstance(answer, Stream):
            self._answer(answer)
            return
        keep_alive = self._stays()
        self._write(
            head_of(
                answer.status, answer.content_type, answer.headers, len(answer.body), keep_alive=keep_alive
            )
        )
        self._done(keep_alive)

    def _answer(self, answer: Response | Stream) -> None:
        if self._transport is None:
            self.is_busy = False
            if isinstance(answer, Stream):
                self._server.spawn(_discard(answer))
            return
        if isinstance(answer, Stream):
            self._stream = self._server.spawn(self._pour(answer))
            return
        keep_alive = self._stays()
        body = answer.body
        if (
            answer.status == 200
            and keep_alive
            and not answer.headers
            and answer.content_type == "application/json"
        ):
            self._write(b"%b%d%b%b" % (_OK, len(body), _END, body))
        else:
            head = head_of(
                answer.status, answer.content_type, answer.headers, len(body), keep_alive=keep_alive
            )
            self._write(head + body)
        self._done(keep_alive)

    async def _pour(self, answer: Stream) -> None:
        """HTTP/1.1's chunks. A model that fails midway ends the connection without the last one."""
        keep_alive = self._stays()
        try:
            self._write(head_of(200, answer.content_type, answer.headers, None, keep_alive=keep_alive))
            async for piece in answer.pieces:
                if piece:
                    self._write(b"%x\r\n%b\r\n" % (len(piece), piece))
                if self._writable is not None:
                    await self._writable.wait()
            self._write(b"0\r\n\r\n")
        except Exception as problem:
            self._server.failed(problem)
            keep_alive = False
            self._ending = True
        finally:
            self._stream = None
            close = getattr(answer.pieces, "aclose", None)
            if close is not None:
                with contextlib.suppress(Exception):
                    await close()
        self._done(keep_alive)

    def _stays(self) -> bool:
        return self._keep_alive and not self._server.is_draining and not (self._ending and not self._pending)

    def _done(self, keep_alive: bool) -> None:
        self.is_busy = False
        self._request = None
        transport = self._transport
        if transport is None:
            return
        self.deadline = time.monotonic() + self._limits.idle_seconds
        if not keep_alive:
            transport.close()
        elif self._pending:
            request, stays = self._pending.popleft()
            if len(self._pending) < self._limits.pipelined and not self._ending:
                transport.resume_reading()
            # Not from within: a thousand pipelined requests would be a thousand frames deep.
            asyncio.get_running_loop().call_soon(self._begin, request, stays)
            self.is_busy = True
        elif self._refused is not None:
            self._close_with(self._refused)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _refuse(self, problem: Exception) -> None:
        """The client is told when its requests before are answered, and the connection ends."""
        while isinstance(problem, httptools.HttpParserCallbackError) and problem.__context__ is not None:
            problem = problem.__context__  # type: ignore[assignment]
        answer = (
            problem.answer
            if isinstance(problem, _RefusedError)
            else error(400, "this is no request of HTTP/1.1")
        )
        self._ending = True
        if self.is_busy or self._pending:
            self._refused = answer
        else:
            self._close_with(answer)

    def _close_with(self, answer: Response) -> None:
        self._write(
            head_of(answer.status, answer.content_type, answer.headers, len(answer.body), keep_alive=False)
            + answer.body
        )
        if self._transport is not None:
            self._transport.close()

    # The server's

    def expire(self, now: float) -> None:
        """Past its deadline: ends what is too slow, or idle. A model may take as long as it takes."""
        transport = self._transport
        if transport is None:
            return
        if self._writable is not None:
            transport.abort()
        elif self.is_busy:
            self.deadline = now + self._limits.idle_seconds
        elif self._started:
            self._ending = True
            self._close_with(error(408, "the request did not come within the time for it"))
        else:
            transport.close()

    def close_idle(self) -> None:
        if self._transport is not None and not self.is_busy and not self._pending:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _discard(answer: Stream) -> None:
    close = getattr(answer.pieces, "aclose", None)
    if close is not None:
        await close()
