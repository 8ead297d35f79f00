"""port-forward: SPDY, SPDY in a WebSocket, channels of a WebSocket."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sampan.lib.websocket import WebSocket
from sampan.testing.connections import listening

TUNNEL = "SPDY/3.1+portforward.k8s.io"


@asynccontextmanager
async def listener(pod: Any, handle: Any) -> AsyncIterator[int]:
    """In the pod's place, at its address."""
    async with listening(handle, pod["status"]["podIP"]) as there:
        yield there.port


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To the end of what comes, then a last word."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write(b"END")
    except ConnectionError:
        pass


class Tunnelled:
    """The bytes of SPDY in messages, as a connection that the tests' SPDY client can use.

    websockets, the oracle elsewhere, refuses the name of this protocol, which Kubernetes has chosen against the rules.
    """

    def __init__(self, wire: Any) -> None:
        self._reader, self._writer = wire.reader, wire.writer
        self._socket = WebSocket(self, is_client=True)
        self._unread = b""

    async def read(self) -> bytes:
        return await self._reader.read(65536)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        # Cut where it may be: messages are no frames.
        for start in range(0, len(data), 1000):
            await self._socket.send(data[start : start + 1000])

    async def readexactly(self, count: int) -> bytes:
        while len(self._unread) < count:
            piece = await self._socket.receive()
            if piece is None:
                raise asyncio.IncompleteReadError(self._unread, count)
            assert isinstance(piece.data, bytes)
            self._unread += piece.data
        data, self._unread = self._unread[:count], self._unread[count:]
        return data


@asynccontextmanager
async def forwarding(place: Any, spdy_client: Any, *, tunnel: bool) -> AsyncIterator[Any]:
    client = spdy_client(place.url)
    path = place.path("p", "portforward")
    if not tunnel:
        assert await client.upgrade(path, "portforward.k8s.io") == 101
        assert client.headers["x-stream-protocol-version"] == "portforward.k8s.io"
        yield client
        return
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Protocol": TUNNEL,
    }
    assert await client.ask("GET", path, headers) == 101
    assert client.headers["sec-websocket-protocol"] == TUNNEL
    client.reader = Tunnelled(client)
    client.send = client.reader.send
    yield client


async def pair(client: Any, port: int, request: int) -> tuple[int, int]:
    error = await client.open(streamtype="error", port=str(port), requestid=str(request), fin=True)
    data = await client.open(streamtype="data", port=str(port), requestid=str(request))
    await client.until(lambda: {error, data} <= client.replied)
    return error, data


@pytest.mark.parametrize("tunnel", [False, True])
def test_connections_side_by_side(streams: Any, spdy_client: Any, tunnel: bool) -> None:
    async def scenario(place: Any) -> None:
        pod = await place.run("p")
        async with listener(pod, echo) as port, forwarding(place, spdy_client, tunnel=tunnel) as client:
            pairs = [await pair(client, port, each) for each in range(20)]
            for number, (_, data) in enumerate(pairs):
                await client.write(data, b"%d:" % number)
                # The other side is told, and answers still.
                await client.write(data, bytes(50_000), fin=True)
            await client.until(lambda: client.ended >= {each for both in pairs for each in both})
            for number, (error, data) in enumerate(pairs):
                assert client.data[data] == b"%d:" % number + bytes(50_000) + b"END"
                assert client.data[error] == b""

    streams(scenario)


def test_a_port_where_nobody_listens(streams: Any, spdy_client: Any) -> None:
    async def scenario(place: Any) -> None:
        pod = await place.run("p")
        async with listener(pod, echo) as port:
            pass
        async with forwarding(place, spdy_client, tunnel=False) as client:
            error, data = await pair(client, port, 0)
            await client.until(lambda: {error, data} <= client.ended)
            assert f"error forwarding port {port} to pod p" in client.data[error].decode()
            assert b"connection refused" in client.data[error]

    streams(scenario)


def test_a_connection_that_is_cut_frees_the_other_side(streams: Any, spdy_client: Any) -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        # It neither reads its end nor speaks.
        await asyncio.get_running_loop().create_future()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        except ConnectionError:
            left.set()

    async def scenario(place: Any) -> None:
        pod = await place.run("p")
        async with listener(pod, flood) as port, listener(pod, silent) as other:
            async with forwarding(place, spdy_client, tunnel=False) as client:
                error, data = await pair(client, port, 0)
                await client.until(lambda: len(client.data[data]) > 100_000)
                await client.cancel(data)
                await client.until(lambda: error in client.ended)
                await left.wait()
                left.clear()
                error, data = await pair(client, other, 1)
                await client.write(data, b"x")
                await client.cancel(data)
                await client.until(lambda: error in client.ended)
                # The client dies in the middle of another.
                _, data = await pair(client, port, 2)
                await client.until(lambda: len(client.data[data]) > 100_000)
                client.writer.transport.abort()
            async with asyncio.timeout(60):
                await left.wait()

    streams(scenario)


def test_what_makes_no_pair(streams: Any, spdy_client: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        async with forwarding(place, spdy_client, tunnel=False) as client:
            wrong = [
                await client.open(streamtype="data", port="0", requestid="1"),
                await client.open(streamtype="data", port="70000", requestid="2"),
                await client.open(streamtype="data", port="x", requestid="3"),
                await client.open(streamtype="other", port="80", requestid="4"),
                await client.open(),
                await client.open(streamtype="data", port="80", requestid="5"),
                await client.open(streamtype="data", port="80", requestid="5"),
            ]
            await client.until(lambda: set(wrong) <= client.reset.keys())

    streams(scenario)


def test_channels_of_a_websocket(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        pod = await place.run("p")
        async with listener(pod, echo) as port, listener(pod, echo) as gone:
            pass
        async with listener(pod, echo) as port:
            query = f"ports={port}&ports={gone}"
            url = "ws" + place.url.removeprefix("http") + place.path("p", "portforward", query)
            async with connect(
                url, subprotocols=["v4.channel.k8s.io"], compression=None, proxy=None
            ) as socket:
                ports = [await socket.recv() for _ in range(4)]
                numbers = [port, port, gone, gone]
                assert ports == [
                    bytes((channel,)) + struct.pack("<H", number) for channel, number in enumerate(numbers)
                ]
                refusal = await socket.recv()
                assert refusal[0] == 3
                assert b"connection refused" in refusal
                await socket.send(b"\x00hello")
                assert await socket.recv() == b"\x00hello"

    streams(scenario)


@pytest.mark.parametrize("query", ["", "ports=0", "ports=x", "ports=80,99999", "ports=" + "80," * 100 + "80"])
def test_ports_that_are_none(streams: Any, query: str) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        url = "ws" + place.url.removeprefix("http") + place.path("p", "portforward", query)
        with pytest.raises(InvalidStatus) as refusal:
            async with connect(url, subprotocols=["v4.channel.k8s.io"], compression=None, proxy=None):
                pass
        assert refusal.value.response.status_code == 400

    streams(scenario)
