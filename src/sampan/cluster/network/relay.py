"""Ports of the machine that lead to Services and pods, for those outside of pods: browsers, kubectl, scripts.

    127.0.0.1:NODEPORT      of a Service of type NodePort or LoadBalancer
    127.0.0.1:PORT          of a Service of type LoadBalancer, where the machine has that port free
    CLUSTERIP:PORT          of every other, up to a number of them: each costs a socket
    127.0.0.1:HOSTPORT      of a container

Pods need none of these: their launchers lead them. Bytes are passed on as they come, TCP only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sampan.client.protocol import Object
from sampan.cluster.network.addresses import LOCALHOST, lowest_port, real_port
from sampan.cluster.network.directory import ServiceDirectory, View
from sampan.cluster.network.links import is_api_service
from sampan.kube import meta, pods
from sampan.kube.kinds import PODS
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache, Caches

log = get_logger(__name__)

_COALESCE_SECONDS = 0.1
_MAX_CLUSTER_PORTS = 256
_HIGH_WATER = 256 * 1024
Place = tuple[str, int]


class _Side(asyncio.Protocol):
    """One end of a connection that is passed on; `other` is the far one."""

    def __init__(self, open_sides: set[_Side]) -> None:
        self.transport: asyncio.Transport | None = None
        self._open_sides = open_sides
        self.other: _Side | None = None
        self._early: list[bytes] = []
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(_HIGH_WATER)
        self._open_sides.add(self)

    def data_received(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._early.append(data)
            if self.transport is not None:
                self.transport.pause_reading()
            return
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        """One direction ends, the other may go on."""
        self._ended = True
        if self.other is not None:
            self.other.end()
        return True

    def end(self) -> None:
        """Nothing more will come from the far end."""
        if self.transport is None:
            return
        if self._ended:
            self.transport.close()
        elif self.transport.can_write_eof():
            self.transport.write_eof()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_sides.discard(self)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()
        self.transport = None

    def join(self, other: _Side) -> None:
        """From now on what comes to either goes to the other, what came already first: a server may speak first."""
        self.other, other.other = other, self
        self.pass_on_early(other)
        other.pass_on_early(self)

    def pass_on_early(self, other: _Side) -> None:
        early, self._early = self._early, []
        if early and self.transport is not None:
            self.transport.resume_reading()
        for data in early:
            self.data_received(data)
        if self._ended:
            other.end()
        elif self.transport is None and other.transport is not None:
            other.transport.close()


@dataclass(slots=True)
class _Door:
    """A listening port. `targets` changes while it is open."""

    server: asyncio.Server
    targets: Sequence[str]
    turn: int = 0


class Relay:
    """A Runnable. What cannot be listened on is said once, in the log."""

    name = "relay"

    def __init__(self, caches: Caches, directory: ServiceDirectory) -> None:
        self._pods = caches.of(PODS)
        self._doors: dict[Place, _Door] = {}
        self._services: dict[tuple[str, str], Places] = {}
        self._host_ports: dict[str, dict[Place, Sequence[str]]] = {}
        self._refused: set[Place] = set()
        self._sides: set[_Side] = set()
        self._wake = asyncio.Event()
        self._tasks = TaskSet("relay")
        self._lowest = 0
        directory.add_listener(self._services_changed)

    @property
    def caches(self) -> Sequence[Cache]:
        return (self._pods,)

    async def start(self) -> None:
        self._lowest = lowest_port()
        self._pods.add_handler(self._pod_changed)
        self._tasks.spawn(self._run(), name="run")

    async def stop(self) -> None:
        await self._tasks.close()
        for door in self._doors.values():
            door.server.close()
        self._doors.clear()
        for side in list(self._sides):
            if side.transport is not None:
                side.transport.abort()
        # The transports are gone after the loop's next turn.
        await asyncio.sleep(0)

    # What is wanted.

    def _services_changed(self, changed: Mapping[tuple[str, str], View | None]) -> None:
        for key, view in changed.items():
            places = places_of(view) if view is not None else None
            if places is not None:
                self._services[key] = places
            else:
                self._services.pop(key, None)
        self._wake.set()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        uid = meta.uid(new or old or {})
        places = host_ports(new) if new is not None else {}
        if places != self._host_ports.get(uid, {}):
            self._host_ports[uid] = places
            if not places:
                del self._host_ports[uid]
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_COALESCE_SECONDS)
            self._wake.clear()
            try:
                await self._open_and_close()
            except Exception as error:
                log.error("ports were not opened", exc=error)

    async def _open_and_close(self) -> None:
        wanted = wanted_places(self._services.values())
        for places in self._host_ports.values():
            wanted.update(places)
        for place in self._doors.keys() - wanted.keys():
            self._doors.pop(place).server.close()
        self._refused &= wanted.keys()
        for place, targets in wanted.items():
            if place in self._doors:
                self._doors[place].targets = targets
            elif place not in self._refused:
                await self._open(place, targets)

    async def _open(self, place: Place, targets: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        try:
            listening = _listening(place)
            # Who stops meanwhile finds it among the doors.
            server = await loop.create_server(
                lambda: _Front(self._sides, self._connect(place)), sock=listening, start_serving=False
            )
            self._doors[place] = _Door(server, targets)
            await server.start_serving()
        except (OSError, OverflowError, ValueError) as error:
            if place in self._doors:
                self._doors.pop(place).server.close()
            self._refused.add(place)
            refused = isinstance(error, OSError) and error.errno == errno.EACCES
            why = "only root may" if refused else str(error)
            log.info(
                "a service's port is not opened on the machine", address=f"{place[0]}:{place[1]}", why=why
            )

    # Connections.

    def _connect(self, place: Place) -> Callable[[_Side], None]:
        def begin(front: _Side) -> None:
            self._tasks.spawn(self._join(place, front), name="connection")

        return begin

    async def _join(self, place: Place, front: _Side) -> None:
        door = self._doors.get(place)
        back = await self._reach(door) if door is not None else None
        if back is None:
            if front.transport is not None:
                # As a closed port would: a reset, no orderly end.
                front.transport.abort()
            return
        front.join(back)

    async def _reach(self, door: _Door) -> _Side | None:
        """The next endpoint that answers."""
        targets = list(door.targets)
        for _ in targets:
            host, _, port = targets[door.turn % len(targets)].rpartition(":")
            door.turn += 1
            with contextlib.suppress(OSError):
                number = real_port(host, int(port), self._lowest)
                _, back = await asyncio.get_running_loop().create_connection(
                    lambda: _Side(self._sides), host, number
                )
                return back
        return None


class _Front(_Side):
    """The near end, whose far one is looked for when it is there."""

    def __init__(self, open_sides: set[_Side], begin: Callable[[_Side], None]) -> None:
        super().__init__(open_sides)
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._begin(self)


@dataclass(frozen=True, slots=True)
class Places:
    """Of one Service: ports of the machine, and where they lead."""

    node_ports: dict[Place, Sequence[str]]
    balanced: dict[Place, Sequence[str]]
    cluster: dict[Place, Sequence[str]]


def wanted_places(services: Iterable[Places]) -> dict[Place, Sequence[str]]:
    """The ports of the machine that lead to Services, and where to. The first who wants one has it."""
    found: dict[Place, Sequence[str]] = {}
    cluster: dict[Place, Sequence[str]] = {}
    most = min(_MAX_CLUSTER_PORTS, _spare_sockets())
    for own in services:
        found.update(own.node_ports)
        for place, targets in own.balanced.items():
            found.setdefault(place, targets)
        if len(cluster) < most:
            cluster.update(own.cluster)
    return {**cluster, **found}


def places_of(view: View) -> Places | None:
    """None for one that has no ports here."""
    if is_api_service(view.service):
        # Which listens on the machine itself.
        return None
    try:
        return _places(view)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        log.warning("a service has no ports here", name=meta.name(view.service), error=repr(error))
        return None


def _places(view: View) -> Places:
    spec = meta.spec(view.service)
    found = Places({}, {}, {})
    for port in spec.get("ports") or ():
        targets = view.ports.get(f"TCP/{port['port']}")
        if targets is None:
            continue
        if port.get("nodePort"):
            found.node_ports[LOCALHOST, int(port["nodePort"])] = targets
        if spec.get("type") == "LoadBalancer":
            found.balanced[LOCALHOST, int(port["port"])] = targets
        found.cluster[view.address, int(port["port"])] = targets
    return found


def _listening(place: Place) -> socket.socket:
    """Bound. Raises OSError, OverflowError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
    except BaseException:
        found.close()
        raise
    return found


def _spare_sockets() -> int:
    """A quarter of what this process may open: the API's clients come first."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4


def host_ports(pod: Object) -> dict[Place, Sequence[str]]:
    """Of a pod with an address of its own; in the network of the host its ports are the machine's anyway."""
    address = str(meta.status(pod).get("podIP") or "")
    if address in ("", LOCALHOST) or pods.is_terminal(pod):
        return {}
    return {
        (str(port.get("hostIP") or LOCALHOST), int(port["hostPort"])): [f"{address}:{port['containerPort']}"]
        for container in pods.containers(pod)
        for port in container.get("ports") or ()
        if port.get("hostPort")
        and (port.get("protocol") or "TCP") == "TCP"
        # Nothing of a pod is shown outside of this machine.
        and str(port.get("hostIP") or LOCALHOST).startswith("127.")
    }
