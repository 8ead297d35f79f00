"""From which the experiments' processes are forked: it imports, forks, kills and reaps, and answers nothing.

It has one thread, for it forks, and ends when the server has closed its socket; what it forked ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import resource
import selectors
import signal
import socket
import warnings

from sampan.components.tuning.engine.worker import messages
from sampan.components.tuning.engine.worker.child import serve
from sampan.components.tuning.engine.worker.messages import Ended, Kill, Start

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_MOST_BYTES = 4096
"""Of an order."""


class Template:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pids: dict[int, int] = {}
        """By key, of what has not been reaped: no other process can have these ids."""

    def run(self) -> None:
        """Returns when the server is gone."""
        wake_read, wake_write = socket.socketpair()
        wake_write.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        # Ctrl-C at the server's terminal is the server's to answer.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is wake_read:
                        wake_read.recv(_MOST_BYTES)
                        self._reap()
                    elif not self._obey((wake_read, wake_write)):
                        self._end()
                        return

    def _obey(self, own: tuple[socket.socket, ...]) -> bool:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, _MOST_BYTES, 1)
        except ConnectionResetError:
            # Closed before it had read how the last process ended.
            message = b""
        if not message:
            return False
        order = messages.decode_order(message)
        if isinstance(order, Start):
            self._start(order, socket.socket(fileno=descriptors[0]), own)
        elif isinstance(order, Kill) and order.key in self._pids:
            os.kill(self._pids[order.key], signal.SIGKILL)
        return True

    def _start(self, order: Start, connection: socket.socket, own: tuple[socket.socket, ...]) -> None:
        # What cannot be imported is told by the process that is asked.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(order.made_by.partition(":")[0])
            gc.freeze()
        pid = os.fork()
        if pid == 0:
            self._become_child(connection, own)
        self._pids[order.key] = pid
        connection.close()

    def _become_child(self, connection: socket.socket, own: tuple[socket.socket, ...]) -> None:
        status = 1
        try:
            _LIBC.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
            # A dump of the libraries' memory would help nobody.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (self._control, *own):
                each.close()
            serve(connection)
            status = 0
        finally:
            # Not the template's way out: its handlers and buffers are not ours.
            os._exit(status)

    def _reap(self) -> None:
        for key, pid in list(self._pids.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                del self._pids[key]
                with contextlib.suppress(OSError):
                    self._control.send(messages.encode(Ended(key, os.waitstatus_to_exitcode(status))))

    def _end(self) -> None:
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
