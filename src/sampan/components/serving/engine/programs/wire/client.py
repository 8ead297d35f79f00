"""Connections that are made: kept by host and port, used again, streamed both ways.

A request is sent a second time only where none of it can have been read: on a new connection when one that was kept
turns out to be closed before the first byte is written.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from sampan.components.serving.engine.programs.wire.heads import (
    MOST_HEAD_BYTES,
    Body,
    HeadError,
    Headers,
    ResponseHead,
    get,
    names_in,
    read_response,
    response_body,
    write_head,
)

_BUFFERED = 256 * 1024
_KEPT_SECONDS = 4.0
"""Less than servers keep a connection that says nothing: uvicorn closes it after 5."""


@dataclass(frozen=True, slots=True)
class Origin:
    host: str
    port: int
    tls: bool = False

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def origin_of(url: str) -> tuple[Origin, str]:
    """And the target for a request there. Raises ValueError, which says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f'unsupported protocol scheme "{parts.scheme}"')
    if not parts.hostname:
        raise ValueError("no Host in request URL")
    tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in target + parts.hostname):
        raise ValueError("invalid character in URL")
    return Origin(parts.hostname, parts.port or (443 if tls else 80), tls), target


class TooLargeError(Exception):
    """An answer is larger than its reader takes."""


class Answer:
    """The head of an answer; the body is read once, by `read` or `parts`, or given up by `close`."""

    def __init__(self, head: ResponseHead, connection: _Connection, pool: Pool) -> None:
        self.status, self.reason, self.headers = head.status, head.reason, head.headers
        self._connection, self._pool = connection, pool

    def get(self, name: str, default: str = "") -> str:
        return get(self.headers, name, default)

    async def parts(self) -> AsyncIterator[bytes]:
        """Raises ConnectionError, HeadError where the answer breaks off."""
        try:
            async for part in self._connection.parts():
                yield part
        finally:
            self._pool.give_back(self._connection)

    async def read(self, most: int) -> bytes:
        """Raises TooLargeError, and what `parts` raises."""
        found, size = [], 0
        try:
            async for part in self._connection.parts():
                size += len(part)
                if size > most:
                    raise TooLargeError
                found.append(part)
        finally:
            self._pool.give_back(self._connection)
        return found[0] if len(found) == 1 else b"".join(found)

    def close(self) -> None:
        self._pool.give_back(self._connection)

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        """The connection itself, and what came behind the head, after 101."""
        return self._connection.hand_over()


