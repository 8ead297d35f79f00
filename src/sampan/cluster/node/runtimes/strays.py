"""Processes of pods that have lost their launcher: found on the whole machine, and ended.

A launcher takes its containers' first processes along when it dies, but not those that had left their session, as
daemons do and the workers of torchrun. They would go on beside the containers that replace them, with their ports and
files. A process of a pod is known by its view of the files, which shows the pod's folders, or by a path of its pod's
folder in its environment; those that descend from a launcher that lives are its business.

Called by `process`, in a thread. Reads /proc; where there is none, nothing is found.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

_ROUNDS = 20
_ROUND_SECONDS = 0.02
_POD_FOLDER = re.compile(rb"/pods/([^/\s]+)/")


def kill(pods: Collection[str], launchers: Collection[int], proc: Path = Path("/proc")) -> int:
    """How many were found of pods with these uids, not below one of `launchers`."""
    wanted = {uid.encode() for uid in pods}
    seen: set[int] = set()
    for _ in range(_ROUNDS):
        found = _find(wanted, launchers, proc)
        if not found:
            break
        seen |= found
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        # Those they were about to start, and the time that dying takes.
        time.sleep(_ROUND_SECONDS)
    return len(seen)


def _find(wanted: set[bytes], launchers: Collection[int], proc: Path) -> set[int]:
    parents = _parents(proc)
    views: dict[int, bool] = {}
    own = _view(proc, os.getpid())

    def belongs(pid: int) -> bool:
        view = _view(proc, pid)
        if view and view != own:
            if view not in views:
                views[view] = _names_pod(proc / str(pid) / "mountinfo", wanted)
            if views[view]:
                return True
        return _names_pod(proc / str(pid) / "environ", wanted)

    return {
        pid
        for pid in parents
        if pid != os.getpid() and belongs(pid) and not _descends(pid, parents, launchers.__contains__)
    }


def _parents(proc: Path) -> dict[int, int]:
    """Of every process but the dead ones that nobody has reaped."""
    found = {}
    for entry in os.listdir(proc) if proc.is_dir() else ():
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name, in brackets, may hold anything.
            state, parent = (proc / entry / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                found[int(entry)] = int(parent)
    return found


def _descends(pid: int, parents: dict[int, int], is_launcher: Callable[[int], bool]) -> bool:
    steps = 0
    while pid > 1 and steps < len(parents) + 1:
        if is_launcher(pid):
            return True
        pid, steps = parents.get(pid, 0), steps + 1
    return False


def _view(proc: Path, pid: int) -> int:
    try:
        return os.stat(proc / str(pid) / "ns" / "mnt").st_ino
    except OSError:
        return 0


def _names_pod(file: Path, wanted: set[bytes]) -> bool:
    try:
        content = file.read_bytes()
    except OSError:
        return False
    return not wanted.isdisjoint(_POD_FOLDER.findall(content))
