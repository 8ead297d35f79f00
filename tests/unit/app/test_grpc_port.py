"""How many connections the second port takes, and of whom."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sampan.app import grpc_port
from sampan.app.grpc_port import GrpcPort
from sampan.app.http import HttpServer
from sampan.testing.connections import Listener, close, connected

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Open = Callable[[str], Awaitable[Ends]]


class Library:
    """Stands for gRPC: answers what it is told."""

    def __init__(self) -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(1024):
                writer.write(data)

        self._listener = Listener(echo)

    async def start(self) -> int:
        return (await self._listener.start()).port

    async def stop(self, grace: float) -> None:
        await self._listener.stop()


def play(scenario: Callable[[Open], Awaitable[None]]) -> None:
    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        port, library, ends = GrpcPort(listener, []), Library(), []
        port._port, port._server = await library.start(), library
        await port.start()

        async def connect(source: str) -> Ends:
            found = await asyncio.open_connection(*listener.getsockname(), local_addr=(source, 0))
            ends.append(found[1])
            found[1].write(PREFACE)
            return found

        try:
            async with asyncio.timeout(60):
                await scenario(connect)
        finally:
            await close(*ends)
            await port.stop()
            listener.close()

    asyncio.run(main())


async def is_served(ends: Ends) -> bool:
    try:
        return await ends[0].readexactly(len(PREFACE)) == PREFACE
    except (asyncio.IncompleteReadError, ConnectionError):
        return False


def test_one_address_shuts_out_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_port, "_MOST_OF_ONE", 2)
    monkeypatch.setattr(grpc_port, "_MOST_OF_MACHINE", 3)

    async def scenario(connect: Open) -> None:
        first = await connect("127.0.0.2")
        assert await is_served(first)
        assert await is_served(await connect("127.0.0.2"))
        assert not await is_served(await connect("127.0.0.2"))
        assert await is_served(await connect("127.0.0.3"))
        assert [await is_served(await connect("127.0.0.1")) for _ in range(4)] == [True, True, True, False]
        assert await is_served(await connect("127.0.0.3"))
        first[1].close()
        while not await is_served(await connect("127.0.0.2")):
            await asyncio.sleep(0.01)

    play(scenario)


def test_a_connection_counts_once_though_it_has_two_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_port, "_MOST_CONNECTIONS", 3)

    async def scenario(connect: Open) -> None:
        for number in (2, 3, 4):
            assert await is_served(await connect(f"127.0.0.{number}"))
        assert not await is_served(await connect("127.0.0.5"))

    play(scenario)


def test_what_begins_as_http2_at_the_other_port_is_handed_over() -> None:
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"hi"})

    async def main() -> None:
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        port, library = GrpcPort(listeners[0], []), Library()
        port._port, port._server = await library.start(), library
        await port.start()
        http = HttpServer(hello, listeners[1], adopt=port.adopt)
        await http.start()
        try:
            async with asyncio.timeout(60):
                for _ in range(2):
                    async with connected(*listeners[1].getsockname()) as (reader, writer):
                        writer.write(PREFACE + b"more")
                        assert await reader.readexactly(len(PREFACE) + 4) == PREFACE + b"more"
                    async with connected(*listeners[1].getsockname()) as (reader, writer):
                        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                        assert (await reader.readuntil(b"hi")).startswith(b"HTTP/1.1 200")
                        # Later on it is not the beginning.
                        writer.write(PREFACE)
                        assert b"400 Bad Request" in await reader.read()
        finally:
            await http.stop()
            await port.stop()
            for each in listeners:
                each.close()

    asyncio.run(main())
