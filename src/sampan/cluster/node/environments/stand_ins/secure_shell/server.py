"""sshd: listens at the pod's own address, and gives each client a process that asks it to prove itself."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys

from . import keys, options, wire
from .client import DEFAULT_PORT
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_WITH_VALUE, _FLAGS = "CcEfghop", "46DdeGiqTtV"
_MOST_UNPROVEN = 64
"""Clients that have not proven themselves yet; more are turned away."""


def sshd(words: list[str]) -> int:
    try:
        given, _ = options.parse(words, _WITH_VALUE, _FLAGS)
    except ValueError as error:
        return _fail(str(error))
    letters = {letter for letter, _ in given}
    pairs = _configuration(options.first(given, "f", ""))
    pairs = [*options.pairs([value for letter, value in given if letter == "o"]), *pairs]
    port = options.first(given, "p", dict(reversed(pairs)).get("port", DEFAULT_PORT))
    named = [value for letter, value in given if letter == "h"]
    named += [value for key, value in pairs if key == "hostkey"]
    if not port.isdigit() or not 0 < int(port) < 65536:
        return _fail(f"bad port number {port}")
    if letters & {"t", "T"}:
        return 0
    if not keys.secrets(named):
        where = ", ".join([*named, *keys.folders()])
        return _fail(
            f"no hostkeys available -- exiting. A key, its .pub and authorized_keys are looked for in {where}"
        )
    try:
        listener = _listening(int(port))
    except OSError as error:
        return _fail(f"cannot listen at port {port}: {error.strerror or error}", 255)
    if not letters & {"D", "d"}:
        if os.fork():
            return 0
        os.setsid()
    return _serve(listener, named)


def _fail(text: str, code: int = 1) -> int:
    sys.stderr.write(f"sshd: {text}\n")
    return code


def _configuration(path: str) -> list[tuple[str, str]]:
    """Of a sshd_config. The image's own is not here: what it says is what holds without one."""
    try:
        with open(path or os.devnull, errors="replace") as file:
            return options.pairs(file.readlines())
    except OSError:
        return []


def _listening(port: int) -> socket.socket:
    """At the address that the pod's name leads to; where that is none of its own, at localhost: never for others."""
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        address = ""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address if address.startswith("127.") else "127.0.0.1", port))
    listener.listen(512)
    return listener


def _serve(listener: socket.socket, named: Sequence[str]) -> int:
    """Never returns."""
    # The kernel reaps children. Whether one's client has proven itself, or is gone, its pipe tells.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    unproven: set[int] = set()
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in unproven:
                poll.unregister(descriptor)
                os.close(descriptor)
                unproven.discard(descriptor)
                continue
            sock, _ = listener.accept()
            if len(unproven) >= _MOST_UNPROVEN:
                sock.close()
                continue
            here, there = os.pipe()
            if os.fork() == 0:
                for other in (here, listener.detach(), *unproven):
                    os.close(other)
                _one_client(sock, named, there)
            os.close(there)
            sock.close()
            unproven.add(here)
            poll.register(here, select.POLLIN)


def _one_client(sock: socket.socket, named: Sequence[str], unproven: int) -> NoReturn:
    """In a process of its own, which it ends."""
    client = "somebody"
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        client = str(sock.getpeername()[0])
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Read anew: what is mounted may have changed since.
        channel = wire.greet_client(sock, keys.secrets(named))
        os.close(unproven)
        Session(channel).run()
    except wire.RefusedError as error:
        sys.stderr.write(f"sshd: {error} ({client})\n")
    except OSError as error:
        sys.stderr.write(f"sshd: {client}: {error.strerror or error}\n")
    finally:
        os._exit(0)
