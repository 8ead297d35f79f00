"""Whether sockets can be led here: tried once, in a child, as nothing else can tell."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time

from . import mounts, seccomp
from .sockets import Sockets

_PATIENCE_SECONDS = 2.0
_PROBE_ADDRESS = "127.95.255.254"


def guard(channel: socket.socket) -> None:
    """In the child, as its last step: from here on the launcher answers. Raises OSError."""
    listener = seccomp.install()
    seccomp.hand_over(channel, listener)
    os.close(listener)
    channel.close()


def possible() -> bool:
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            here.close()
            with contextlib.suppress(OSError):
                mounts.enter_namespace()
            guard(there)
            with socket.socket() as probe:
                probe.bind(("0.0.0.0", 0))  # noqa: S104  (what is to become another address)
                code = 0 if probe.getsockname()[0] == _PROBE_ADDRESS else 1
        finally:
            os._exit(code)
    there.close()
    with here:
        _answer(here, pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return _ended_well(pid)


def _answer(channel: socket.socket, pid: int) -> None:
    channel.settimeout(_PATIENCE_SECONDS)
    try:
        listener = seccomp.take_over(channel)
    except OSError:
        return
    if listener is None:
        return
    selector = selectors.DefaultSelector()
    Sockets(selector).add(listener, {"address": _PROBE_ADDRESS, "routes": "/nonexistent"})
    until = time.monotonic() + _PATIENCE_SECONDS
    while selector.get_map() and time.monotonic() < until:
        for key, events in selector.select(_PATIENCE_SECONDS):
            key.data(events)
    for descriptor in [key.fd for key in selector.get_map().values()]:
        os.close(descriptor)
    selector.close()


def _ended_well(pid: int) -> bool:
    return os.waitpid(pid, 0)[1] == 0
