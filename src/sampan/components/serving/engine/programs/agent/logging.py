"""Requests and answers seen on their way, and told as events: no request waits for that or fails by it.

Source: kserve 0.20 pkg/logger/handler.go: probes are left out, only answers with code 200 are told, an event has the
request's `ce-id` or one of its own. Not so here: a body goes on while it is read, bodies above a limit and events for
which there is no room are left out and counted, and answers to batched requests are told too.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from sampan.components.serving.engine.programs.agent.arguments import LoggerOptions
from sampan.components.serving.engine.programs.agent.events import REQUEST, RESPONSE, Event
from sampan.components.serving.engine.programs.agent.proxy import Body, Next
from sampan.components.serving.engine.programs.wire.heads import canonical
from sampan.components.serving.engine.programs.wire.server import Request, Response, Tunnel

MOST_BYTES = 32 * 1024 * 1024
"""Of a body that is told."""
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
            print(f"a body of {size} bytes is too large to be logged", file=sys.stderr, flush=True)

    def _tell(self, kind: str, data: bytes, at: datetime) -> None:
        self._put(Event(kind, self._id, data, self._content_type, at, self._metadata))
