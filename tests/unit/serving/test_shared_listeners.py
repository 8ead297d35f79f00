"""Processes that share a listener take turns; here two servers of one event loop stand for them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from sampan.components.serving.engine.programs.modelserver.http.server import HttpServer

COUNT = 20


async def until(count: list[str]) -> None:
    async with asyncio.timeout(60):
        while len(count) < COUNT:
            await asyncio.sleep(0.01)


def test_connections_that_wait_are_shared() -> None:
    """They stay for many requests: whoever has them all does all the work."""

    async def main() -> None:
        asked: list[str] = []

        def server(name: str) -> HttpServer:
            def handle(request: Any, reply: Any) -> None:
                asked.append(name)

            return HttpServer(handle)

        first, second = server("first"), server("second")
        listener = socket.create_server(("127.0.0.1", 0), backlog=2 * COUNT)
        clients = [socket.create_connection(listener.getsockname()) for _ in range(COUNT)]
        for each in clients:
            each.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await first.start(listener, shared=True)
        await second.start(listener.dup(), shared=True)
        await until(asked)
        assert asked.count("first") >= COUNT // 4
        assert asked.count("second") >= COUNT // 4
        # One that ends leaves the others what comes.
        await first.stop(0)
        asked.clear()
        clients += [socket.create_connection(clients[0].getpeername()) for _ in range(COUNT)]
        for each in clients[COUNT:]:
            each.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await until(asked)
        assert set(asked) == {"second"}
        await second.stop(0)
        for each in clients:
            each.close()

    asyncio.run(main())
