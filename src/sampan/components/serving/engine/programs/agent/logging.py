"""Requests and answers seen on their way, and told as events: no request waits for that or fails by it.

Source: kserve 0.20 pkg/logger/handler.go: probes are left out, only answers with code 200 are told, an event has the
request's `ce-id` or one of its own. Not so here: a body goes on while it is read, bodies above a limit and events for
which there is no room are left out and counted, and answers to batched requests are told too. A call of gRPC is told as
its bytes, with an id of its own.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from sampan.components.serving.engine.programs.agent.arguments import LoggerOptions
from sampan.components.serving.engine.programs.agent.events import REQUEST, RESPONSE, Event
from sampan.components.serving.engine.programs.agent.frames import Direction
from sampan.components.serving.engine.programs.agent.proxy import Body, Next, Proxy
from sampan.components.serving.engine.programs.wire.heads import canonical
from sampan.components.serving.engine.programs.wire.server import Request, Response, Tunnel

MOST_BYTES = 32 * 1024 * 1024
"""Of a body that is told."""
_GRPC = "application/grpc"
Put = Callable[[Event], None]


class Logger:
    """For one event loop. `put` must be quick."""

    def __init__(self, options: LoggerOptions, put: Put, following: Next) -> None:
        self._options, self._put, self._following = options, put, following

    async def __call__(self, request: Request, body: Body) -> Response | Tunnel:
        seen = _Seen(self._options, self._put, request)
        response = await self._following(request, seen.request_body(request, body))
        if isinstance(response, Tunnel):
            return response
        return seen.response(response)

    async def http2(self, proxy: Proxy, transport: asyncio.Transport, behind: bytes) -> asyncio.Protocol:
        """A connection with calls of gRPC, led on as it is and told call by call. Raises OSError."""
        calls = _Calls(self._options.mode, self._put)
        return await proxy.http2(transport, behind, calls.asked.feed, calls.told.feed)


class _Calls:
    """Of one connection that speaks HTTP/2. gRPC's answers have code 200, whatever their status says."""

    def __init__(self, mode: str, put: Put) -> None:
        self._mode, self._put = mode, put
        self._ids: dict[int, str] = {}
        """Of calls of which one end has said all."""
        self.asked = Direction(MOST_BYTES, self._has_asked, is_client=True)
        self.told = Direction(MOST_BYTES, self._has_told, is_client=False)
        self.asked.reset = self.told.reset = self._broken_off

    def _has_asked(self, stream: int, data: bytes, size: int) -> None:
        name = self._name(stream)
        if self._mode != "response":
            self._tell(REQUEST, name, data, size)

    def _has_told(self, stream: int, data: bytes, size: int) -> None:
        name = self._name(stream)
        if self._mode != "request":
            self._tell(RESPONSE, name, data, size)

    def _name(self, stream: int) -> str:
        """The same for both ends, whichever is done first."""
        if stream in self._ids:
            return self._ids.pop(stream)
        self._ids[stream] = name = str(uuid.uuid4())
        return name

    def _broken_off(self, stream: int) -> None:
        self._ids.pop(stream, None)
        self.asked.forget(stream)
        self.told.forget(stream)

    def _tell(self, kind: str, name: str, data: bytes, size: int) -> None:
        if size > MOST_BYTES:
            _too_large(size)
            return
        self._put(Event(kind, name, data, _GRPC, datetime.now(UTC), {}))


class _Seen:
    """One request and its answer."""

    def __init__(self, options: LoggerOptions, put: Put, request: Request) -> None:
        self._mode, self._put = options.mode, put
        self._id = request.get("ce-id") or str(uuid.uuid4())
        self._content_type = request.get("content-type")
        self._metadata: dict[str, list[str]] = {}
        for name, value in request.headers:
            if name.lower() in options.headers:
                self._metadata.setdefault(canonical(name), []).append(value)

    def request_body(self, request: Request, body: Body) -> Body:
        if self._mode == "response":
            return body
        at = datetime.now(UTC)
        if isinstance(body, bytes) or not request.has_body:
            self._tell(REQUEST, body if isinstance(body, bytes) else b"", at)
            return body
        return self._through(body, REQUEST, at)

    def response(self, response: Response) -> Response:
        if self._mode == "request" or response.status != 200:
            return response
        if isinstance(response.body, bytes):
            self._tell(RESPONSE, response.body, datetime.now(UTC))
        else:
            response.body = self._through(response.body, RESPONSE, None)
        return response

    async def _through(
        self, body: AsyncIterator[bytes], kind: str, at: datetime | None
    ) -> AsyncIterator[bytes]:
        """`body` as it is, told when it has ended. `at` None: then."""
        parts: list[bytes] = []
        size = 0
        async for part in body:
            size += len(part)
            if size <= MOST_BYTES:
                parts.append(part)
            else:
                parts.clear()
            yield part
        if size <= MOST_BYTES:
            self._tell(kind, b"".join(parts), at or datetime.now(UTC))
        else:
            _too_large(size)

    def _tell(self, kind: str, data: bytes, at: datetime) -> None:
        self._put(Event(kind, self._id, data, self._content_type, at, self._metadata))


def _too_large(size: int) -> None:
    print(f"a body of {size} bytes is too large to be logged", file=sys.stderr, flush=True)
