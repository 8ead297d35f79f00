"""The launcher's loop: requests from the server, output of containers, and their ends.

Requests and answers are JSON, one a line:

    {"op": "hello", "id": 1}    -> {"id": 1, "pid": …, "mounts": true, "overlays": true, "network": true}
    {"op": "start", "id": 2, "spec": {…}, "env": {…}}   -> {"id": 2, "pid": …, "started_at": …}
    {"op": "signal", "id": 3, "container": ID, "signal": 15, "oom": false}   -> {"id": 3}
    {"op": "exec", "id": 5, "container": ID, "argv": […], "env": {…}, "stdio": [0, 1, 2], "tty": false}
                                                        -> {"id": 5, "pid": …, "failure": null}
    {"op": "attach", "id": 6, "container": ID, "streams": ["stdout"], "stdin": true}   -> {"id": 6, "stdin": true}
    {"op": "end-stdin", "id": 7, "container": ID}       -> {"id": 7}
    {"op": "list", "id": 4}                             -> {"id": 4, "containers": [{id, pid, started_at}, …]}
    {"event": "exited", "exit": {…}} to every client, after the log and the exit file are written
    {"event": "exec-ended", "pid": …, "exit_code": …} to the client that asked for the command

`exec` and `attach` come over a connection of their own, with descriptors (SCM_RIGHTS): those which `stdio` numbers, -1
for none, or the pipes for `streams`. The answer to `attach` brings the container's stdin likewise. When the connection
ends, so does the command, or the attachment, and with it the stdin of a container that has it once.

An answer to `start` comes when the command runs; one that could not be executed is answered too, and then has an
exit with the reason StartError. What cannot be done is answered with {"id": …, "error": text}.
"""

from __future__ import annotations

import array
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

from . import attachments, child, seccomp
from .attachments import Attachment, Execution
from .child import Plan
from .container import Container
from .crilog import CriLog
from .orphans import Orphans, view_of
from .sockets import Sockets

