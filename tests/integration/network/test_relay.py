"""The relay alone: what comes before both of its ends are there."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sampan.cluster.network.directory import Listener, ServiceDirectory, View
from sampan.cluster.network.relay import Relay
from sampan.reconcile.cache import Caches
from sampan.testing.connections import Listener as Server
from sampan.testing.connections import close, free_port, listening

_BANNER = b"who speaks first\n"


class _NoPods:
    def of(self, *_: Any) -> Any:
        return self

    def add_handler(self, *_: Any) -> None:
        pass


class _Directory:
    def __init__(self) -> None:
        self.tell: Listener = lambda _: None

    def add_listener(self, listener: Listener) -> None:
        self.tell = listener


@pytest.mark.parametrize("goes_at_once", [False, True])
def test_a_server_may_speak_before_its_end_is_joined(monkeypatch: Any, goes_at_once: bool) -> None:
    """As those of gRPC do; uvloop may hand over what comes with the connection before the connection itself."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_BANNER)
        if not goes_at_once:
            writer.write(await reader.readline())

    async def scenario(there: Server, relay: Relay, directory: _Directory) -> None:
        port = free_port()
        spec = {"spec": {"ports": [{"port": port}]}, "metadata": {"name": "first"}}
        directory.tell({("ns", "first"): View(spec, "127.0.0.1", {f"TCP/{port}": [there.address]})})
        await close((await _connected(port))[1])
        _hand_over_late(monkeypatch, there.port)
        reader, writer = await _connected(port)
        assert await reader.readline() == _BANNER
        if not goes_at_once:
            writer.write(b"an answer\n")
            assert await reader.readline() == b"an answer\n"
        assert await reader.read() == b""
        await close(writer)

    async def main() -> None:
        directory = _Directory()
        relay = Relay(cast(Caches, _NoPods()), cast(ServiceDirectory, directory))
        async with asyncio.timeout(60), listening(serve) as there:
            await relay.start()
            try:
                await scenario(there, relay, directory)
            finally:
                await relay.stop()

    asyncio.run(main())


def _hand_over_late(monkeypatch: Any, target: int) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def late(protocol: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        found = await connect(protocol, host, port, **options)
        if port == target:
            await asyncio.sleep(0.1)
        return found

    monkeypatch.setattr(loop, "create_connection", late)


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Once it listens."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
