"""What containers that are over left running: found and ended, also outside their process group.

The launcher is the subreaper of all its descendants, so orphans become its children. Whose they were is told by their
session; for one that left it (a daemon, a worker of torchrun) by the view of the files, which every container has to
itself, or where there are no views by the mark that every process of a pod has in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable


class Orphans:
    def __init__(self) -> None:
        # Session, which is the first process, to the mark of the pod.
        self._ended: dict[int, bytes] = {}
        self._views: set[int] = set()

    def container_ended(self, pid: int, mark: bytes, view: int = 0) -> None:
        """`view` 0: it had none of its own."""
        self._ended[pid] = mark
        if view:
            self._views.add(view)

    def container_started(self, view: int) -> None:
        """The kernel gives the number of a view that is gone to another."""
        self._views.discard(view)

    def kill(self, containers: set[int], living: set[bytes]) -> None:
        """`containers` are the first processes of those that still run, `living` the marks of their pods.

        To be called after each death: the children of an orphan that is killed become orphans in their turn.
        """
        if not self._ended:
            return
        left = False
        for pid in _children():
            if pid in containers:
                continue
            if (
                _session(pid) in self._ended
                or view_of(pid) in self._views
                or _is_marked(pid, self._ended.values(), living)
            ):
                left = True
                # It may be gone already.
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        if not left:
            self._ended.clear()
            self._views.clear()


def view_of(pid: int) -> int:
    """The number of the process' mount namespace; 0 if it is gone, or has the launcher's own."""
    try:
        found, own = (os.stat(f"/proc/{each}/ns/mnt").st_ino for each in (pid, "self"))
    except OSError:
        return 0
    return 0 if found == own else found


def _children() -> list[int]:
    """The processes whose parent this is: containers, and the orphans that fell to it as their subreaper."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _is_marked(pid: int, ended: Iterable[bytes], living: set[bytes]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = set(file.read().split(b"\0"))
    except OSError:
        return False
    return any(mark and mark in entries and mark not in living for mark in ended)
