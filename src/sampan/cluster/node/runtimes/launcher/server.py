"""The launcher's loop: requests from the server, output of containers, and their ends.

Requests and answers are JSON, one a line:

    {"op": "hello", "id": 1}    -> {"id": 1, "pid": …, "mounts": true, "overlays": true, "network": true}
    {"op": "start", "id": 2, "spec": {…}, "env": {…}}   -> {"id": 2, "pid": …, "started_at": …}
    {"op": "signal", "id": 3, "container": ID, "signal": 15, "oom": false}   -> {"id": 3}
    {"op": "list", "id": 4}                             -> {"id": 4, "containers": [{id, pid, started_at}, …]}
    {"event": "exited", "exit": {…}} to every client, after the log and the exit file are written

An answer to `start` comes when the command runs; one that could not be executed is answered too, and then has an
exit with the reason StartError. What cannot be done is answered with {"id": …, "error": text}.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from . import child, seccomp
from .child import Plan
from .container import Container
from .crilog import CriLog
from .orphans import Orphans
from .sockets import Sockets

DRAIN_SECONDS = 2.0
"""How long a pipe may stay open after the container's end, held by a process that left the session."""
FIRST_CLIENT_SECONDS = 60.0
TICK_SECONDS = 0.25
MAX_UNSENT_BYTES = 4 * 1024 * 1024


class Abilities(NamedTuple):
    """What the kernel allows here; `network` is tried by the cold launcher only, for all."""

    mounts: bool
    overlays: bool
    network: bool


