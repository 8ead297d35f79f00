"""An API server with a node behind guards on a loopback port, and clients that speak the protocols themselves."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sampan.client.kubeconfig import Connection
from sampan.client.protocol import Client, DeleteOptions, Object
from sampan.client.remote import RemoteClient
from sampan.cluster.apiserver import ApiServer
from sampan.cluster.node.agent import NodeAgent
from sampan.cluster.node.environments import Environments
from sampan.cluster.node.settings import NodeSettings
from sampan.kube import meta
from sampan.kube.kinds import PODS
from sampan.lib.clock import SystemClock
from sampan.testing.apiserver import embedded, loopback
from sampan.testing.connections import close
from sampan.web.guards import Guards, GuardSettings
from sampan.web.spdy.frames import DICTIONARY

TOKEN = "secret"
FOREVER = ["sh", "-c", "exec sleep 1000"]


@dataclass
class Place:
    """`client` is in this process, `remote` over HTTP to `url`."""

    api: ApiServer
    client: Client
    remote: RemoteClient
    url: str
    node: str

    async def run(self, name: str, command: list[str] | None = None, **container: Any) -> Object:
        """A pod that runs."""
        main = {"name": "main", "image": "busybox", "command": command or FOREVER, **container}
        spec = {"nodeName": self.node, "restartPolicy": "Never", "containers": [main]}
        # No controller runs here that would publish the certificate which comes with a token.
        spec["automountServiceAccountToken"] = False
        pod = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
        await self.client.create(PODS, pod)
        async with asyncio.timeout(60):
            while True:
                found = await self.client.get(PODS, name, "default")
                if found["status"].get("phase") == "Running":
                    return found
                await asyncio.sleep(0.01)

    async def clear(self) -> None:
        at_once = DeleteOptions(grace_period_seconds=0)
        for pod in (await self.client.list(PODS, "default")).items:
            await self.client.delete(PODS, meta.name(pod), "default", at_once)
        async with asyncio.timeout(60):
            while (await self.client.list(PODS, "default")).items:
                await asyncio.sleep(0.01)

    def path(self, pod: str, subresource: str, query: str = "") -> str:
        return f"/api/v1/namespaces/default/pods/{pod}/{subresource}?{query}"


@asynccontextmanager
async def _place(home: Path) -> AsyncIterator[Place]:
    async with embedded(home, token=TOKEN) as api:
        agent = NodeAgent(api.client, home, SystemClock(), Environments(home), NodeSettings())
        await agent.start()
        api.serve_streams(agent.pod_streams)
        try:
            app = Guards(api.asgi, GuardSettings(), api.gate)
            async with loopback(app) as url:
                remote = RemoteClient(Connection(url, token=TOKEN))
                try:
                    yield Place(api, api.client, remote, url, agent.node_name)
                finally:
                    await remote.close()
                    api.close_streams()
        finally:
            await agent.stop()


class Loop:
    """An event loop of its own with one such place, for all scenarios: its start costs more than most of them."""

    def __init__(self, home: Path) -> None:
        self._runner = asyncio.Runner()
        self._context = _place(home)
        self.place = self._runner.run(self._context.__aenter__())

    def play(self, scenario: Callable[[Place], Awaitable[None]]) -> None:
        self._runner.run(self._play(scenario))

    async def _play(self, scenario: Callable[[Place], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(90):
                await scenario(self.place)
        finally:
            for each in OPENED:
                each.transport.abort()
            await close(*OPENED)
            OPENED.clear()
            await self.place.clear()

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))
        self._runner.close()


@pytest.fixture(scope="session")
def stream_loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    loop = Loop(tmp_path_factory.mktemp("streams"))
    yield loop
    loop.close()


@pytest.fixture
def streams(stream_loop: Loop) -> Callable[[Callable[[Place], Awaitable[None]]], None]:
    """Plays a scenario at such a place, where no pod is yet."""
    return stream_loop.play


OPENED: list[asyncio.StreamWriter] = []
"""By the scenario that runs, closed at its end."""


class Wire:
    """A plain connection that asks to upgrade."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.status = 0
        self.headers: dict[str, str] = {}

    async def ask(self, method: str, path: str, headers: dict[str, str], *, after: bytes = b"") -> int:
        assert self._url.hostname
        self.reader, self.writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        OPENED.append(self.writer)
        given = {"Host": self._url.netloc, **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + after)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        return self.status

    async def body(self) -> bytes:
        return await self.reader.readexactly(int(self.headers["content-length"]))

    async def status_object(self) -> Any:
        return json.loads(await self.body())

    def close(self) -> None:
        self.writer.close()


class SpdyClient(Wire):
    """SPDY/3.1 as Go's implementation speaks it, written anew: the server's code is not its own judge."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._next = 1
        self.data: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.replied: set[int] = set()
        self.pongs: list[int] = []
        self.gone_away = False

    async def upgrade(self, path: str, *protocols: str, **headers: str) -> int:
        given = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        if protocols:
            given["X-Stream-Protocol-Version"] = ", ".join(protocols)
        return await self.ask("POST", path, {**given, **headers})

    async def open(self, *, fin: bool = False, **headers: str) -> int:
        number, self._next = self._next, self._next + 2
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.encode(), value.encode()):
                block += struct.pack(">I", len(text)) + text
        body = struct.pack(">IIH", number, 0, 0)
        body += self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self.send(struct.pack(">HHI", 0x8003, 1, int(fin) << 24 | len(body)) + body)
        self.data[number] = bytearray()
        return number

    async def write(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        await self.send(struct.pack(">II", stream, int(fin) << 24 | len(data)) + data)

    async def cancel(self, stream: int) -> None:
        await self.send(struct.pack(">HHIII", 0x8003, 3, 8, stream, 5))

    async def ping(self, number: int) -> None:
        await self.send(struct.pack(">HHII", 0x8003, 6, 4, number))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def step(self) -> bool:
        """One frame; False at the end of the connection."""
        try:
            first, second = struct.unpack(">II", await self.reader.readexactly(8))
            body = await self.reader.readexactly(second & 0xFFFFFF)
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        fin = bool(second >> 24 & 1)
        if not first >> 31:
            self.data[first] += body
            if fin:
                self.ended.add(first)
            return True
        match first & 0xFFFF:
            case 2:
                self.replied.add(struct.unpack(">I", body[:4])[0])
            case 3:
                stream, status = struct.unpack(">II", body)
                self.reset[stream] = status
            case 6:
                self.pongs.append(struct.unpack(">I", body)[0])
            case 7:
                self.gone_away = True
        return True

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                assert await self.step(), "the connection ended"


@pytest.fixture
def spdy_client() -> type[SpdyClient]:
    return SpdyClient


@pytest.fixture
def wire() -> type[Wire]:
    return Wire
