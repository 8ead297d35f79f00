"""Where a container's sockets lead: a pod has an address of its own on the loopback, and Services are found.

The launcher answers here each `bind` and `connect` of its containers (`seccomp`), one at a time and without waiting:

* bind to any address or to localhost: to the pod's address. So pods may listen on the same port. One that the kernel
  is to choose is nobody else's, so that the machine's address and the port lead to this pod.
* connect to localhost: to the pod's own listener where it has one, else to the machine's.
* connect to a Service: to one of its endpoints, as a file of `routes` names them; refused where there is none. One on
  the machine itself sees it come from this pod's address.
* connect to a pod, be it this one: from this pod's address.
* connect to a port of the machine's other addresses that only a pod has: to that pod.

Everything else is left to the kernel. Source of what a Service does: pkg/proxy/iptables/proxier.go, v1.31.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import random
import select
import selectors
import socket
import struct
import time
import traceback
from typing import Any, NamedTuple

from . import seccomp
from .seccomp import Notification

LOCALHOST = "127.0.0.1"
_ANY, _ANY6, _LOCALHOST6, _MAPPED = "0.0.0.0", "::", "::1", "::ffff:"  # noqa: S104  (what programs ask for)
_UNPRIVILEGED_START = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
POD_BLOCK = range(64, 96)
SERVICE_BLOCK = range(96, 128)
"""Second bytes of the addresses 127.x.y.z. The same numbers stand in `sampan.cluster.network.addresses`."""
_MAX_ADDRESS_BYTES = 128
_MAX_REMEMBERED = 10_000
_FIRST_EPHEMERAL = 32768
_PRIVILEGED = 1024
_UNPRIVILEGED_PORTS = 65536 - _PRIVILEGED
"""Where the privileged ports of pods are, port by port, for who may not take those themselves."""
_BIND_ADDRESS_NO_PORT = 24


class Address(NamedTuple):
    family: int
    host: str
    port: int

    @property
    def is_any(self) -> bool:
        return self.host in (_ANY, _ANY6)

    @property
    def is_localhost(self) -> bool:
        return self.host in (LOCALHOST, _LOCALHOST6)

    @property
    def second(self) -> int:
        """The second byte of a loopback address; -1 for all others."""
        return int(self.host.split(".")[1]) if self.host.startswith("127.") else -1


def parse(data: bytes) -> Address | None:
    """None for what is no address of the internet families."""
    if len(data) < 8:
        return None
    family, port = struct.unpack_from("=H", data)[0], struct.unpack_from("!H", data, 2)[0]
    if family == socket.AF_INET:
        return Address(family, socket.inet_ntoa(data[4:8]), port)
    if family == socket.AF_INET6 and len(data) >= 24:
        host = socket.inet_ntop(socket.AF_INET6, data[8:24])
        return Address(family, host[len(_MAPPED) :] if host.startswith(_MAPPED) else host, port)
    return None


class Guard:
    """One container's listener. `address` is its pod's, empty for one in the network of the host."""

    def __init__(self, listener: int, network: dict[str, Any]) -> None:
        self.listener = listener
        self.address: str = network["address"]
        self.routes: str = network["routes"]
        self.poll = select.poll()
        self.poll.register(listener, select.POLLIN)


class Sockets:
    """For all containers of one launcher, in its loop: a callback of the selector gets the events."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._turns: dict[tuple[str, str], int] = {}
        self._sticky: dict[tuple[str, str, str], tuple[str, float]] = {}
        self._lowest_port = _lowest_port()

    def add(self, listener: int, network: dict[str, Any]) -> None:
        guard = Guard(listener, network)
        self._selector.register(listener, selectors.EVENT_READ, lambda events: self._serve(guard))

    def _serve(self, guard: Guard) -> None:
        found = guard.poll.poll(0)
        if not found:
            return
        if not found[0][1] & select.POLLIN:
            # No process is left that could ask.
            self._drop(guard)
            return
        try:
            asked = seccomp.receive(guard.listener)
        except OSError:
            traceback.print_exc()
            self._drop(guard)
            return
        if asked is None:
            return
        try:
            is_done = self._bind(guard, asked) if asked.is_bind else self._connect(guard, asked)
        except OSError:
            # Of the caller's making, or it is gone: the kernel knows the right error.
            is_done = False
        except Exception:
            # All containers hang on this loop: not one of them may end it.
            traceback.print_exc()
            is_done = False
        if not is_done:
            seccomp.proceed(guard.listener, asked)

    def _drop(self, guard: Guard) -> None:
        self._selector.unregister(guard.listener)
        os.close(guard.listener)
        # The number may be another's soon, and an answer still on its way.
        guard.listener = -1

    # Each returns whether the call has been, or will be, answered.

    def _bind(self, guard: Guard, asked: Notification) -> bool:
        wanted = _address(asked)
        if not guard.address or wanted is None or not (wanted.is_any or wanted.is_localhost):
            return False
        with seccomp.socket_of(asked.thread, asked.arguments[0]) as sock:
            if sock.type not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                return False
            if sock.type == socket.SOCK_DGRAM and wanted.is_any and not wanted.port:
                # A client, of whom it is not known yet whether it will leave the machine.
                return False
            host, port = guard.address, self._real_port(wanted.port)
            if wanted.family == socket.AF_INET6 and sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
                # There is one such address only, and beside it as a rule a socket of the other family.
                host, port = _LOCALHOST6, 0
            if host == guard.address and not port and sock.type == socket.SOCK_STREAM:
                port = _nobodys_port()
            failure = 0
            try:
                sock.bind(_target(wanted.family, host, port))
            except OSError as error:
                failure = error.errno or errno.EADDRINUSE
        seccomp.answer(guard.listener, asked, failure)
        return True

    def _connect(self, guard: Guard, asked: Notification) -> bool:
        wanted = _address(asked)
        if wanted is None:
            return False
        if not (
            wanted.is_any
            or wanted.is_localhost
            or wanted.second in _BLOCKS
            or self._may_be_pod(guard, wanted)
        ):
            return False
        sock = seccomp.socket_of(asked.thread, asked.arguments[0])
        try:
            return self._lead(guard, asked, wanted, sock)
        finally:
            sock.close()

    def _lead(self, guard: Guard, asked: Notification, wanted: Address, sock: socket.socket) -> bool:
        if sock.type not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            return False
        host, port = wanted.host, wanted.port
        if wanted.second in SERVICE_BLOCK:
            endpoint = self._endpoint(guard, wanted, sock)
            if endpoint is None:
                seccomp.answer(guard.listener, asked, errno.ECONNREFUSED)
                return True
            host, port = endpoint
        elif wanted.second < 0 and not wanted.is_any and not wanted.is_localhost:
            found = _pod_behind(guard.address, self._real_port(port), sock.type)
            if not found:
                return False
            host = found
        elif wanted.is_any or wanted.is_localhost:
            if not guard.address or not _listens(guard.address, self._real_port(port), sock.type):
                return False
            host = guard.address
        if int(host.split(".")[1]) in POD_BLOCK:
            port = self._real_port(port)
            # Itself included, by its address: who is told where a peer came from may tell others (XGBoost's tracker).
            if host != guard.address or not (wanted.is_localhost or wanted.is_any):
                _come_from(sock, wanted.family, guard.address)
        elif wanted.second in SERVICE_BLOCK and host == LOCALHOST:
            # A server of the platform's own, which may know pods by where they come from.
            _come_from(sock, wanted.family, guard.address)
        if host == wanted.host and port == wanted.port:
            return False
        self._carry_out(guard, asked, sock, _target(wanted.family, host, port))
        return True

    def _may_be_pod(self, guard: Guard, wanted: Address) -> bool:
        """A program that asks for the machine's interfaces tells its peers an address that no pod has."""
        return bool(guard.address) and wanted.second < 0 and _is_the_machines(wanted.host)

    def _real_port(self, port: int) -> int:
        return port + _UNPRIVILEGED_PORTS if 0 < port < self._lowest_port else port

    def _endpoint(self, guard: Guard, wanted: Address, sock: socket.socket) -> tuple[str, int] | None:
        """The one whose turn it is, of those that the Service has now."""
        name = f"{'UDP' if sock.type == socket.SOCK_DGRAM else 'TCP'}/{wanted.port}"
        try:
            with open(os.path.join(guard.routes, wanted.host)) as file:
                route = json.load(file)
        except (OSError, ValueError):
            return None
        endpoints: list[str] = (route["ports"]).get(name) or []
        if not endpoints:
            return None
        seconds = float(route.get("sticky") or 0)
        caller = (guard.address, wanted.host, name)
        chosen, at = self._sticky.get(caller, ("", 0.0))
        if not seconds or chosen not in endpoints or time.monotonic() - at > seconds:
            key = (wanted.host, name)
            # Not all launchers begin with the same one.
            turn = self._turns.get(key, random.randrange(len(endpoints)))  # noqa: S311
            chosen = endpoints[turn % len(endpoints)]
            self._turns[key] = (turn + 1) % len(endpoints)
        if len(self._sticky) > _MAX_REMEMBERED or len(self._turns) > _MAX_REMEMBERED:
            self._sticky.clear()
            self._turns.clear()
        if seconds:
            self._sticky[caller] = (chosen, time.monotonic())
        host, _, port = chosen.rpartition(":")
        return host, int(port)

    def _carry_out(
        self, guard: Guard, asked: Notification, sock: socket.socket, target: tuple[Any, ...]
    ) -> None:
        """Connects in the caller's place, who waits as long as it would have waited itself."""
        flags = fcntl.fcntl(sock, fcntl.F_GETFL)
        waits = sock.type == socket.SOCK_STREAM and not flags & os.O_NONBLOCK
        if waits:
            fcntl.fcntl(sock, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        try:
            failure = sock.connect_ex(target)
        finally:
            if waits:
                fcntl.fcntl(sock, fcntl.F_SETFL, flags)
        if waits and failure == errno.EINPROGRESS:
            self._await(guard, asked, socket.socket(fileno=os.dup(sock.fileno())), target)
        else:
            seccomp.answer(guard.listener, asked, failure)

    def _await(self, guard: Guard, asked: Notification, sock: socket.socket, target: tuple[Any, ...]) -> None:
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        if poll.poll(0):
            # As a rule: both ends are on this machine.
            _connected(guard, asked, sock, target)
            return

        def connected(events: int) -> None:
            self._selector.unregister(sock)
            _connected(guard, asked, sock, target)

        self._selector.register(sock, selectors.EVENT_WRITE, connected)


_BLOCKS = frozenset((*POD_BLOCK, *SERVICE_BLOCK))


def _connected(guard: Guard, asked: Notification, sock: socket.socket, target: tuple[Any, ...]) -> None:
    """Asked once more, the kernel tells how it ended, and knows that it was told."""
    failure = sock.connect_ex(target)
    sock.close()
    seccomp.answer(guard.listener, asked, failure)


def _nobodys_port() -> int:
    """A port that is free at every address; 0, for any, if there is none."""
    with socket.socket() as probe:
        try:
            probe.bind((_ANY, 0))
        except OSError:
            return 0
        return int(probe.getsockname()[1])


def _lowest_port() -> int:
    """The first port that may be taken here; `sampan.cluster.network.addresses` asks the same way."""
    with socket.socket() as probe:
        try:
            probe.bind((LOCALHOST, 1))
        except PermissionError:
            with contextlib.suppress(OSError, ValueError), open(_UNPRIVILEGED_START) as file:
                return min(int(file.read()), _PRIVILEGED)
            return _PRIVILEGED
        except OSError:
            return 0
    return 0


def _address(asked: Notification) -> Address | None:
    size = min(asked.arguments[2] & 0xFFFFFFFF, _MAX_ADDRESS_BYTES)
    return parse(seccomp.memory(asked.thread, asked.arguments[1], size)) if size else None


def _target(family: int, host: str, port: int) -> tuple[Any, ...]:
    """`host` as a socket of `family` names it."""
    if family == socket.AF_INET6 and ":" not in host:
        host = _MAPPED + host
    return (host, port)


def _come_from(sock: socket.socket, family: int, address: str) -> None:
    """Gives a socket that has no address yet its pod's, which is where the peer shall see it come from."""
    if not address or sock.getsockname()[1]:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        sock.bind(_target(family, address, 0))


def _pod_behind(own: str, port: int, kind: int) -> str:
    """The address of the pod that is meant by a port of the machine which nobody has but pods; empty if none is."""
    found = _listeners(port, kind)
    pods = [
        each for each in found if int((each or _ANY).split(".")[1]) in POD_BLOCK and each.startswith("127.")
    ]
    if len(pods) < len(found) or not pods:
        return ""
    return own if own in pods else pods[0]


def _listens(address: str, port: int, kind: int) -> bool:
    """Whether a socket of the pod has this port. Asked by trying to take it, which disturbs nobody."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # What an earlier server left behind is no server.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            # A privileged port cannot be tried: it is the pod's if anybody has it.
            if error.errno == errno.EADDRINUSE and port < _FIRST_EPHEMERAL:
                return True
            return error.errno in (errno.EADDRINUSE, errno.EACCES) and _is_listed(address, port, kind)
    return False


def _is_listed(address: str, port: int, kind: int) -> bool:
    """The same from the kernel's table: an outgoing connection may have a high port too."""
    return address in _listeners(port, kind)


def _listeners(port: int, kind: int) -> list[str]:
    """The addresses at which somebody on this machine has this port, from the kernel's table."""
    found = []
    table, listening = ("tcp", "0A") if kind == socket.SOCK_STREAM else ("udp", "07")
    for name in (table, table + "6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}") as file:
            for line in file:
                fields = line.split()
                address, _, number = fields[1].partition(":")
                if fields[3] == listening and number == f"{port:04X}":
                    found.append(_from_table(address))
    return found


def _from_table(text: str) -> str:
    """Words in hexadecimal, in the machine's order; of the addresses of IPv6 only those that reach IPv4 too."""
    if not text.strip("0"):
        return _ANY
    return (
        socket.inet_ntoa(struct.pack("=I", int(text[-8:], 16))) if len(text) == 8 or _is_mapped(text) else ""
    )


def _is_mapped(text: str) -> bool:
    return struct.pack("=I", int(text[16:24], 16)) == b"\0\0\xff\xff" and not text[:16].strip("0")


def _is_the_machines(host: str) -> bool:
    """Whether an address of IPv4 is one of this machine's own: others cannot be bound to."""
    if ":" in host:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
