"""The gateway on a port of its own, in front of servers whose every byte the test decides."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from sampan.app.connections import Adopt
from sampan.app.intercepting import InterceptingProtocol, Interception
from sampan.components.serving.api.routing import Backend, Route, Rule, Target
from sampan.components.serving.controller.gateway.admission import Admission
from sampan.components.serving.controller.gateway.core import Core, Done
from sampan.components.serving.controller.gateway.door import Door
from sampan.components.serving.controller.gateway.exchange import Exchange
from sampan.components.serving.controller.gateway.pools import Pool
from sampan.components.serving.controller.gateway.reach import Direct
from sampan.components.serving.controller.gateway.rules import Ways
from sampan.components.serving.engine.gateway.places import Place, State
from sampan.components.serving.engine.gateway.table import Entry, Limits
from sampan.testing.connections import Listener, Serve, close
from sampan.web.guards import GuardSettings
from sampan.web.interception import Head, Wire

NO_LIMITS = Limits()
HOST = "iris-default.localhost"


@dataclass
class Asked:
    """A request, as a server saw it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


async def ok(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"ok")


async def say(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    await writer.drain()


@dataclass
class Server:
    """Answers as `answer` says, one request after the other on each connection."""

    answer: Answer = ok
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    port: int = 0
    _listener: Listener | None = None

    async def start(self, port: int = 0) -> Server:
        self._listener = await Listener(self._serve).start(port=port)
        self.port = self._listener.port
        return self

    async def stop(self) -> None:
        if self._listener is not None:
            await self._listener.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        while True:
            asked = await read_request(reader)
            self.asked.append(asked)
            await self.answer(asked, writer)


async def read_request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(line.partition(":")[0].lower(), line.partition(":")[2].strip()) for line in head[1:] if line]
    asked = Asked(head[0], headers, b"")
    if asked.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            asked.body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    elif length := asked.get("content-length"):
        asked.body = await reader.readexactly(int(length))
    return asked


@dataclass
class Answered:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


class Client:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes, *, head: bool = False) -> Answered:
        self.writer.write(data)
        return await self.read(head=head)

    async def read(self, *, head: bool = False) -> Answered:
        while True:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = [
                (line.partition(":")[0].lower(), line.partition(":")[2].strip()) for line in lines[1:] if line
            ]
            found = Answered(int(lines[0].split()[1]), headers, b"")
            if found.status != 100:
                break
        if head:
            return found
        if found.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                found.body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        elif length := found.get("content-length"):
            found.body = await self.reader.readexactly(int(length))
        elif found.status != 101:
            found.body = await self.reader.read()
        return found

    def close(self) -> None:
        self.writer.close()


class _Ready:
    def __init__(self, core: Core) -> None:
        self._core = core

    def has_path(self, target: bytes) -> bool:
        return self._core.table.has_path(target)

    def has_host(self, host: bytes, peer: str) -> bool:
        return self._core.table.has_host(host)

    def exchange(self, head: Head, wire: Wire) -> Exchange:
        return Exchange(self._core, head, wire)

    def call_handler(self, passing: Callable[..., Any], authority_of: Callable[[str], str]) -> Any:
        return passing(self._core, lambda address, port: (address, port), authority_of)


class Rig:
    def __init__(self, core: Core, door: Door, port: int, done: list[Done]) -> None:
        self.core, self.door, self.port, self.done = core, door, port, done
        self.servers: list[Server | Listener] = []
        self.clients: list[Client] = []

    async def noted(self, count: int) -> list[Done]:
        """What is noted of calls, once that is so much: it is after an answer is sent, and may be after it has come."""
        while len(self.done) < count:  # noqa: ASYNC110  (it is told to a plain function)
            await asyncio.sleep(0.005)
        return self.done

    async def server(self, answer: Answer = ok) -> Server:
        server = await Server(answer).start()
        self.servers.append(server)
        return server

    async def raw(self, serve: Serve) -> int:
        """A server that is not ours to read requests for; its port."""
        there = await Listener(serve).start()
        self.servers.append(there)
        return there.port

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    def route(
        self, *backends: Backend, limits: Limits = NO_LIMITS, rules: tuple[Rule, ...] = (), **fields: Any
    ) -> Route:
        """Of `iris` in `default`."""
        given: dict[str, Any] = {
            "hosts": (HOST, "iris.default.svc.cluster.local", "iris.default.svc", "iris.default"),
            "prefixes": ("/serving/default/iris",),
            **fields,
        }
        route = Route("InferenceService", "default", "iris", rules=rules or (Rule(backends),), **given)
        self.publish(route, limits)
        return route

    def publish(self, route: Route, limits: Limits = NO_LIMITS, age: str = "2026") -> None:
        entry = Entry(route, (age, route.name), limits)
        for rule in route.rules:
            for backend in (*rule.backends, *rule.shadows):
                key = backend.namespace, backend.service, backend.port
                self.core.pools.setdefault(key, Pool(self.core.now, backend.container_concurrency))
        self.core.table.put(entry)
        self.core.ways[entry.key] = Ways(route, self.core.ways.get(entry.key))

    def pod(
        self, backend: Backend, server: Server | int, name: str = "pod", state: State = State.READY
    ) -> None:
        port = server if isinstance(server, int) else server.port
        self.core.pool(backend).put(Place(name, name, "default", "127.0.0.1", port, state))


def backend(service: str = "iris-00001", *, scaled: bool = True, **fields: Any) -> Backend:
    return Backend(
        "default", service, target=Target("default", f"{service}-deployment") if scaled else None, **fields
    )


def request(
    path: str = "/v1/models/iris:predict",
    body: bytes = b"{}",
    *headers: str,
    host: str = HOST,
    method: str = "POST",
) -> bytes:
    length = [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *length, *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@asynccontextmanager
async def rig(
    reviewer: Any = None,
    *,
    most_waiting: int = 1000,
    pods: dict[str, str] | None = None,
    adopt: Adopt | None = None,
) -> AsyncIterator[Rig]:
    done: list[Done] = []
    admission = Admission(reviewer, lambda address: (pods or {}).get(address, ""), "localhost")
    core = Core(Direct(), admission, most_waiting=most_waiting, most_bytes=64 * 1024 * 1024, note=done.append)
    core.is_ready.set()
    door = Door("localhost")
    door.open(_Ready(core))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
        await send({"type": "http.response.body", "body": b"platform"})

    interception = Interception(door, GuardSettings.bound_to("127.0.0.1"), frozenset({b"content.localhost"}))
    # As uvicorn's server does, without its clock that ticks ten times a second.
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    config.load()
    protocol: Any = functools.partial(
        InterceptingProtocol,
        config=config,
        server_state=ServerState(),
        app_state={},
        interception=interception,
        adopt=adopt,
    )
    listener = await Listener(protocol=protocol).start()
    made = Rig(core, door, listener.port, done)
    try:
        yield made
    finally:
        await close(*(client.writer for client in made.clients))
        for each in made.servers:
            await each.stop()
        await listener.stop()
        await core.stop()


def play(test: Callable[[Rig], Awaitable[None]], **options: Any) -> None:
    """Runs a test's coroutine with a rig of its own."""

    async def main() -> None:
        async with asyncio.timeout(90), rig(**options) as made:
            await test(made)

    asyncio.run(main())