DRAIN_SECONDS = 2.0
"""How long a pipe may stay open after the container's end, held by a process that left the session."""
FIRST_CLIENT_SECONDS = 60.0
TICK_SECONDS = 0.25
MAX_UNSENT_BYTES = 4 * 1024 * 1024
MAX_DESCRIPTORS = 3
"""That come with one request."""


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
        self.descriptors: list[int] = []

    def receive(self) -> bytes:
        """Raises OSError as recv does."""
        size = socket.CMSG_LEN(MAX_DESCRIPTORS * array.array("i").itemsize)
        data, ancillary, _, _ = self.connection.recvmsg(256 * 1024, size, socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self.descriptors += numbers
        return data

    def take(self) -> list[int]:
        """The descriptors that came; who takes them closes them."""
        taken, self.descriptors = self.descriptors, []
        return taken


class Launcher:
    """Single-threaded. `serve` returns None when nobody needs it any more, a plan when this is a child."""

    def __init__(self, listener: socket.socket, abilities: Abilities) -> None:
        self._listener = listener
        self._abilities = abilities
        self._selector = selectors.DefaultSelector()
        self._sockets = Sockets(self._selector)
        self._clients: list[_Client] = []
        self._containers: dict[int, Container] = {}
        self._executions: dict[int, Execution] = {}
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
        unfinished = any(each.status is not None or each.is_held() for each in self._containers.values())
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
                data = client.receive()
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
            answer = self._handlers()[request["op"]](client, request)
        except _ForkedError:
            raise
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        for descriptor in client.take():
            os.close(descriptor)
        self._post(client, dict(answer, id=request.get("id")))

    def _handlers(self) -> dict[str, Callable[[_Client, dict[str, Any]], dict[str, Any]]]:
        return {
            "hello": self._hello,
            "start": self._start,
            "signal": self._signal,
            "list": self._list,
            "exec": self._exec,
            "attach": self._attach,
            "end-stdin": self._end_stdin,
        }

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
            for descriptor in client.take():
                os.close(descriptor)
            for container in self._containers.values():
                for attachment in [each for each in container.attachments if each.client is client]:
                    self._detach(container, attachment)
            for execution in self._executions.values():
                if execution.client is client:
                    execution.kill()
                    self._orphans.container_ended(execution.pid, b"")

    # Requests

    def _hello(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), **self._abilities._asdict()}

    def _list(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        found = [
            {"id": each.id, "pid": each.pid, "started_at": each.started_at}
            for each in self._containers.values()
        ]
        return {"containers": found}

    def _signal(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        for container in self._containers.values():
            if container.id == request["container"]:
                container.oom = container.oom or bool(request.get("oom"))
                container.signal(int(request["signal"]))
        return {}

    def _exec(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        container = self._running(request["container"])
        descriptors = client.take()
        stdio = tuple(-1 if each < 0 else descriptors[each] for each in request["stdio"])
        own = container.spec
        # The overlay of one that was executed stands since its start.
        spec = {
            "join": container.pid,
            "argv": request["argv"],
            "tty": bool(request.get("tty")),
            "overlay": own.get("overlay") if own.get("program") else None,
        }
        for name in ("cwd", "umask", "cgroup_procs", "rlimits", "oom_score_adj", "network"):
            if name in own:
                spec[name] = own[name]
        reader, writer = os.pipe2(os.O_CLOEXEC)
        ours, its = _channel(spec)
        pid = os.fork()
        if pid == 0:
            env = {**container.env, **request["env"]}
            raise _ForkedError(Plan(spec, env, stdio, writer, self._nofile, its))
        for descriptor in (writer, *descriptors):
            os.close(descriptor)
        self._executions[pid] = Execution(client, pid, container.pid)
        return {"pid": pid, "failure": self._failure(reader, ours, its, spec)}

    def _attach(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        container = self._running(request["container"])
        outputs = dict(zip(request["streams"], client.take()))  # noqa: B905  Python 3.8
        for descriptor in outputs.values():
            os.set_blocking(descriptor, False)
        container.attachments.append(Attachment(client, outputs))
        if not request.get("stdin") or container.stdin < 0:
            return {"stdin": False}
        # With a word of its own: a descriptor needs a byte to travel with.
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [container.stdin]))
        client.connection.sendmsg([b"{}\n"], [rights])
        return {"stdin": True}

    def _end_stdin(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        container = self._running(request["container"])
        if container.spec.get("stdin_once"):
            container.end_stdin()
        return {}

    def _running(self, container: str) -> Container:
        for each in self._containers.values():
            if each.id == container and each.status is None:
                return each
        raise ValueError("the container does not run")

    def _start(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        spec = request["spec"]
        for path in (spec["exit"], spec["log"]):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        log = CriLog(spec["log"], int(spec.get("log_max_bytes", 0)))
        ours, theirs = _stdio(spec)
        report, reporter = os.pipe2(os.O_CLOEXEC)
        own, its = _channel(spec)
        pid = os.fork()
        if pid == 0:
            raise _ForkedError(Plan(spec, request["env"], theirs, reporter, self._nofile, its))
        for descriptor in {*theirs, reporter} - {-1}:
            os.close(descriptor)
        streams = {ours[1]: "stdout"} if spec.get("tty") else {ours[1]: "stdout", ours[2]: "stderr"}
        container = Container(spec, request["env"], pid, dict(streams), log)
        container.stdin = ours[0]
        self._containers[pid] = container
        container.write_started()
        container.failure = self._failure(report, own, its, spec)
        container.view = view_of(pid)
        self._orphans.container_started(container.view)
        for stream in streams:
            os.set_blocking(stream, False)
            self._watch_stream(container, stream)
        if container.stdin >= 0:
            os.set_blocking(container.stdin, False)
        return {"pid": pid, "started_at": container.started_at}

    def _failure(
        self, report: int, own: socket.socket | None, its: socket.socket | None, spec: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Why the child does not run its program; of one that does, the sockets are led from here."""
        if its is not None:
            its.close()
        failure = _failure(report)
        if own is not None:
            with own:
                listener = seccomp.take_over(own)
            if listener is not None:
                self._sockets.add(listener, spec["network"])
        return failure

    # Containers

    def _watch_stream(self, container: Container, stream: int) -> None:
        self._watch(stream, lambda events: self._read(container, stream))

    def _read(self, container: Container, stream: int) -> None:
        if container.is_held():
            return
        if not container.read(stream):
            # First unregistered, then closed: a closed number may belong to the next pipe.
            self._unwatch(stream)
            container.end_stream(stream)
        elif container.is_held():
            self._hold(container)

    def _unwatch(self, descriptor: int) -> None:
        # Of a container that is held the streams are not watched.
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)

    def _hold(self, container: Container) -> None:
        """Reads nothing more from the container until those who listen have taken what there is."""
        for stream in container.streams:
            self._unwatch(stream)
        for attachment in container.attachments:
            for pipe in attachment.blocked():
                if pipe not in self._selector.get_map():
                    self._selector.register(
                        pipe, selectors.EVENT_WRITE, self._resumption(container, attachment)
                    )

    def _resumption(self, container: Container, attachment: Attachment) -> Callable[[int], None]:
        def resume(events: int) -> None:
            for pipe in attachment.outputs.values():
                self._unwatch(pipe)
            attachment.flush(time.monotonic())
            self._hold(container) if container.is_held() else self._release(container)

        return resume

    def _release(self, container: Container) -> None:
        for stream in container.streams:
            self._watch_stream(container, stream)

    def _detach(self, container: Container, attachment: Attachment) -> None:
        was_held = container.is_held()
        for pipe in attachment.outputs.values():
            self._unwatch(pipe)
        attachment.close()
        container.attachments.remove(attachment)
        if container.spec.get("stdin_once") and not container.attachments:
            container.end_stdin()
        if was_held and not container.is_held():
            self._release(container)

    def _cut_off_stalled(self, container: Container) -> None:
        limit = time.monotonic() - attachments.STALLED_SECONDS
        for attachment in list(container.attachments):
            if attachment.held_since and attachment.held_since < limit:
                self._detach(container, attachment)

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
            if pid in self._executions:
                execution = self._executions.pop(pid)
                event = {"event": "exec-ended", "pid": pid, "exit_code": attachments.exit_code(status)}
                if execution.client in self._clients:
                    self._post(execution.client, event)
                strangers = True
                continue
            container = self._containers.get(pid)
            if container is None:
                strangers = True
                continue
            container.ended(status)
        if strangers:
            self._kill_orphans()

    def _kill_orphans(self) -> None:
        living = {each.mark for each in self._containers.values() if each.status is None or each.lingers()}
        self._orphans.kill({*self._containers, *self._executions}, living)

    def _settle(self) -> None:
        """Finishes the containers whose process is gone and whose output is read."""
        for pid, container in list(self._containers.items()):
            self._cut_off_stalled(container)
            if container.status is None or container.lingers():
                continue
            if not container.drain_until:
                container.drain_until = time.monotonic() + DRAIN_SECONDS
                for execution in self._executions.values():
                    if execution.container == pid:
                        execution.kill()
                        self._orphans.container_ended(execution.pid, container.mark)
                self._orphans.container_ended(pid, container.mark, container.view)
                self._kill_orphans()
            for stream in list(container.streams):
                while stream in container.streams and not container.is_held() and _is_readable(stream):
                    self._read(container, stream)
            if container.is_held() or (container.streams and time.monotonic() < container.drain_until):
                continue
            for stream in list(container.streams):
                self._unwatch(stream)
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
        keep = {*plan.stdio, plan.report}
        if plan.channel is not None:
            keep.add(plan.channel.fileno())
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
        for number in numbers:
            if number > 2 and number not in keep:
                _close(number)
        # Their descriptors are closed: without this, collecting them would close numbers of the program.
        for client in self._clients:
            client.connection.detach()
        self._listener.detach()


def _stdio(spec: dict[str, Any]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The launcher's and the container's ends of its first three descriptors, -1 for none."""
    if spec.get("tty"):
        master, slave = os.openpty()
        return (master if spec.get("stdin") else -1, master, -1), (slave, slave, slave)
    reader, writer = os.pipe2(os.O_CLOEXEC) if spec.get("stdin") else (-1, -1)
    stdout, stderr = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    return (writer, stdout[0], stderr[0]), (reader, stdout[1], stderr[1])


def _channel(spec: dict[str, Any]) -> tuple[socket.socket | None, socket.socket | None]:
    """Over which a child of this spec sends where to answer for it; the second end is the child's."""
    return socket.socketpair() if spec.get("network") else (None, None)


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
