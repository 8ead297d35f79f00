"""Requests handed on to the model server in the same pod: bodies both ways as they come, upgrades as they are.

Source: kserve 0.20 cmd/agent/main.go (buildServer), go net/http/httputil (ReverseProxy): Host stays, X-Forwarded-For
gets the caller's address, what concerns one connection is left out.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

from sampan.components.serving.engine.programs.wire.client import Answer, Origin, Pool
from sampan.components.serving.engine.programs.wire.heads import HeadError, Headers, end_to_end, get, names_in
from sampan.components.serving.engine.programs.wire.server import (
    DisconnectedError,
    Request,
    Response,
    Tunnel,
    text,
)

Body = bytes | AsyncIterator[bytes]
Seen = Callable[[bytes], None]
"""Told what passes in one direction of a connection."""
Next = Callable[[Request, Body], Awaitable[Response | Tunnel]]
"""What a request comes to next; the body may be another than the request's own."""
HOST = "127.0.0.1"


class Proxy:
    """For one event loop."""

    def __init__(self, port: int) -> None:
        self._origin = Origin(HOST, port)
        self._pool = Pool(most_kept=1000)

    async def __call__(self, request: Request, body: Body) -> Response | Tunnel:
        headers = _headers(request)
        upgrade = "upgrade" in names_in(request.headers, "connection") and request.get("upgrade")
        if upgrade:
            headers += [("Connection", "Upgrade"), ("Upgrade", upgrade)]
        if not request.has_body:
            body = b""
        elif isinstance(body, bytes):
            headers = [each for each in headers if each[0].lower() != "content-length"]
        try:
            answer = await self._pool.request(
                request.method, self._origin, request.head.target, headers, body
            )
        except DisconnectedError:
            raise
        except (OSError, HeadError) as error:
            print(
                f"{request.method} {request.path}: the model server has not answered: {error}",
                file=sys.stderr,
            )
            return text(
                502, f"the model server at port {self._origin.port} has not answered: {_reason(error)}"
            )
        if answer.status == 101:
            return _tunnel(answer)
        return Response(answer.status, end_to_end(answer.headers), answer.parts(), answer.reason)

    async def post(self, path: str, headers: Headers, body: bytes, most: int) -> tuple[int, bytes]:
        """A request of our own. Raises OSError, HeadError, TooLargeError."""
        answer = await self._pool.request("POST", self._origin, path, headers, body)
        return answer.status, await answer.read(most)

    async def http2(
        self, transport: asyncio.Transport, behind: bytes, asked: Seen | None = None, told: Seen | None = None
    ) -> asyncio.Protocol:
        """A connection that speaks HTTP/2, such as gRPC, led on as it is. Raises OSError."""
        loop = asyncio.get_running_loop()
        other, held = await loop.create_connection(_Held, self._origin.host, self._origin.port)
        return join(transport, behind, other, bytes(held.first), asked, told)

    async def close(self) -> None:
        await self._pool.close()


def _headers(request: Request) -> Headers:
    headers = [
        each for each in end_to_end(request.headers) if each[0].lower() not in ("x-forwarded-for", "expect")
    ]
    address = request.peer
    before = ", ".join(value for name, value in request.headers if name.lower() == "x-forwarded-for")
    forwarded = ", ".join(each for each in (before, address) if each)
    if forwarded:
        headers.append(("X-Forwarded-For", forwarded))
    if not get(headers, "host"):
        headers.append(("Host", "localhost"))
    return headers


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return "it broke off" if isinstance(error, ConnectionError) else "it is no HTTP"


def _tunnel(answer: Answer) -> Tunnel:
    """The two connections joined: after 101 nobody here knows what is spoken."""

    async def take(transport: asyncio.Transport, behind: bytes) -> asyncio.Protocol:
        other, first = answer.take_over()
        return join(transport, behind, other, first)

    kept = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
    return Tunnel(take, Response(101, kept, b"", answer.reason))


class _Held(asyncio.Protocol):
    """Until it is joined: the other side may speak first, and a loop may read although it was told to wait."""

    def __init__(self) -> None:
        self.first = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).pause_reading()

    def data_received(self, data: bytes) -> None:
        self.first += data


class _Half(asyncio.Protocol):
    """One end of two that are joined: what comes here goes to the other. Both close when both have said all."""

    def __init__(
        self,
        own: asyncio.Transport,
        other: asyncio.Transport,
        ended: set[asyncio.Transport],
        seen: Seen | None,
    ) -> None:
        self._own, self._other, self._ended, self._seen = own, other, ended, seen

    def data_received(self, data: bytes) -> None:
        self._other.write(data)
        if self._seen is not None:
            self._seen(data)

    def eof_received(self) -> bool:
        self._ended.add(self._own)
        if self._other in self._ended or not self._other.can_write_eof():
            return False
        self._other.write_eof()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        self._other.close()

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        self._other.resume_reading()


def join(
    transport: asyncio.Transport,
    behind: bytes,
    other: asyncio.Transport,
    first: bytes,
    asked: Seen | None = None,
    told: Seen | None = None,
) -> asyncio.Protocol:
    """The protocol for `transport`; `behind` and `first` were read of the two already. `asked` sees what comes from
    `transport`, `told` what comes from the other."""
    ended: set[asyncio.Transport] = set()
    other.set_protocol(_Half(other, transport, ended, told))
    if behind:
        other.write(behind)
        if asked is not None:
            asked(behind)
    if first:
        transport.write(first)
        if told is not None:
            told(first)
    other.resume_reading()
    return _Half(transport, other, ended, asked)