class _ForkedError(Exception):
    """Carries a child out of the loop; the loop's owner then runs its plan."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


class _Client:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.unsent = b""


class Launcher:
    """Single-threaded. `serve` returns None when nobody needs it any more, a plan when this is a child."""

    def __init__(self, listener: socket.socket, abilities: Abilities) -> None:
        self._listener = listener
        self._abilities = abilities
        self._selector = selectors.DefaultSelector()
        self._sockets = Sockets(self._selector)
        self._clients: list[_Client] = []
        self._containers: dict[int, Container] = {}
        self._unwritten: list[Any] = []
        self._orphans = Orphans()
        self._pipes: set[int] = set()
        self._needed_until = time.monotonic() + FIRST_CLIENT_SECONDS
        self._nofile = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Three descriptors for each container: the usual 1024 would end at some 300.
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._nofile[1], self._nofile[1]))
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._watch(self._listener.fileno(), self._accept)
        self._watch(self._wake_read, self._reap)

    def serve(self) -> Plan | None:
        try:
            while not self._is_needless():
                for key, events in self._selector.select(self._patience()):
                    if self._selector.get_map().get(key.fd) is key:
                        key.data(events)
                self._settle()
        except _ForkedError as forked:
            plan = forked.plan
        else:
            return None
        child.reset_signals()
        if plan.spec.get("program") is not None:
            self._leave_to_parent(plan)
        return plan

    def _watch(self, descriptor: int, callback: Callable[[int], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def _patience(self) -> float | None:
        """While there is nothing to finish, only events wake the launcher."""
        unfinished = any(container.status is not None for container in self._containers.values())
        return TICK_SECONDS if unfinished or self._unwritten or not self._clients else None

    def _is_needless(self) -> bool:
        if self._clients or self._containers or self._unwritten:
            self._needed_until = time.monotonic()
            return False
        return time.monotonic() >= self._needed_until

    # Clients

    def _accept(self, events: int) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        client = _Client(connection)
        self._clients.append(client)
        self._watch(connection.fileno(), lambda events: self._talk(client, events))

    def _talk(self, client: _Client, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._send(client, b"")
        if not events & selectors.EVENT_READ:
            return
        closed = False
        while True:
            # All that was sent counts, the last words of a server that was killed too.
            try:
                data = client.connection.recv(256 * 1024)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                closed = True
                break
            client.received += data
        *requests, client.received = client.received.split(b"\n")
        for request in requests:
            self._answer(client, request)
        if closed:
            self._forget(client)

    def _answer(self, client: _Client, line: bytes) -> None:
        request: dict[str, Any] = {}
        try:
            request = json.loads(line)
            answer = self._handlers()[request["op"]](request)
        except _ForkedError:
            raise
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        self._post(client, dict(answer, id=request.get("id")))

    def _handlers(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {"hello": self._hello, "start": self._start, "signal": self._signal, "list": self._list}

    def _post(self, client: _Client, message: dict[str, Any]) -> None:
        self._send(client, json.dumps(message).encode() + b"\n")

    def _send(self, client: _Client, data: bytes) -> None:
        """Never waits: what a stopped client does not take is kept, up to a bound."""
        client.unsent += data
        try:
            sent = client.connection.send(client.unsent)
            client.unsent = client.unsent[sent:]
        except BlockingIOError:
            pass
        except OSError:
            client.unsent = b""
        if len(client.unsent) > MAX_UNSENT_BYTES:
            self._forget(client)
        elif client in self._clients:
            mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
            key = self._selector.get_key(client.connection.fileno())
            if key.events != mask:
                self._selector.modify(key.fd, mask, key.data)

    def _forget(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._selector.unregister(client.connection.fileno())
            client.connection.close()

    # Requests

    def _hello(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), **self._abilities._asdict()}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [
            {"id": each.id, "pid": each.pid, "started_at": each.started_at}
            for each in self._containers.values()
        ]
        return {"containers": found}

    def _signal(self, request: dict[str, Any]) -> dict[str, Any]:
        for container in self._containers.values():
            if container.id == request["container"]:
                container.oom = container.oom or bool(request.get("oom"))
                container.signal(int(request["signal"]))
        return {}

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        spec = request["spec"]
        for path in (spec["exit"], spec["log"]):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        log = CriLog(spec["log"])
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        own, its = socket.socketpair() if spec.get("network") else (None, None)
        pid = os.fork()
        if pid == 0:
            writers = (pipes[0][1], pipes[1][1])
            raise _ForkedError(Plan(spec, request["env"], writers, pipes[2][1], self._nofile, its))
        for _, writer in pipes:
            os.close(writer)
        streams = {pipes[0][0]: "stdout", pipes[1][0]: "stderr"}
        container = Container(spec, pid, dict(streams), log)
        self._containers[pid] = container
        container.write_started()
        if its is not None:
            its.close()
        container.failure = _failure(pipes[2][0])
        if own is not None:
            self._lead_sockets(own, spec["network"])
        for stream in streams:
            os.set_blocking(stream, False)
            self._watch(stream, lambda events, stream=stream: self._read(container, stream))  # type: ignore[misc]
        return {"pid": pid, "started_at": container.started_at}

    def _lead_sockets(self, channel: socket.socket, network: dict[str, Any]) -> None:
        """The child, if it got so far, has sent where to answer for it."""
        with channel:
            listener = seccomp.take_over(channel)
        if listener is not None:
            self._sockets.add(listener, network)

    # Containers

    def _read(self, container: Container, stream: int) -> None:
        if not container.read(stream):
            # First unregistered, then closed: a closed number may belong to the next pipe.
            self._selector.unregister(stream)
            container.end_stream(stream)

    def _reap(self, events: int) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            pass
        strangers = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            container = self._containers.get(pid)
            if container is None:
                strangers = True
                continue
            container.ended(status)
        if strangers:
            self._kill_orphans()

    def _kill_orphans(self) -> None:
        living = {each.mark for each in self._containers.values() if each.status is None or each.lingers()}
        self._orphans.kill(set(self._containers), living)

    def _settle(self) -> None:
        """Finishes the containers whose process is gone and whose output is read."""
        for pid, container in list(self._containers.items()):
            if container.status is None or container.lingers():
                continue
            if not container.drain_until:
                container.drain_until = time.monotonic() + DRAIN_SECONDS
                self._orphans.container_ended(pid, container.mark)
                self._kill_orphans()
            for stream in list(container.streams):
                while stream in container.streams and _is_readable(stream):
                    self._read(container, stream)
            if container.streams and time.monotonic() < container.drain_until:
                continue
            for stream in list(container.streams):
                self._selector.unregister(stream)
                container.end_stream(stream)
            del self._containers[pid]
            self._finish(container)
        self._unwritten = [(each, record) for each, record in self._unwritten if not each.write_exit(record)]

    def _finish(self, container: Container) -> None:
        record = container.close()
        if not container.write_exit(record):
            self._unwritten.append((container, record))
        for client in list(self._clients):
            self._post(client, {"event": "exited", "exit": record})
        container.remove_cgroups()

    def _leave_to_parent(self, plan: Plan) -> None:
        """In a child that no exec will clean: gives up all descriptors that belong to the launcher."""
        self._selector.close()
        keep = {*plan.outputs, plan.report}
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
        for number in numbers:
            if number > 2 and number not in keep:
                _close(number)
        # Their descriptors are closed: without this, collecting them would close numbers of the program.
        for client in self._clients:
            client.connection.detach()
        self._listener.detach()


def _failure(report: int) -> dict[str, Any] | None:
    """Waits for the child to run its program, a millisecond or two, or to say why it cannot."""
    told = b""
    while True:
        piece = os.read(report, 4096)
        if not piece:
            break
        told += piece
    os.close(report)
    return json.loads(told) if told else None


def _is_readable(stream: int) -> bool:
    poll = selectors.PollSelector()
    poll.register(stream, selectors.EVENT_READ)
    return bool(poll.select(0))


def _close(number: int) -> None:
    # The descriptor of the listing itself is closed by now.
    with contextlib.suppress(OSError):
        os.close(number)
