"""Port-forward: pairs of streams over SPDY, plain or through a WebSocket, and channels over a WebSocket.

Source: kubelet/pkg/cri/streaming/portforward (httpstream.go, websocket.go), v1.31.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence

from sampan.client.streams import Duplex
from sampan.cluster.apiserver.podstreams import PodStreams, checked_port
from sampan.cluster.apiserver.streaming.websockets import Channels
from sampan.kube import meta
from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object
from sampan.lib.tasks import TaskSet
from sampan.lib.websocket import WebSocket
from sampan.web.spdy.session import Session, Stream

PROTOCOL = "portforward.k8s.io"
CHANNEL_PROTOCOLS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
MAX_PORTS = 64
PAIR_SECONDS = 30.0
"""For how long one stream of a pair waits for the other."""


class Tunnel:
    """SPDY's bytes in the binary messages of a WebSocket, whose limits mean nothing. Implements Duplex."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while (piece := await self._socket.receive()) is not None:
            if piece.data:
                return piece.data if isinstance(piece.data, bytes) else piece.data.encode()
        return b""

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)


class SpdyForwarding:
    """All connections of one kubectl. `run` until it goes."""

    def __init__(self, session: Session, pod: Object, streams: PodStreams) -> None:
        self._session = session
        self._pod = pod
        self._streams = streams
        self._halves: dict[str, tuple[str, Stream]] = {}
        self._tasks = TaskSet("port-forward")

    async def run(self) -> None:
        reading = asyncio.create_task(self._session.run(), name="spdy")
        try:
            while (stream := await self._session.accept()) is not None:
                try:
                    await self._take(stream)
                except OSError:
                    break
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._tasks.close()

    async def _take(self, stream: Stream) -> None:
        kind, request = stream.headers.get("streamtype", ""), _request_id(stream)
        try:
            if kind not in ("error", "data"):
                raise BadRequestError(f"invalid stream type {kind!r}")
            checked_port(self._pod, stream.headers.get("port", ""))
        except BadRequestError:
            await stream.reset()
            return
        await self._session.reply(stream)
        other = self._halves.pop(request, None)
        if other is None:
            self._halves[request] = (kind, stream)
            self._tasks.spawn(self._give_up(request, stream), name="pair")
        elif other[0] == kind:
            await other[1].reset()
            await stream.reset()
        else:
            data, error = (stream, other[1]) if kind == "data" else (other[1], stream)
            self._tasks.spawn(self._forward(data, error), name="connection")

    async def _give_up(self, request: str, stream: Stream) -> None:
        await asyncio.sleep(PAIR_SECONDS)
        if self._halves.get(request, ("", None))[1] is stream:
            del self._halves[request]
            await stream.reset()

    async def _forward(self, data: Stream, error: Stream) -> None:
        port = int(data.headers["port"])
        try:
            connection = await self._streams.connect(self._pod, port)
        except OSError as refusal:
            with contextlib.suppress(OSError):
                await error.write(_refused(self._pod, port, refusal))
            await error.end()
            await data.end()
            await data.reset()
            return
        try:
            await _both_ways(data, connection)
        except OSError:
            await data.reset()
        finally:
            await connection.close()
        await error.end()
        await data.end()


class ChannelForwarding:
    """Ports that the query names: two channels each, data and errors. `run` until the client goes."""

    def __init__(self, socket: WebSocket, ports: Sequence[int], *, as_base64: bool) -> None:
        self._socket = socket
        self._channels = Channels(socket, as_base64=as_base64)
        self._ports = ports
        self._tasks = TaskSet("port-forward")
        self._connections: dict[int, Duplex | None] = {}

    async def run(self, pod: Object, streams: PodStreams) -> None:
        try:
            for index, port in enumerate(self._ports):
                for channel in (2 * index, 2 * index + 1):
                    await self._channels.send(channel, struct.pack("<H", port))
            for index, port in enumerate(self._ports):
                await self._connect(pod, streams, index, port)
            while (received := await self._channels.receive()) is not None:
                channel, data, _ = received
                connection = self._connections.get(channel)
                if data and connection is not None:
                    try:
                        await connection.write(data)
                    except OSError:
                        self._connections[channel] = None
        except OSError:
            return
        finally:
            await self._tasks.close()
            for connection in self._connections.values():
                if connection is not None:
                    await connection.close()

    async def _connect(self, pod: Object, streams: PodStreams, index: int, port: int) -> None:
        try:
            connection = await streams.connect(pod, port)
        except OSError as refusal:
            await self._channels.send(2 * index + 1, _refused(pod, port, refusal))
            return
        self._connections[2 * index] = connection
        self._tasks.spawn(self._receive(2 * index, connection), name="connection")

    async def _receive(self, channel: int, connection: Duplex) -> None:
        try:
            while data := await connection.read():
                await self._channels.send(channel, data)
        except OSError:
            return
        self._connections[channel] = None
        await connection.close()
        if not any(self._connections.values()):
            # Nothing else tells this client that its one connection has ended.
            await self._socket.close()


def ports_of(pod: Object, values: Sequence[str]) -> list[int]:
    """Of the query, each value one or several. Raises BadRequestError."""
    found = [checked_port(pod, port) for value in values for port in value.split(",")]
    if not found or len(found) > MAX_PORTS:
        raise BadRequestError('query parameter "ports" is required' if not found else "too many ports")
    return found


async def _both_ways(data: Stream, connection: Duplex) -> None:
    """Until the pod has closed its side: what the client still sends then has no reader."""

    async def upwards() -> None:
        while piece := await data.read():
            await connection.write(piece)
        if not data.was_cut:
            await connection.end()

    async def downwards() -> None:
        while piece := await connection.read():
            await data.write(piece)

    up, down = asyncio.ensure_future(upwards()), asyncio.ensure_future(downwards())
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if not data.was_cut:
            await down
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


def _refused(pod: Object, port: int, error: OSError) -> bytes:
    return f"error forwarding port {port} to pod {meta.name(pod)}, uid {meta.uid(pod)}: {error}".encode()


def _request_id(stream: Stream) -> str:
    """Old clients send none: then a data stream follows its error stream by number."""
    given = stream.headers.get("requestid")
    if given:
        return given
    number = stream.number if stream.headers.get("streamtype") == "error" else stream.number - 2
    return f"#{number}"
