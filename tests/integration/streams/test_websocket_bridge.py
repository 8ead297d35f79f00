"""WebSockets of an ASGI application over our server, spoken to by another implementation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sampan.testing.apiserver import loopback
from sampan.testing.connections import connected
from sampan.web.websockets import WebSocketBridge

LIMIT = 64 * 1024


class Echo:
    """Says everything back; `close` closes, `/refuse` is not accepted."""

    def __init__(self) -> None:
        self.seen: list[Scope] = []
        self.left: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"plain"})
            return
        socket = WebSocket(scope, receive, send)
        if scope["path"] == "/refuse":
            await socket.close()
            return
        await socket.accept(subprotocol=(scope["subprotocols"] or [None])[0])
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(message["code"])
                if message.get("text") == "close":
                    await socket.close(4001, "as asked")
                    return
                await socket.send({**message, "type": "websocket.send"})
        except WebSocketDisconnect as error:
            self.left.append(error.code)


def talk(scenario: Callable[[str, Echo], Awaitable[None]]) -> None:
    async def run() -> None:
        app = Echo()
        async with loopback(WebSocketBridge(app, LIMIT)) as url:
            await asyncio.wait_for(scenario(url.replace("http", "ws"), app), 60)

    asyncio.run(run())


async def _ask(socket: ClientConnection, said: Any) -> Any:
    await socket.send(said)
    return await socket.recv()


def test_messages_go_both_ways_whole() -> None:
    async def scenario(url: str, app: Echo) -> None:
        async with connect(url + "/a?b=c", compression=None, subprotocols=["x", "y"]) as socket:  # type: ignore[list-item]
            assert socket.subprotocol == "x"
            assert await _ask(socket, "grüße 😀") == "grüße 😀"
            assert await _ask(socket, b"\0\xff") == b"\0\xff"
            assert await _ask(socket, ["in ", "three ", "pieces"]) == "in three pieces"
            assert await _ask(socket, "x" * LIMIT) == "x" * LIMIT
        scope = app.seen[0]
        assert (scope["type"], scope["scheme"], scope["path"], scope["query_string"]) == (
            "websocket",
            "ws",
            "/a",
            b"b=c",
        )

    talk(scenario)


def test_the_end_is_told_to_both() -> None:
    async def scenario(url: str, app: Echo) -> None:
        async with connect(url) as socket:
            await socket.send("close")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as asked")
        async with connect(url):
            pass
        while not app.left:
            await asyncio.sleep(0.02)

    talk(scenario)


def test_a_message_beyond_the_limit_ends_the_connection() -> None:
    async def scenario(url: str, app: Echo) -> None:
        async with connect(url, compression=None) as socket:
            await socket.send("x" * (LIMIT + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009

    talk(scenario)


def test_what_is_no_websocket_passes_and_a_refusal_is_an_answer() -> None:
    async def scenario(url: str, app: Echo) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url + "/refuse")
        assert refused.value.response.status_code == 403
        host, port = url.removeprefix("ws://").split(":")
        async with connected(host, int(port)) as (reader, writer):
            writer.write(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n"
            )
            assert b" 400 " in await reader.readline()
        async with connected(host, int(port)) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"plain" in await reader.read()

    talk(scenario)
