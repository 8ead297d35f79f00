"""Sockets that listen, and what to say when they cannot."""

from __future__ import annotations

import errno
import socket

_SEND_BYTES = 128 * 1024


class StartError(Exception):
    """The server cannot start. The message says why and what to do."""


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """Whether the address may be used at all is the caller's to know. Raises StartError, naming the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's delay off: it would cost every request 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections have it too. The kernel would keep megabytes for each client that does not read.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if isinstance(error, PermissionError):
            why = "only root may use ports below 1024"
        elif error.errno == errno.EADDRINUSE:
            why = "another program uses it"
        else:
            why = error.strerror or str(error)
        raise StartError(
            f"cannot listen on {host}:{port}: {why}; choose another with {setting}, or 0 for any free one"
        ) from error
    listener.setblocking(False)
    return listener
