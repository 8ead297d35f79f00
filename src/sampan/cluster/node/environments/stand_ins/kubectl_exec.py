#!/usr/bin/env -S python3 -IS
"""`kubectl exec`, and nothing else of kubectl, for pods of a machine that has none: what starts ranks of MPI.

It calls the API server as the pod's service account and speaks `v5.channel.k8s.io` over a WebSocket. What it prints and
its exit codes are kubectl's.

Source: kubernetes 1.31 k8s.io/client-go/tools/remotecommand/websocket.go and v5.go, k8s.io/kubectl/pkg/cmd/exec;
kubeflow/training-operator 1.9 build/images/kubectl-delivery (who needs it).
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import ssl
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_CONTINUED, _TEXT, _BINARY, _PING, _PONG = 0, 1, 2, 9, 10
_CHUNK_BYTES = 32 * 1024
_MOST_HEAD_BYTES = 64 * 1024
_WITH_VALUE = {"-n": "namespace", "--namespace": "namespace", "-c": "container", "--container": "container",
               "--pod-running-timeout": "timeout", "--request-timeout": "timeout"}  # fmt: skip
_FLAGS = {"-i": "stdin", "--stdin": "stdin", "-t": "tty", "--tty": "tty", "-q": "quiet", "--quiet": "quiet"}


class FailedError(Exception):
    """Said as kubectl says it, with exit code 1."""


class Asked:
    """The command line."""

    def __init__(self, words: list[str]) -> None:
        self.values: dict[str, str] = {}
        self.flags: set[str] = set()
        self.pod = ""
        self.command: list[str] = []
        rest = iter(words)
        for word in rest:
            name, equals, value = word.partition("=")
            if word == "--":
                self.command = list(rest)
            elif name in _WITH_VALUE:
                self.values[_WITH_VALUE[name]] = value if equals else next(rest, "")
            elif word in _FLAGS:
                self.flags.add(_FLAGS[word])
            elif word in ("-it", "-ti"):
                self.flags |= {"stdin", "tty"}
            elif word.startswith("-"):
                raise FailedError(f"unknown flag: {word}")
            elif not self.pod:
                for prefix in ("pod/", "pods/", "po/"):
                    word = word[len(prefix) :] if word.startswith(prefix) else word
                self.pod = word
            else:
                # As kubectl of old took it, without the two dashes.
                self.command = [word, *rest]
        if not self.pod:
            raise FailedError("pod, type/name or --filename must be specified")
        if not self.command:
            raise FailedError("you must specify at least one command for the container")


def path_of(asked: Asked, namespace: str) -> str:
    pairs = [("command", word) for word in asked.command]
    pairs += [("container", asked.values["container"])] if asked.values.get("container") else []
    pairs += [("stdout", "true"), ("stderr", "true")]
    pairs += [("stdin", "true")] if "stdin" in asked.flags else []
    query = "&".join(f"{key}={_quoted(value)}" for key, value in pairs)
    return f"/api/v1/namespaces/{_quoted(namespace)}/pods/{_quoted(asked.pod)}/exec?{query}"


def _quoted(text: str) -> str:
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return "".join(
        chr(byte) if byte in plain else f"%{byte:02X}" for byte in text.encode(errors="surrogateescape")
    )


def _account(name: str) -> str:
    try:
        with open(os.path.join(_ACCOUNT, name)) as file:
            return file.read().strip()
    except OSError as error:
        raise FailedError(f"unable to load in-cluster configuration: {error}") from None


class WebSocket:
    """The client's end. Frames of the server may come in any pieces."""

    def __init__(self, sock: ssl.SSLSocket, data: bytes) -> None:
        self._sock = sock
        self._data = bytearray(data)
        self._message = bytearray()
        self.descriptor = sock.fileno()

    def send(self, payload: bytes, opcode: int = _BINARY) -> None:
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        self._sock.sendall(head + mask + whole.to_bytes(size, "big"))

    def receive(self) -> list[bytes] | None:
        """The messages that are whole after one more read; None when there will be no more. OSError."""
        data = self._sock.recv(_CHUNK_BYTES)
        while self._sock.pending():
            data += self._sock.recv(self._sock.pending())
        self._data += data
        found = self.whole()
        return found if data or found else None

    def whole(self) -> list[bytes]:
        found: list[bytes] = []
        while (frame := self._frame()) is not None:
            final, opcode, payload = frame
            if opcode == _PING:
                self.send(payload, _PONG)
            elif opcode in (_CONTINUED, _TEXT, _BINARY):
                self._message += payload
                if final and self._message:
                    found.append(bytes(self._message))
                    self._message.clear()
        return found

    def _frame(self) -> tuple[bool, int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return None
        final, opcode, payload = bool(data[0] & 0x80), data[0] & 0x0F, bytes(data[start : start + size])
        del data[: start + size]
        return final, opcode, payload


def connect(asked: Asked) -> WebSocket:
    """Raises FailedError, OSError."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST") or ""
    port = os.environ.get("KUBERNETES_SERVICE_PORT") or "443"
    if not host:
        raise FailedError("unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST must be defined")
    context = ssl.create_default_context(cafile=os.path.join(_ACCOUNT, "ca.crt"))
    sock = context.wrap_socket(socket.create_connection((host, int(port)), 30), server_hostname=host)
    request = [
        f"GET {path_of(asked, asked.values.get('namespace') or _account('namespace'))} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {_account('token')}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Protocol: v5.channel.k8s.io",
    ]
    sock.sendall(("\r\n".join(request) + "\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = sock.recv(_CHUNK_BYTES)
        if not more or len(answer) > _MOST_HEAD_BYTES:
            raise FailedError("the API server closed the connection")
        answer += more
    head, _, rest = answer.partition(b"\r\n\r\n")
    if head.split(None, 2)[1] != b"101":
        raise FailedError(_refusal(sock, head, rest))
    sock.settimeout(None)
    return WebSocket(sock, rest)


def _refusal(sock: ssl.SSLSocket, head: bytes, body: bytes) -> str:
    """What a Status says, as kubectl shows it."""
    lines = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    wanted = int(lines.get(b"content-length", b"0"))
    while len(body) < min(wanted, _MOST_HEAD_BYTES):
        more = sock.recv(_CHUNK_BYTES)
        if not more:
            break
        body += more
    try:
        status: Any = json.loads(body)
        return f"Error from server ({status.get('reason', 'Unknown')}): {status.get('message', '')}"
    except (ValueError, AttributeError):
        return f"Error from server: {head.splitlines()[0].decode(errors='replace')}"


def carry(websocket: WebSocket, *, reads: bool) -> int:
    """The streams until the command is over: its exit code. Raises FailedError, OSError."""
    poll = select.poll()
    poll.register(websocket.descriptor, select.POLLIN)
    if reads:
        poll.register(0, select.POLLIN)
    # Some may have come with the answer to the request.
    messages: list[bytes] | None = websocket.whole()
    while True:
        for message in messages or ():
            channel, payload = message[0], message[1:]
            if channel in (_STDOUT, _STDERR):
                _write(channel, payload)
            elif channel == _ERROR:
                return _exit_code(payload)
        if messages is None:
            raise FailedError("error reading from error stream: the connection was closed")
        ready = [descriptor for descriptor, _ in poll.poll()]
        if 0 in ready:
            data = os.read(0, _CHUNK_BYTES)
            websocket.send(bytes((_STDIN,)) + data if data else bytes((_CLOSE, _STDIN)))
            if not data:
                poll.unregister(0)
        messages = websocket.receive() if websocket.descriptor in ready else []


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _exit_code(payload: bytes) -> int:
    status: Any = json.loads(payload)
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            sys.stderr.write(f"command terminated with exit code {cause.get('message')}\n")
            return int(cause.get("message") or 1)
    raise FailedError(str(status.get("message") or "the command could not be run"))


def main(words: list[str]) -> int:
    try:
        if not words or words[0] != "exec":
            raise FailedError(
                "this machine has no kubectl of its own, and what stands for it knows `exec` only"
            )
        asked = Asked(words[1:])
        websocket = connect(asked)
        return carry(websocket, reads="stdin" in asked.flags)
    except FailedError as error:
        sys.stderr.write(f"{error}\n" if str(error).startswith("Error from") else f"error: {error}\n")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
