"""Servers and requests for tests of the programs that speak HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import uvloop

from sampan.components.serving.engine.programs.wire.client import Pool, origin_of
from sampan.components.serving.engine.programs.wire.heads import Headers, get
from sampan.components.serving.engine.programs.wire.running import Server
from sampan.components.serving.engine.programs.wire.server import Request, Response

Handle = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def get(self, name: str) -> str:
        return get(self.headers, name)


def play(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In both event loops that the programs may have."""
    asyncio.run(main())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@contextlib.asynccontextmanager
async def served(handler: Handle) -> AsyncIterator[str]:
    server = Server(handler)
    port = await server.listen(0, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.close(0.2)


async def ask(url: str, value: Any = None, method: str = "POST", **headers: str) -> Got:
    """`value` is sent as JSON; bytes as they are, and an iterator of bytes part by part."""
    origin, target = origin_of(url)
    body = value
    if not isinstance(value, bytes | AsyncIterator):
        body = b"" if value is None else json.dumps(value).encode()
    pool = Pool()
    sent = [(name.replace("_", "-"), text) for name, text in headers.items()]
    try:
        answer = await pool.request(method, origin, target, sent, body)
        return Got(answer.status, answer.headers, await answer.read(10**9))
    finally:
        await pool.close()


def json_answer(value: Any, status: int = 200) -> Response:
    return Response(status, [("Content-Type", "application/json")], json.dumps(value).encode())


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
