"""Pods of a cluster elsewhere: each connection is a forwarded port, kept and used again as any other is."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.components.serving.controller.gateway.reach import Forwarded
from sampan.kube.errors import NotFoundError
from sampan.testing.connections import close
from sampan.testing.gateways import Asked, Rig, backend, request, say


class Far:
    """A `client.streams.Duplex` over a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.is_closed = False

    async def read(self) -> bytes:
        return await self._reader.read(65536)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        self._writer.write_eof()

    async def close(self) -> None:
        self.is_closed = True
        await close(self._writer)


class Cluster:
    """Of `client.protocol.Client`, the one call."""

    def __init__(self) -> None:
        self.opened: list[Far] = []
        self.asked: list[tuple[str, str]] = []

    async def connect(self, pod: str, namespace: str, port: int) -> Far:
        self.asked.append((pod, namespace))
        if pod == "gone":
            raise NotFoundError('pods "gone" not found')
        far = Far(*await asyncio.open_connection("127.0.0.1", port))
        self.opened.append(far)
        return far


def with_cluster(rig: Rig) -> Cluster:
    cluster = Cluster()
    made: Any = cluster
    rig.core._dialler = Forwarded(made)
    return cluster


def test_requests_go_through_forwarded_ports_that_are_kept(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await say(writer, asked.body)

        cluster, one, server = with_cluster(rig), backend(), await rig.server(echo)
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        for size in (0, 10, 3_000_000, 10):
            assert (await client.ask(request(body=b"x" * size))).body == b"x" * size
        assert cluster.asked == [("pod", "default")]
        rig.core.pool(one).drop("pod")
        while not cluster.opened[0].is_closed:
            await asyncio.sleep(0.01)

    run(test)


def test_a_pod_that_is_gone_is_left_out(run: Any) -> None:
    async def test(rig: Rig) -> None:
        cluster, one = with_cluster(rig), backend()
        rig.route(one)
        rig.pod(one, await rig.server(), "gone")
        client = await rig.client()
        waiting = asyncio.create_task(client.ask(request()))
        while not cluster.asked:
            await asyncio.sleep(0.01)
        rig.pod(one, await rig.server(), "there")
        assert (await waiting).status == 200

    run(test)


def test_a_forwarded_port_that_breaks_off(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def die(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        with_cluster(rig)
        one = backend()
        rig.route(one)
        rig.pod(one, await rig.server(die))
        client = await rig.client()
        # Nobody tells there what was taken.
        assert (await client.ask(request())).status == 502

    run(test)


def test_a_websocket_goes_through_a_forwarded_port(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            )
            while data := await reader.read(100):
                writer.write(data.upper())
            writer.close()

        cluster, one = with_cluster(rig), backend()
        rig.route(one)
        rig.pod(one, await rig.raw(serve))
        client = await rig.client()
        asked = request("/ws", b"", "Connection: Upgrade", "Upgrade: websocket", method="GET")
        assert (await client.ask(asked)).status == 101
        client.writer.write(b"abc")
        assert await client.reader.readexactly(3) == b"ABC"
        client.close()
        while not cluster.opened[0].is_closed:
            await asyncio.sleep(0.01)

    run(test)
