"""How both ends prove themselves to each other, and the frames that follow.

Each shows that it holds a secret (`keys`) by a MAC over random numbers of both and over the server's address: it serves
for no other connection and at no other address, and never again. Every frame after it carries a MAC over its number, so
nobody can put in, leave out or change one. Nothing is encrypted: all of it stays on the loopback of one machine.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from typing import Any

EXEC, STDIN, STDIN_END, STDOUT, STDERR, EXITED, SIGNALLED = b"X", b"I", b"E", b"O", b"R", b"C", b"G"
CHUNK_BYTES = 32 * 1024
GRACE_SECONDS = 30.0
"""How long the other side may take to prove itself."""
CLOSED = "Connection closed by remote host"
DENIED = "Permission denied (publickey)."
_BANNER = b"sampan-secure-shell 1\n"
_NONCE_BYTES, _PROOF_BYTES, _TAG_BYTES = 32, 32, 16
_MOST_FRAME_BYTES = 256 * 1024
_HEADER = struct.Struct("!cI")


class RefusedError(Exception):
    """The other side is not who it should be, or does not speak as it should."""


class Channel:
    """A proven connection. `feed` takes what came, `frames` gives what of it is whole."""

    def __init__(self, sock: socket.socket, reading: bytes, writing: bytes) -> None:
        self.sock = sock
        self._reading, self._writing = reading, writing
        self._read = self._written = 0
        self._data = bytearray()

    def frame(self, kind: bytes, payload: bytes = b"") -> bytes:
        """To be sent whole, and in the order of these calls."""
        header = _HEADER.pack(kind, len(payload))
        tag = prove(self._writing, struct.pack("!Q", self._written), header, payload)[:_TAG_BYTES]
        self._written += 1
        return header + payload + tag

    def feed(self, data: bytes) -> None:
        self._data += data

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """Raises RefusedError."""
        while len(self._data) >= _HEADER.size:
            kind, size = _HEADER.unpack_from(self._data)
            if size > _MOST_FRAME_BYTES:
                raise RefusedError("a frame is too long")
            body, end = _HEADER.size + size, _HEADER.size + size + _TAG_BYTES
            if len(self._data) < end:
                return
            header, payload = bytes(self._data[: _HEADER.size]), bytes(self._data[_HEADER.size : body])
            tag = prove(self._reading, struct.pack("!Q", self._read), header, payload)[:_TAG_BYTES]
            if not hmac.compare_digest(tag, bytes(self._data[body:end])):
                raise RefusedError("a frame was changed on its way")
            self._read += 1
            del self._data[:end]
            yield kind, payload


def prove(secret: bytes, *parts: bytes) -> bytes:
    message = b"".join(struct.pack("!I", len(part)) + part for part in parts)
    return hmac.new(secret, message, hashlib.sha256).digest()


def greet_client(sock: socket.socket, secrets: Sequence[bytes]) -> Channel:
    """The server's half. Raises RefusedError, OSError."""
    until = time.monotonic() + GRACE_SECONDS
    ours, here = os.urandom(_NONCE_BYTES), _place(sock.getsockname())
    sock.sendall(_BANNER + ours)
    if _exactly(sock, len(_BANNER), until) != _BANNER:
        raise RefusedError("the client is no ssh that goes with this sshd")
    theirs, proof = _exactly(sock, _NONCE_BYTES, until), _exactly(sock, _PROOF_BYTES, until)
    for secret in secrets:
        if hmac.compare_digest(proof, prove(secret, b"client", ours, theirs, here)):
            sock.sendall(prove(secret, b"server", ours, theirs, here))
            to_server, to_client = _directions(secret, ours, theirs, here)
            return Channel(sock, to_server, to_client)
    raise RefusedError(DENIED)


def greet_server(sock: socket.socket, secret: bytes) -> Channel:
    """The client's half. Raises RefusedError, OSError."""
    until = time.monotonic() + GRACE_SECONDS
    there = _place(sock.getpeername())
    if _exactly(sock, len(_BANNER), until) != _BANNER:
        raise RefusedError("the host does not run the sshd that goes with this ssh")
    theirs, ours = _exactly(sock, _NONCE_BYTES, until), os.urandom(_NONCE_BYTES)
    sock.sendall(_BANNER + ours + prove(secret, b"client", theirs, ours, there))
    try:
        answer = _exactly(sock, _PROOF_BYTES, until)
    except (RefusedError, ConnectionError):
        raise RefusedError(DENIED) from None
    if not hmac.compare_digest(answer, prove(secret, b"server", theirs, ours, there)):
        raise RefusedError("Host key verification failed.")
    to_server, to_client = _directions(secret, theirs, ours, there)
    return Channel(sock, to_client, to_server)


def _directions(secret: bytes, of_server: bytes, of_client: bytes, place: bytes) -> tuple[bytes, bytes]:
    """Keys of the frames to the server and of those to the client."""
    to_server, to_client = (
        prove(secret, way, of_server, of_client, place) for way in (b"to server", b"to client")
    )
    return to_server, to_client


def _place(address: Any) -> bytes:
    return f"{address[0]} {address[1]}".encode()


def _exactly(sock: socket.socket, size: int, until: float) -> bytes:
    """`size` bytes, however slowly they come, but not for ever. Raises RefusedError, OSError."""
    data = b""
    while len(data) < size:
        left = until - time.monotonic()
        if left <= 0:
            raise RefusedError("timed out")
        sock.settimeout(left)
        more = sock.recv(size - len(data))
        if not more:
            raise RefusedError(CLOSED)
        data += more
    sock.settimeout(None)
    return data
