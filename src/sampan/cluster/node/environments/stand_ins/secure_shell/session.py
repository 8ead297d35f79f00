"""sshd: one command for a client that has proven itself. A client that goes away ends it, with all its children."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import socket
import struct
import subprocess
import time

from . import wire

_MOST_PENDING_BYTES = 1024 * 1024
_KILL_GRACE_SECONDS = 3.0
_GOODBYE_SECONDS = 10.0
# Of its own environment sshd hands on what stands for the image and the user, not what the container was given.
_KEPT = frozenset(("PATH", "HOME", "TMPDIR", "LANG", "TZ", "HOSTNAME", "VIRTUAL_ENV", "LD_LIBRARY_PATH"))
_KEPT_PREFIXES = ("LC_", "PIP_", "UV_", "SAMPAN_", "CUDA_", "NVIDIA_", "XDG_")
_IMAGE_VARIABLES = "SAMPAN_IMAGE_VARIABLES"
"""Names of those that the image sets (`sampan.cluster.node.environments.programs`)."""


class Session:
    def __init__(self, channel: wire.Channel) -> None:
        self._channel = channel
        self._sock = channel.sock
        self._process: subprocess.Popen[bytes] | None = None
        self._stdin = -1
        self._pending = bytearray()
        self._stdin_ends = False
        self._outputs: dict[int, bytes] = {}
        self._poll = select.poll()

    def run(self) -> None:
        """Raises RefusedError, OSError."""
        self._poll.register(self._sock, select.POLLIN)
        try:
            while self._process is None or self._outputs or self._process.poll() is None:
                self._step()
            code = self._process.returncode
            kind, payload = (wire.EXITED, code) if code >= 0 else (wire.SIGNALLED, -code)
            self._send(kind, struct.pack("!i", payload))
            self._wait_for_goodbye()
        except (wire.RefusedError, OSError):
            if self._process is not None:
                _end_all(self._process)
            raise

    def _step(self) -> None:
        # Output at its end without an exit code means as a rule that the program is about to exit.
        waits = self._process is None or bool(self._outputs)
        for descriptor, events in self._poll.poll(None if waits else 20):
            if descriptor == self._sock.fileno():
                self._receive()
            elif descriptor in self._outputs:
                self._forward(descriptor)
            elif descriptor == self._stdin:
                self._feed(events)
        self._watch()

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._sock.sendall(self._channel.frame(kind, payload))

    def _receive(self) -> None:
        data = self._sock.recv(wire.CHUNK_BYTES)
        if not data:
            raise wire.RefusedError("the client has gone")
        self._channel.feed(data)
        for kind, payload in self._channel.frames():
            if kind == wire.EXEC and self._process is None:
                self._start(payload.decode(errors="surrogateescape"))
            elif kind == wire.STDIN and self._process is not None:
                self._pending += payload
            elif kind == wire.STDIN_END and self._process is not None:
                self._stdin_ends = True
            else:
                raise wire.RefusedError("a frame that makes no sense here")

    def _start(self, command: str) -> None:
        shell = os.environ.get("SHELL") or "/bin/sh"
        (stdin, self._stdin), output, errors = os.pipe(), os.pipe(), os.pipe()
        # A session of its own: by it its children are found when they must be ended.
        self._process = subprocess.Popen(
            [shell, "-c", command] if command else [shell],
            stdin=stdin,
            stdout=output[1],
            stderr=errors[1],
            env=_environment(self._sock, shell),
            cwd=_home(),
            start_new_session=True,
        )
        for descriptor in (stdin, output[1], errors[1]):
            os.close(descriptor)
        os.set_blocking(self._stdin, False)
        for descriptor, kind in ((output[0], wire.STDOUT), (errors[0], wire.STDERR)):
            self._outputs[descriptor] = kind
            self._poll.register(descriptor, select.POLLIN)

    def _forward(self, descriptor: int) -> None:
        data = os.read(descriptor, wire.CHUNK_BYTES)
        if data:
            self._send(self._outputs[descriptor], data)
        else:
            self._poll.unregister(descriptor)
            os.close(descriptor)
            del self._outputs[descriptor]

    def _watch(self) -> None:
        """Asks whether the command reads only while something waits for it, and for more only while little waits."""
        if self._stdin < 0:
            self._pending.clear()
        elif self._pending:
            self._poll.register(self._stdin, select.POLLOUT)
        elif self._stdin_ends:
            self._close_stdin()
        # Even while much waits it must be seen that the client goes.
        full = len(self._pending) > _MOST_PENDING_BYTES
        self._poll.modify(self._sock, select.POLLRDHUP if full else select.POLLIN)

    def _feed(self, events: int) -> None:
        try:
            if events & select.POLLERR:
                raise BrokenPipeError
            written = os.write(self._stdin, self._pending[: wire.CHUNK_BYTES])
            del self._pending[:written]
        except BlockingIOError:
            return
        except BrokenPipeError:
            # A program need not read what it is sent.
            self._close_stdin()
            return
        if not self._pending:
            self._poll.unregister(self._stdin)

    def _close_stdin(self) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(self._stdin)
        os.close(self._stdin)
        self._stdin = -1

    def _wait_for_goodbye(self) -> None:
        """A connection that is closed with something unread takes along what the client has not read yet."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(_GOODBYE_SECONDS)
            while self._sock.recv(wire.CHUNK_BYTES):
                pass


def _environment(sock: socket.socket, shell: str) -> dict[str, str]:
    client, server, user = sock.getpeername(), sock.getsockname(), _user()
    images = os.environ.get(_IMAGE_VARIABLES, "").split()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name in images or name.startswith(_KEPT_PREFIXES)
    }
    return {
        **kept,
        "USER": user,
        "LOGNAME": user,
        "SHELL": shell,
        "SSH_CLIENT": f"{client[0]} {client[1]} {server[1]}",
        "SSH_CONNECTION": f"{client[0]} {client[1]} {server[0]} {server[1]}",
    }


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _home() -> str:
    found = os.environ.get("HOME") or "/"
    return found if os.path.isdir(found) else "/"


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """Asks the command and all its children to end, and makes them a little later."""
    for number, seconds in ((signal.SIGTERM, _KILL_GRACE_SECONDS), (signal.SIGKILL, 1.0)):
        until = time.monotonic() + seconds
        for pid in _family(process.pid):
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        while time.monotonic() < until and _family(process.pid):
            process.poll()
            time.sleep(0.05)


def _family(root: int) -> set[int]:
    """The living processes of the session that `root` leads, and whatever descends from them."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/stat", "rb") as file:
                fields = file.read().rpartition(b") ")[2].split()
        except (OSError, ValueError):
            continue
        if fields[0] in (b"Z", b"X"):
            continue
        parents[int(name)] = int(fields[1])
        if int(fields[3]) == root:
            found.add(int(name))
    grown: set[int] = set(found)
    while grown:
        grown = {pid for pid, parent in parents.items() if parent in found} - found
        found |= grown
    return found
