"""Seccomp's user notification: a filter that asks the launcher about two system calls, and the conversation about them.

`child` installs the filter, `sockets` answers. The kernel's side is documented in seccomp(2) and seccomp_unotify(2).
Everything that does not change is laid out when the module is loaded: a forked child only makes the calls.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
from typing import NamedTuple

from .libc import prctl

_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_SET_MODE_FILTER = 1
_SPEC_ALLOW, _NEW_LISTENER, _WAIT_KILLABLE = 4, 8, 32
_PR_SET_NO_NEW_PRIVS = 38
_CONTINUE = 1
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION, _RESPONSE, _IOVEC = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI"), struct.Struct("PN")


class _Calls(NamedTuple):
    """Numbers of one architecture."""

    architecture: int
    bind: int
    connect: int
    seccomp: int
    process_vm_readv: int
    pidfd_open: int = 434
    pidfd_getfd: int = 438


_CALLS = {
    "x86_64": _Calls(0xC000003E, 49, 42, 317, 310),
    "aarch64": _Calls(0xC00000B7, 200, 203, 277, 270),
}.get(os.uname().machine)


def _filter(calls: _Calls) -> bytes:
    """Notifies of bind and connect of this architecture, allows the rest."""

    def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    return b"".join(
        (
            step(_LOAD, _ARCHITECTURE_AT),
            step(_IF_EQUAL, calls.architecture, 0, 4),
            step(_LOAD, _NUMBER_AT),
            step(_IF_EQUAL, calls.bind, 1, 0),
            step(_IF_EQUAL, calls.connect, 0, 1),
            step(_RETURN, _NOTIFY),
            step(_RETURN, _ALLOW),
        )
    )


_LIBC = ctypes.CDLL(None, use_errno=True)
_PROGRAM = ctypes.create_string_buffer(_filter(_CALLS) if _CALLS else b"")
_FILTER = ctypes.create_string_buffer(
    struct.pack("HxxxxxxP", (len(_PROGRAM) - 1) // 8, ctypes.addressof(_PROGRAM))
)


class Notification(NamedTuple):
    """A system call that waits for its answer. `thread` is the caller's."""

    id: int
    thread: int
    is_bind: bool
    arguments: tuple[int, ...]


def _call(number: int, *arguments: object) -> int:
    result: int = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        failure = ctypes.get_errno()
        raise OSError(failure, os.strerror(failure))
    return result


def install() -> int:
    """Puts this process, and all it will start, under the filter. The descriptor at which to answer. Raises OSError."""
    if _CALLS is None:
        raise OSError(errno.ENOSYS, "no filter for this architecture")
    try:
        return _install(_CALLS)
    except PermissionError:
        # Without the right to it, only a process that gives up set-user-id programs may filter itself.
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        return _install(_CALLS)


def _install(calls: _Calls) -> int:
    flags = _NEW_LISTENER | _SPEC_ALLOW
    try:
        # A signal must not restart a call that was carried out already.
        return _call(calls.seccomp, _SET_MODE_FILTER, flags | _WAIT_KILLABLE, ctypes.byref(_FILTER))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    # Linux before 5.19.
    return _call(calls.seccomp, _SET_MODE_FILTER, flags, ctypes.byref(_FILTER))


def receive(listener: int) -> Notification | None:
    """The next call; None when who made it is gone. Only for a listener that was found readable."""
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    id_, thread, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
    assert _CALLS is not None
    return Notification(id_, thread, number == _CALLS.bind, tuple(arguments))


def answer(listener: int, notification: Notification, failure: int) -> None:
    """The call has been carried out: `failure` is its error, or 0."""
    _respond(listener, _RESPONSE.pack(notification.id, 0, -failure, 0))


def proceed(listener: int, notification: Notification) -> None:
    """The kernel carries the call out itself."""
    _respond(listener, _RESPONSE.pack(notification.id, 0, 0, _CONTINUE))


def _respond(listener: int, response: bytes) -> None:
    # An error means that nobody waits for it any more.
    with contextlib.suppress(OSError):
        fcntl.ioctl(listener, _SEND, bytearray(response))


def memory(thread: int, address: int, size: int) -> bytes:
    """Bytes of the caller's memory. Raises OSError."""
    assert _CALLS is not None
    buffer = ctypes.create_string_buffer(size)
    local = ctypes.create_string_buffer(_IOVEC.pack(ctypes.addressof(buffer), size))
    remote = ctypes.create_string_buffer(_IOVEC.pack(address, size))
    read = _call(
        _CALLS.process_vm_readv,
        ctypes.c_long(thread),
        ctypes.byref(local),
        ctypes.c_ulong(1),
        ctypes.byref(remote),
        ctypes.c_ulong(1),
        ctypes.c_ulong(0),
    )
    return buffer.raw[:read]


def socket_of(thread: int, descriptor: int) -> socket.socket:
    """The caller's own socket, for us too. Raises OSError."""
    assert _CALLS is not None
    try:
        process = _call(_CALLS.pidfd_open, ctypes.c_long(thread), ctypes.c_long(0))
    except OSError:
        # Only a process has such a descriptor: for any other thread its first one is asked.
        process = _call(_CALLS.pidfd_open, ctypes.c_long(_process_of(thread)), ctypes.c_long(0))
    try:
        own = _call(_CALLS.pidfd_getfd, ctypes.c_long(process), ctypes.c_long(descriptor), ctypes.c_long(0))
    finally:
        os.close(process)
    return socket.socket(fileno=own)


def _process_of(thread: int) -> int:
    with open(f"/proc/{thread}/status") as file:
        return int(next(line for line in file if line.startswith("Tgid:")).split()[1])


def hand_over(channel: socket.socket, listener: int) -> None:
    """Sends a descriptor to the process at the other end."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))]
    channel.sendmsg([b"\0"], ancillary)


def take_over(channel: socket.socket) -> int | None:
    """What was sent, if anything was before the other end closed."""
    size = array.array("i").itemsize
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(size))
    for _, kind, data in ancillary:
        if kind == socket.SCM_RIGHTS and len(data) >= size:
            descriptor = int.from_bytes(data[:size], "little")
            os.set_inheritable(descriptor, False)
            return descriptor
    return None
