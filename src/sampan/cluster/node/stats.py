"""What the pods of this node, and the machine, use of CPU and memory: read from /proc when somebody asks, never else.

`NodeStats` is a `client.usage.UsageProvider`. A container is the session of its first process; what has
left that session (a daemon) is not counted. CPU needs two looks: the first question after a while waits for the second
one. Source of the meaning of the numbers: k8s.io/metrics/pkg/apis/metrics/v1beta1, kubelet's stats/v1alpha1.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sampan.client.protocol import Object
from sampan.client.usage import ContainerUsage, DiskUsage, NodeUsage, PodUsage, Usage

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 60.0
"""Between the two looks: less is noise, more says nothing of now."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A container that runs, by the process id of its first process."""

    name: str
    session: int


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    machine_cpu: float
    """Seconds, since the machine has started."""
    cpu: dict[int, float] = field(default_factory=dict)
    """Seconds, by session."""
    memory: dict[int, int] = field(default_factory=dict)
    """Bytes, by session; empty where only CPU was wanted."""


Pods = Callable[[], Iterable[tuple[Object, list[Watched]]]]


class NodeStats:
    """For one event loop; /proc is read in threads. `pods` gives the running containers of each pod."""

    def __init__(self, node: str, pods: Pods, home: Path, proc: Path = Path("/proc")) -> None:
        """`home` is on the disk that pods write to."""
        self._node = node
        self._home = home
        self._pods = pods
        self._proc = proc
        self._before: Sample | None = None
        self._lock = asyncio.Lock()

    async def node(self) -> NodeUsage:
        before, now = await self._samples([])
        cpu = int((now.machine_cpu - before.machine_cpu) / (now.at - before.at) * 1e9)
        usage = Usage(max(cpu, 0), await asyncio.to_thread(_machine_memory, self._proc))
        return NodeUsage(self._node, usage, now.at - before.at)

    async def disk(self) -> DiskUsage:
        found = await asyncio.to_thread(os.statvfs, self._home)
        block = found.f_frsize
        return DiskUsage(
            block * found.f_blocks, block * found.f_bavail, block * (found.f_blocks - found.f_bfree)
        )

    async def pods(self) -> list[PodUsage]:
        found = [(pod, watched) for pod, watched in self._pods() if watched]
        sessions = [each.session for _, watched in found for each in watched]
        before, now = await self._samples(sessions)
        seconds = now.at - before.at

        def usage(session: int) -> Usage:
            # One that came in between has used all that it has used within this time.
            used = now.cpu.get(session, 0.0) - before.cpu.get(session, 0.0)
            return Usage(max(int(used / seconds * 1e9), 0), now.memory.get(session, 0))

        return [
            PodUsage(pod, [ContainerUsage(each.name, usage(each.session)) for each in watched], seconds)
            for pod, watched in found
        ]

    async def _samples(self, sessions: list[int]) -> tuple[Sample, Sample]:
        """The newest one, and one that is old enough to compare it with."""
        async with self._lock:
            before = self._before
            now = time.monotonic()
            if before is None or not _SHORTEST_SECONDS <= now - before.at <= _LONGEST_SECONDS:
                if before is None or now - before.at > _LONGEST_SECONDS:
                    before = await asyncio.to_thread(take, self._proc, [])
                await asyncio.sleep(max(_SHORTEST_SECONDS - (time.monotonic() - before.at), 0.0))
            sample = await asyncio.to_thread(take, self._proc, sessions)
            self._before = sample if sample.at - before.at >= _SHORTEST_SECONDS else before
            return before, sample


def take(proc: Path, sessions: Iterable[int]) -> Sample:
    """One look at all processes; at the memory of those in `sessions` only, which costs more."""
    wanted = set(sessions)
    cpu: dict[int, float] = {}
    memory: dict[int, int] = {}
    for entry in os.scandir(proc):
        if not entry.name.isdigit():
            continue
        try:
            stat = (proc / entry.name / "stat").read_bytes()
        except OSError:
            continue  # It ended meanwhile.
        # The second field is the command in brackets, and may hold anything.
        fields = stat[stat.rindex(b")") + 2 :].split()
        session = int(fields[3])
        # Its own time, and that of children which have ended.
        cpu[session] = cpu.get(session, 0.0) + sum(int(each) for each in fields[11:15]) / _TICKS
        if session in wanted:
            resident = _proportional(proc / entry.name) or int(fields[21]) * _PAGE_BYTES
            memory[session] = memory.get(session, 0) + resident
    return Sample(time.monotonic(), _machine_cpu(proc), cpu, memory)


def _proportional(process: Path) -> int:
    """Its share of what it has in memory: a step shares most of it with the interpreter it was forked from."""
    try:
        for line in (process / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        # Of another user, or gone.
        return 0
    return 0


def _machine_cpu(proc: Path) -> float:
    try:
        first = (proc / "stat").read_text().splitlines()[0].split()[1:]
    except (OSError, IndexError):
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq = (int(each) for each in first[:7])
    return (user + nice + system + irq + softirq) / _TICKS


def _machine_memory(proc: Path) -> int:
    try:
        lines = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines())
    except (OSError, ValueError):
        return 0
    total, free = (int(lines[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
    return max(total - free, 0) * 1024