class _Connection(asyncio.Protocol):
    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.kept_at = 0.0
        self.is_reusable = True
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._buffer = bytearray()
        self._parts: deque[bytes] = deque()
        self._buffered = 0
        self._body: Body | None = None
        self._method = ""
        self._head: asyncio.Future[ResponseHead] | None = None
        self._news: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._paused = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclasses.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_reusable = False
        self._writable.set()
        if self._body is not None and self._body.at_end():
            self._body.done = True
        else:
            self._error = self._error or ConnectionResetError(str(error) if error else "EOF")
        if self._head is not None and not self._head.done():
            self._head.set_exception(self._error or ConnectionResetError("EOF"))
        self._tell()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            if self._body is None:
                self._read_head()
            if self._body is not None:
                part = self._body.feed(self._buffer)
                if part:
                    self._parts.append(part)
                    self._buffered += len(part)
                    if self._buffered > _BUFFERED and not self._paused:
                        self._paused = True
                        self.transport.pause_reading()
                self._tell()
            elif self._head is None and self._buffer:
                # What nobody asked for.
                self._fail(HeadError(502, "unexpected data"))
        except HeadError as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.is_reusable = False
        self._error = self._error or error
        if self._head is not None and not self._head.done():
            self._head.set_exception(error)
        self._tell()
        self.transport.abort()

    def _read_head(self) -> None:
        while self._head is not None and not self._head.done():
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0 and len(self._buffer) <= MOST_HEAD_BYTES:
                return
            if end < 0 or end > MOST_HEAD_BYTES:
                raise HeadError(502, "the head of the answer is too large")
            head = read_response(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if 100 <= head.status < 200 and head.status != 101:
                continue
            if head.status == 101:
                self.is_reusable = False
                self.transport.pause_reading()
            else:
                self._body = response_body(head, self._method)
                is_framed = self._body.chunked or self._body.length is not None
                is_closing = "close" in names_in(head.headers, "connection")
                self.is_reusable = is_framed and bool(head.minor) and not is_closing
            self._head.set_result(head)
            return

    async def send(
        self, method: str, head: bytes, body: bytes | AsyncIterator[bytes], chunked: bool
    ) -> ResponseHead:
        """Raises ConnectionError, HeadError, and what `body` raises."""
        loop = asyncio.get_running_loop()
        self._method, self._body, self._error = method, None, None
        self._head = loop.create_future()
        if isinstance(body, bytes):
            self.transport.write(head + body)
            return await self._head
        self.transport.write(head)
        sending = loop.create_task(self._send_parts(body, chunked))
        try:
            await asyncio.wait((sending, self._head), return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and (error := sending.exception()) is not None and not self._head.done():
                raise error
            found = await self._head
        finally:
            if not sending.done():
                # Whoever answers before it has heard all wants no more of it.
                sending.cancel()
                self.is_reusable = False
                with suppress(asyncio.CancelledError, Exception):
                    await sending
        return found

    async def _send_parts(self, body: AsyncIterator[bytes], chunked: bool) -> None:
        async for part in body:
            await self._writable.wait()
            if self.transport.is_closing():
                return
            if part:
                self.transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            self.transport.write(b"0\r\n\r\n")

    async def parts(self) -> AsyncIterator[bytes]:
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._buffered -= len(part)
                yield part
            if self._body is None or self._body.done:
                return
            if self._error is not None:
                raise self._error
            if self._paused:
                self._paused = False
                self.transport.resume_reading()
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    @property
    def is_finished(self) -> bool:
        """Whether its last answer was read to the end."""
        return self._body is not None and self._body.done and not self._parts and not self._buffer

    def forget(self) -> None:
        self._body, self._head = None, None

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        behind = bytes(self._buffer)
        self._buffer.clear()
        return self.transport, behind

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class Pool:
    """For one event loop."""

    def __init__(self, most_kept: int = 64, context: ssl.SSLContext | None = None) -> None:
        self._most_kept, self._context = most_kept, context
        self._kept: dict[Origin, deque[_Connection]] = {}

    async def request(
        self,
        method: str,
        origin: Origin,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] = b"",
    ) -> Answer:
        """`headers` without Host, unless it is to be another, and without lengths for bodies of bytes. Raises OSError
        (ConnectionError among it), HeadError, ssl.SSLError."""
        chunked = not isinstance(body, bytes) and not get(headers, "content-length")
        more: Headers = [] if get(headers, "host") else [("Host", origin.authority)]
        if isinstance(body, bytes):
            headers = [each for each in headers if each[0].lower() != "content-length"]
            if body or method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
                more.append(("Content-Length", str(len(body))))
        elif chunked:
            more.append(("Transfer-Encoding", "chunked"))
        head = write_head(f"{method} {target} HTTP/1.1", [*more, *headers])
        connection = self._take(origin) or await self._connect(origin)
        try:
            found = await connection.send(method, head, body, chunked)
        except BaseException:
            connection.is_reusable = False
            connection.transport.abort()
            raise
        return Answer(found, connection, self)

    def give_back(self, connection: _Connection) -> None:
        kept = self._kept.setdefault(connection.origin, deque())
        usable = connection.is_reusable and connection.is_finished and not connection.transport.is_closing()
        if not usable or len(kept) >= self._most_kept:
            connection.is_reusable = False
            connection.transport.close()
            return
        connection.forget()
        connection.kept_at = now = time.monotonic()
        kept.append(connection)
        while now - kept[0].kept_at > _KEPT_SECONDS:
            kept.popleft().transport.close()

    async def close(self) -> None:
        for kept in self._kept.values():
            for connection in kept:
                connection.transport.close()
        self._kept.clear()

    def _take(self, origin: Origin) -> _Connection | None:
        """The one that was used last, as it is least likely to be closed at this moment."""
        kept = self._kept.get(origin)
        while kept:
            connection = kept.pop()
            if connection.is_reusable and not connection.transport.is_closing():
                if time.monotonic() - connection.kept_at < _KEPT_SECONDS:
                    return connection
                connection.transport.close()
        return None

    async def _connect(self, origin: Origin) -> _Connection:
        loop = asyncio.get_running_loop()
        if origin.tls and self._context is None:
            # Reading all that the system trusts takes as long as a hundred requests.
            self._context = ssl.create_default_context()
        context = self._context if origin.tls else None
        _, connection = await loop.create_connection(
            lambda: _Connection(origin), origin.host, origin.port, ssl=context
        )
        return connection
