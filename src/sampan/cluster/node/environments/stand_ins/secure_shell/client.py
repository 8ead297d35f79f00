"""ssh: a command in another pod, with the streams of this process and the command's exit code."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time

from . import keys, options, wire

_WITH_VALUE, _FLAGS = "BbcDEeFIiJLlmOoPpQRSWw", "46AaCfGgKkMNnqsTtVvXxYy"
DEFAULT_PORT = "2222"
_EXIT_FAILED = 255
_USAGE = "usage: ssh [options] [user@]host [command [argument ...]]"
_MOST_WAITING_BYTES = 256 * 1024
_PATIENCE_SECONDS = 5


def ssh(words: list[str]) -> int:
    try:
        given, rest = options.parse(words, _WITH_VALUE, _FLAGS)
        host, command = (rest[0], rest[1:]) if rest else ("", [])
        while command and len(command[0]) > 1 and command[0][0] == "-":
            # Options may stand behind the host, too.
            more, command = options.parse(command, _WITH_VALUE, _FLAGS)
            given += more
    except ValueError as error:
        return _fail(f"{error}\n{_USAGE}")
    letters = {letter for letter, _ in given}
    if "V" in letters:
        sys.stderr.write("OpenSSH_9.0 (Sampan's stand-in)\n")
        return 0
    if not host:
        return _fail(_USAGE)
    named = [value for letter, value in given if letter == "i"]
    secrets = keys.secrets(named)
    host = host.rpartition("@")[2]
    if not secrets:
        where = ", ".join(named or keys.folders())
        return _fail(f"{host}: {wire.DENIED} There is no private key that is authorized in {where}")
    try:
        channel = wire.greet_server(_connected(host, given), secrets[0])
        text = " ".join(command).encode(errors="surrogateescape")
        channel.sock.sendall(channel.frame(wire.EXEC, text))
        if "f" in letters and os.fork():
            return 0
        return _Streams(channel, reads=not letters & {"n", "f"}).run()
    except wire.RefusedError as error:
        return _fail(f"{host}: {error}")
    except (OSError, ValueError) as error:
        return _fail(str(error))


def _connected(host: str, given: list[tuple[str, str]]) -> socket.socket:
    """A name that is not there yet is waited for as a port is: here a pod gets both at once. OSError, ValueError.

    OpenSSH tries once, unless told otherwise, and each try takes a second; the names of pods that have only just
    started are found earlier here than there, so that some patience belongs to it.
    """
    settings = dict(reversed(options.pairs([value for letter, value in given if letter == "o"])))
    port = int(options.first(given, "p", settings.get("port", DEFAULT_PORT)))
    timeout = float(settings.get("connecttimeout") or 0) or None
    patience = max(int(settings.get("connectionattempts") or 1), _PATIENCE_SECONDS)
    until, wait, looks = time.monotonic() + patience, 0.05, 0
    while True:
        looks += 1
        try:
            sock = socket.create_connection((host, port), timeout)
            break
        except OSError as error:
            # A name server that is slow to know nothing may have used up all patience while the name came.
            slow = isinstance(error, socket.gaierror) and looks == 1
            if slow or time.monotonic() + wait < until:
                time.sleep(wait)
                wait = min(wait * 2, 1.0)
                continue
            why = error.strerror or error
            if isinstance(error, socket.gaierror):
                raise OSError(f"Could not resolve hostname {host}: {why}") from None
            raise OSError(f"connect to host {host} port {port}: {why}") from None
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


class _Streams:
    """Never waits for the server to read: it may be waiting for this end to do so."""

    def __init__(self, channel: wire.Channel, *, reads: bool) -> None:
        self._channel, self._sock = channel, channel.sock
        self._waiting = bytearray() if reads else bytearray(channel.frame(wire.STDIN_END))
        self._reads = reads
        self._code: int | None = None

    def run(self) -> int:
        """Until the command is over. Raises RefusedError, OSError."""
        # Who reads this process's output and stops ends it, as it would end the command here.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        poll = select.poll()
        while self._code is None:
            poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._waiting else 0))
            if self._reads and len(self._waiting) < _MOST_WAITING_BYTES:
                poll.register(0, select.POLLIN)
            for descriptor, events in poll.poll():
                if descriptor == 0:
                    poll.unregister(0)
                    self._read()
                    continue
                if events & select.POLLOUT and self._waiting:
                    self._send()
                if events & ~select.POLLOUT:
                    self._receive()
        return self._code

    def _read(self) -> None:
        data = os.read(0, wire.CHUNK_BYTES)
        self._reads = bool(data)
        self._waiting += self._channel.frame(wire.STDIN if data else wire.STDIN_END, data)

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._waiting[: wire.CHUNK_BYTES], socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # What it said before it went is still to be read.
            self._waiting.clear()
            self._reads = False
            return
        del self._waiting[:sent]

    def _receive(self) -> None:
        data = self._sock.recv(wire.CHUNK_BYTES)
        if not data:
            raise wire.RefusedError(wire.CLOSED)
        self._channel.feed(data)
        for kind, payload in self._channel.frames():
            if kind in (wire.STDOUT, wire.STDERR):
                _write(1 if kind == wire.STDOUT else 2, payload)
            elif kind == wire.EXITED:
                self._code = struct.unpack("!i", payload)[0]
            elif kind == wire.SIGNALLED:
                self._code = _EXIT_FAILED


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _fail(text: str) -> int:
    sys.stderr.write(f"ssh: {text}\n")
    return _EXIT_FAILED
