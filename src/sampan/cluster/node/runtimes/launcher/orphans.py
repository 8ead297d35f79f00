"""What containers that are over left running: found and ended, also outside their process group.

The launcher is the subreaper of all its descendants, so orphans become its children. Whose they were is told by their
session, or for a daemon, which left it, by the mark that every process of a pod has in its environment.
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

    def container_ended(self, pid: int, mark: bytes) -> None:
        self._ended[pid] = mark

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
            if _session(pid) in self._ended or _is_marked(pid, self._ended.values(), living):
                left = True
                # It may be gone already.
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        if not left:
            self._ended.clear()


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
