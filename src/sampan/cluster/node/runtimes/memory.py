"""The memory limit where control groups cannot be had: resident memory is looked at, and who exceeds is killed.

Coarser than the kernel: a container may pass its limit for one interval. Address-space limits are no substitute;
numerical libraries reserve far more than they use.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

INTERVAL_SECONDS = 0.25
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Watched:
    container: str
    session: int
    limit_bytes: int


class MemoryWatch:
    """Calls `kill` for each container above its limit. Scans only while there is something to watch."""

    def __init__(self, kill: Callable[[str], None]) -> None:
        self._kill = kill
        self._watched: dict[str, Watched] = {}
        self._changed = asyncio.Event()

    def add(self, watched: Watched) -> None:
        self._watched[watched.container] = watched
        self._changed.set()

    def remove(self, container: str) -> None:
        self._watched.pop(container, None)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if not self._watched:
                self._changed.clear()
                await self._changed.wait()
            usage = await asyncio.to_thread(resident_by_session)
            for each in list(self._watched.values()):
                if usage.get(each.session, 0) > each.limit_bytes:
                    self._kill(each.container)
            await asyncio.sleep(INTERVAL_SECONDS)


def resident_by_session(proc: Path = Path("/proc")) -> dict[int, int]:
    """Bytes of resident memory, summed over the processes of each session."""
    usage: dict[int, int] = {}
    for entry in os.scandir(proc):
        if not entry.name.isdigit():
            continue
        try:
            stat = (proc / entry.name / "stat").read_bytes()
        except OSError:
            # It ended meanwhile.
            continue
        # The second field is the command in brackets, and may hold anything.
        fields = stat[stat.rindex(b")") + 2 :].split()
        session, pages = int(fields[3]), int(fields[21])
        usage[session] = usage.get(session, 0) + pages * _PAGE_BYTES
    return usage
