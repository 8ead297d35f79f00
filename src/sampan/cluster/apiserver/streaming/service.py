"""Where a request for a stream into a pod comes in: checked, upgraded, and served until it ends.

Everything that can be wrong is said before the connection is taken over, with a Status as for any other request; what
the node refuses, in plain text, as a kubelet's words come through a real API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Scope, Send

from sampan.client.streams import AttachOptions, ExecOptions, Execution
from sampan.cluster.apiserver import podstreams
from sampan.cluster.apiserver.podstreams import PodStreams
from sampan.cluster.apiserver.streaming import negotiation, portforward, spdy, websockets
from sampan.cluster.apiserver.streaming.remotecommand import join
from sampan.kube.errors import BadRequestError, InternalError
from sampan.kube.meta import Object
from sampan.lib.websocket import WebSocket
from sampan.web import asgi
from sampan.web.spdy.session import Session
from sampan.web.upgrade import EXTENSION, UpgradedStream

_MAX_PARAMETERS = 10_000
"""Words of a command, mostly."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request, its pod, and who can serve it."""

    scope: Scope
    send: Send
    pod: Object
    streams: PodStreams


async def exec_(wanted: Wanted) -> None:
    """Raises ApiError as long as the connection is HTTP's."""
    query = Query(wanted.scope)
    options = podstreams.checked_exec(
        wanted.pod,
        ExecOptions(
            tuple(query.all("command")),
            query.one("container"),
            *(query.flag(name) for name in ("stdin", "stdout", "stderr", "tty")),
        ),
    )
    await _command(wanted, options)


async def attach(wanted: Wanted) -> None:
    """Likewise."""
    query = Query(wanted.scope)
    options = podstreams.checked_attach(
        wanted.pod,
        AttachOptions(
            query.one("container"), *(query.flag(name) for name in ("stdin", "stdout", "stderr", "tty"))
        ),
    )
    await _command(wanted, options)


async def port_forward(wanted: Wanted) -> None:
    """Likewise."""
    scope, pod = wanted.scope, wanted.pod
    _require_upgrade(scope)
    if negotiation.is_spdy(scope):
        protocol = negotiation.spdy_protocol(scope, (portforward.PROTOCOL,))
        stream = negotiation.open_spdy(scope, protocol or portforward.PROTOCOL)
        session = Session(stream)
        forwarding = portforward.SpdyForwarding(session, pod, wanted.streams)
        await _until_lost(forwarding.run(), stream, session.ping)
        return
    tunnel = negotiation.tunnelled(portforward.PROTOCOL)
    protocol = negotiation.websocket_protocol(scope, (tunnel, *portforward.CHANNEL_PROTOCOLS))
    if protocol == tunnel:
        stream = negotiation.open_websocket(scope, protocol)
        socket = WebSocket(stream)
        forwarding = portforward.SpdyForwarding(Session(portforward.Tunnel(socket)), pod, wanted.streams)
        await _until_lost(forwarding.run(), stream, socket.ping)
        return
    ports = portforward.ports_of(pod, Query(scope).all("ports"))
    stream = negotiation.open_websocket(scope, protocol)
    as_base64 = protocol == portforward.CHANNEL_PROTOCOLS[1]
    socket = WebSocket(stream)
    channels = portforward.ChannelForwarding(socket, ports, as_base64=as_base64)
    await _until_lost(channels.run(pod, wanted.streams), stream, socket.ping)


async def _command(wanted: Wanted, options: ExecOptions | AttachOptions) -> None:
    scope = wanted.scope
    _require_upgrade(scope)
    is_spdy = negotiation.is_spdy(scope)
    negotiated = negotiation.spdy_protocol if is_spdy else negotiation.websocket_protocol
    protocol = negotiated(scope, spdy.PROTOCOLS if is_spdy else websockets.PROTOCOLS)
    try:
        execution = await _started(wanted, options)
    except InternalError as error:
        await asgi.respond(wanted.send, 500, error.message.encode(), b"text/plain; charset=utf-8")
        return
    try:
        serve = _over_spdy if is_spdy else _over_websocket
        await serve(scope, protocol, options, execution)
    finally:
        await execution.close()


async def _started(wanted: Wanted, options: ExecOptions | AttachOptions) -> Execution:
    if isinstance(options, ExecOptions):
        return await wanted.streams.exec(wanted.pod, options)
    return await wanted.streams.attach(wanted.pod, options)


async def _over_websocket(
    scope: Scope, protocol: str, options: ExecOptions | AttachOptions, execution: Execution
) -> None:
    stream = negotiation.open_websocket(scope, protocol)
    first = websockets.first_channel(stdout=options.stdout, stderr=options.stderr)
    socket = WebSocket(stream)
    client = websockets.WebSocketStreams(socket, protocol, tells_start_on=first)
    try:
        await client.begin()
        lost = stream.until_lost(socket.ping)
        await join(execution, client, lost, is_exec=isinstance(options, ExecOptions))
    except OSError:
        return
    finally:
        await stream.close()


async def _over_spdy(
    scope: Scope, protocol: str, options: ExecOptions | AttachOptions, execution: Execution
) -> None:
    stream = negotiation.open_spdy(scope, protocol)
    session = Session(stream)
    running = asyncio.create_task(session.run(), name="spdy")
    client = spdy.SpdyStreams(session, protocol, running)
    try:
        if await client.open(spdy.expected(options, protocol)):
            lost = stream.until_lost(session.ping)
            await join(execution, client, lost, is_exec=isinstance(options, ExecOptions))
    except OSError:
        return
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await stream.close()


async def _until_lost(
    work: Coroutine[Any, Any, None], stream: UpgradedStream, ping: Callable[[], Awaitable[None]]
) -> None:
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(stream.until_lost(ping))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await stream.close()


def _require_upgrade(scope: Scope) -> None:
    known = negotiation.is_websocket(scope) or negotiation.is_spdy(scope)
    if not known or EXTENSION not in (scope.get("extensions") or {}):
        raise BadRequestError("Upgrade request required")


class Query:
    """The query, where a name may come several times. Raises BadRequestError."""

    def __init__(self, scope: Scope) -> None:
        try:
            text = scope["query_string"].decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError as error:
            raise BadRequestError(f"the query cannot be read: {error}") from error
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def one(self, name: str) -> str:
        return self._values.get(name, [""])[0]

    def flag(self, name: str) -> bool:
        """As Kubernetes converts it: only `false`, `0` and absence are false.

        Source: k8s.io/apimachinery/pkg/runtime/converter.go, v1.31.
        """
        values = self._values.get(name)
        return values is not None and values[0].lower() not in ("false", "0")
