"""The sub-resource `proxy` of Services and pods: a request to the API server, passed on to what listens there.

HTTP/1.1, streamed both ways, and what it switches to, as WebSocket. Loaded at its first use.
Source: pkg/registry/core/{service,pod}/rest and storage/rest.go (ResourceLocation),
k8s.io/apimachinery/pkg/util/proxy/upgradeaware.go, v1.31.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import h11
from starlette.types import Receive, Scope, Send

from sampan.cluster.network.addresses import lowest_port, real_port
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, ServiceUnavailableError
from sampan.kube.meta import Object
from sampan.web import asgi
from sampan.web.upgrade import take_over

_CONNECT_SECONDS = 10.0
_PIECE_BYTES = 64 * 1024
# Of one connection only, or ours: who asked has shown them to this server, not to what is behind it.
_NOT_PASSED_ON = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect", b"authorization", b"cookie"),
    }
)
# What a pod serves is not our own: in a browser it may not act with our origin's rights.
_SANDBOX = (
    b"content-security-policy",
    b"sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads",
)


@dataclass(frozen=True, slots=True)
class Backend:
    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """`[scheme:]name[:port]`, as the path of the request has it."""

    scheme: str
    name: str
    port: str

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """Raises BadRequestError."""
        parts = text.split(":")
        if len(parts) == 1:
            return cls("http", parts[0], "")
        if len(parts) == 2:
            return cls("http", parts[0], parts[1])
        if len(parts) == 3 and parts[0] in ("", "http", "https"):
            return cls(parts[0] or "http", parts[1], parts[2])
        raise BadRequestError(f"invalid proxy request {text!r}: it must be [scheme:]name[:port]")


def of_service(wanted: Wanted, service: Object, endpoints: Object | None) -> Backend:
    """One of the ready endpoints. Raises ServiceUnavailableError."""
    ports = meta.spec(service).get("ports") or []
    chosen = [port for port in ports if wanted.port in (str(port.get("name") or ""), str(port["port"]))]
    if not wanted.port and len(ports) == 1:
        chosen = ports
    if not chosen:
        raise ServiceUnavailableError(f'no service port "{wanted.port}" found for service "{wanted.name}"')
    name = str(chosen[0].get("name") or "")
    found = [
        (str(address["ip"]), int(port["port"]))
        for subset in (endpoints or {}).get("subsets") or ()
        for port in subset.get("ports") or ()
        if str(port.get("name") or "") == name
        for address in subset.get("addresses") or ()
    ]
    if not found:
        raise ServiceUnavailableError(f'no endpoints available for service "{wanted.name}"')
    host, number = random.choice(found)  # noqa: S311
    return Backend(wanted.scheme, host, number)


def of_pod(wanted: Wanted, pod: Object) -> Backend:
    """Raises BadRequestError, ServiceUnavailableError."""
    address = str(meta.status(pod).get("podIP") or "")
    if not address:
        raise ServiceUnavailableError(f'pod "{wanted.name}" has no address yet')
    if wanted.port:
        if not wanted.port.isdecimal() or not 0 < int(wanted.port) < 65536:
            raise BadRequestError(f"invalid port {wanted.port!r} of a pod: it must be a number")
        return Backend(wanted.scheme, address, int(wanted.port))
    declared = [
        int(port["containerPort"])
        for container in meta.spec(pod).get("containers") or ()
        for port in container.get("ports") or ()
    ]
    return Backend(wanted.scheme, address, declared[0] if declared else 80)


async def forward(backend: Backend, scope: Scope, receive: Receive, send: Send) -> None:
    """Passes the request on and the answer back. Raises ServiceUnavailableError when nobody answers."""
    path, query = rest_of(scope), scope.get("query_string") or b""
    if not path:
        # So that what a page names relative to itself is found.
        location = scope["path"].encode() + b"/" + (b"?" + query if query else b"")
        await asgi.respond(send, 301, b"", b"text/plain", [(b"location", location)])
        return
    path += b"?" + query if query else b""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                backend.host,
                real_port(backend.host, backend.port, lowest_port()),
                ssl=_unverified() if backend.scheme == "https" else None,
            )
    except (OSError, TimeoutError) as error:
        raise _trouble(error) from error
    try:
        await _converse(backend, path, _Peer(reader, writer, scope, receive, send))
    finally:
        writer.close()


@dataclass(slots=True)
class _Peer:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    scope: Scope
    receive: Receive
    send: Send
    has_begun: bool = False


async def _converse(backend: Backend, path: bytes, peer: _Peer) -> None:
    connection = h11.Connection(h11.CLIENT)
    upgrade = asgi.header(peer.scope, b"upgrade").encode()
    request = h11.Request(
        method=peer.scope["method"], target=path, headers=_passed_on(backend, peer.scope, upgrade)
    )
    peer.writer.write(connection.send(request) or b"")
    if upgrade:
        # What comes after it is for whoever takes the connection over.
        peer.writer.write(connection.send(h11.EndOfMessage()) or b"")
        sending = asyncio.create_task(asyncio.sleep(0))
    else:
        sending = asyncio.create_task(_send_body(connection, peer))
    try:
        await _answer(connection, peer)
    except (h11.RemoteProtocolError, OSError) as error:
        if peer.has_begun:
            # Too late for an answer of our own: the client sees that this one is cut off.
            raise asgi.ClientGoneError from error
        raise _trouble(error) from error
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def _passed_on(backend: Backend, scope: Scope, upgrade: bytes) -> list[tuple[bytes, bytes]]:
    kept = [(key, value) for key, value in scope["headers"] if key not in (*_NOT_PASSED_ON, b"host")]
    has_length = any(key == b"content-length" for key, _ in kept)
    if not has_length and scope["method"] not in ("GET", "HEAD"):
        kept.append((b"transfer-encoding", b"chunked"))
    kept.append((b"host", f"{backend.host}:{backend.port}".encode()))
    if upgrade:
        return [*kept, (b"connection", b"Upgrade"), (b"upgrade", upgrade)]
    return [*kept, (b"connection", b"close")]


async def _send_body(connection: h11.Connection, peer: _Peer) -> None:
    more = True
    while more:
        message = await peer.receive()
        if message["type"] == "http.disconnect":
            peer.writer.close()
            return
        more = bool(message.get("more_body"))
        if body := message.get("body"):
            peer.writer.write(connection.send(h11.Data(data=body)) or b"")
            await peer.writer.drain()
    peer.writer.write(connection.send(h11.EndOfMessage()) or b"")
    # From now on only the end of the caller matters.
    while (await peer.receive())["type"] != "http.disconnect":
        pass
    peer.writer.close()


async def _answer(connection: h11.Connection, peer: _Peer) -> None:
    async for event in _events(connection, peer.reader):
        if isinstance(event, h11.Response):
            peer.has_begun = True
            await peer.send(
                {"type": "http.response.start", "status": event.status_code, "headers": _returned(event)}
            )
        elif isinstance(event, h11.Data):
            await peer.send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        elif isinstance(event, h11.EndOfMessage):
            await asgi.finish(peer.send)
            return
        elif isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            await _switch(event, connection.trailing_data[0], peer)
            return
    raise ConnectionResetError("the connection was closed before the end of an answer")


async def _switch(response: h11.InformationalResponse, early: bytes, peer: _Peer) -> None:
    """Both sides speak something else from now on, such as WebSocket: bytes are passed on as they come."""
    headers = [(bytes(key), bytes(value)) for key, value in response.headers if bytes(key) != b"set-cookie"]
    peer.has_begun = True
    stream = take_over(peer.scope, headers)

    async def back() -> None:
        data = early or await peer.reader.read(_PIECE_BYTES)
        while data:
            await stream.write(data)
            data = await peer.reader.read(_PIECE_BYTES)

    async def forth() -> None:
        while data := await stream.read():
            peer.writer.write(data)
            await peer.writer.drain()

    tasks = [asyncio.create_task(back()), asyncio.create_task(forth())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await stream.close()


async def _events(connection: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[Any]:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_PIECE_BYTES))
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return
        else:
            yield event


def _returned(response: h11.Response) -> list[tuple[bytes, bytes]]:
    kept = [
        (bytes(key), bytes(value))
        for key, value in response.headers
        if bytes(key) not in _NOT_PASSED_ON and bytes(key) not in (b"set-cookie", _SANDBOX[0])
    ]
    return [*kept, _SANDBOX]


def _trouble(error: Exception) -> ServiceUnavailableError:
    return ServiceUnavailableError(f"error trying to reach service: {error}")


def _unverified() -> ssl.SSLContext:
    """As upstream: what is behind a Service has a certificate of its own making."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def rest_of(scope: Scope) -> bytes:
    """The path behind `/proxy`, as it was sent; empty when there is not even a slash."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    # /api/v1/namespaces/NAMESPACE/services/NAME/proxy/…
    segments = raw.partition(b"?")[0].split(b"/", 8)
    return b"/" + segments[8] if len(segments) > 8 else b""
