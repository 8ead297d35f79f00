"""Control groups for containers with limits, version 1 or 2, below the server's own group.

Synchronous: each call is a few writes to a kernel file system. Where groups cannot be made, `Cgroups.detect` is None
and `memory.MemoryWatch` stands in for the memory limit.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sampan.cluster.node.runtimes.protocol import Limits

_PERIOD_MICROS = 100_000


@dataclass(frozen=True, slots=True)
class CgroupPlan:
    """Where a container's first process has to write its id, and where the kernel counts kills for memory."""

    folders: tuple[Path, ...] = ()
    oom_events: Path | None = None

    @property
    def procs(self) -> list[str]:
        return [str(folder / "cgroup.procs") for folder in self.folders]


class Cgroups:
    """`memory` and `cpu` are this process's own groups in the two hierarchies, the same one in version 2."""

    def __init__(self, memory: Path | None, cpu: Path | None, *, unified: bool, prefix: str) -> None:
        self._memory = memory
        self._cpu = cpu
        self._unified = unified
        self._prefix = prefix

    @property
    def limits_memory(self) -> bool:
        return self._memory is not None

    @classmethod
    def detect(cls, prefix: str, root: Path = Path("/")) -> Cgroups:
        """`prefix` marks this home's groups; `root` is for tests."""
        own = _own_groups(root / "proc/self/cgroup")
        mounts = _mounts(root / "proc/self/mounts", root)
        memory = _usable(mounts.get("memory"), own.get("memory"))
        cpu = _usable(mounts.get("cpu"), own.get("cpu"))
        if memory or cpu:
            return cls(memory, cpu, unified=False, prefix=prefix)
        group = _usable(mounts.get(""), own.get(""))
        enabled = _read(group / "cgroup.subtree_control").split() if group else []
        return cls(
            group if "memory" in enabled else None,
            group if "cpu" in enabled else None,
            unified=True,
            prefix=prefix,
        )

    def create(self, container: str, limits: Limits) -> CgroupPlan:
        """Raises OSError; what was made by then is removed again."""
        name = self._name(container)
        folders: dict[Path, None] = {}
        oom_events: Path | None = None
        try:
            if limits.memory_bytes and self._memory is not None:
                folder = self._memory / name
                folder.mkdir(exist_ok=True)
                folders[folder] = None
                oom_events = self._limit_memory(folder, limits.memory_bytes)
            if limits.cpu_millis and self._cpu is not None:
                folder = self._cpu / name
                folder.mkdir(exist_ok=True)
                folders[folder] = None
                self._limit_cpu(folder, limits.cpu_millis)
        except OSError:
            for folder in folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
        return CgroupPlan(tuple(folders), oom_events)

    def sweep(self, keep: Iterable[str] = ()) -> None:
        """Removes this home's groups that hold no process any more; those of the containers `keep` may not yet."""
        kept = {self._name(container) for container in keep}
        for parent in {self._memory, self._cpu} - {None}:
            assert parent is not None
            for folder in parent.glob(self._prefix + "*"):
                if folder.name in kept:
                    continue
                # The kernel refuses to remove a group with processes: exactly those have to stay.
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _name(self, container: str) -> str:
        return self._prefix + re.sub(r"[^A-Za-z0-9.-]", "_", container)

    def _limit_memory(self, folder: Path, limit: int) -> Path:
        if self._unified:
            (folder / "memory.max").write_text(str(limit))
            with contextlib.suppress(OSError):
                (folder / "memory.swap.max").write_text("0")
                (folder / "memory.oom.group").write_text("1")
            return folder / "memory.events"
        (folder / "memory.limit_in_bytes").write_text(str(limit))
        with contextlib.suppress(OSError):
            (folder / "memory.memsw.limit_in_bytes").write_text(str(limit))
        return folder / "memory.oom_control"

    def _limit_cpu(self, folder: Path, millis: int) -> None:
        # The kernel's least quota is a millisecond a period.
        quota = max(millis * _PERIOD_MICROS // 1000, 1000)
        if self._unified:
            (folder / "cpu.max").write_text(f"{quota} {_PERIOD_MICROS}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROS))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))


def _own_groups(path: Path) -> dict[str, str]:
    """Controller to group path; the unified hierarchy has the empty name."""
    groups: dict[str, str] = {}
    for line in _read(path).splitlines():
        _, controllers, group = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = group
    return groups


def _mounts(path: Path, root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for line in _read(path).splitlines():
        fields = line.split(" ")
        folder = root / fields[1].lstrip("/")
        if fields[2] == "cgroup2":
            found[""] = folder
        elif fields[2] == "cgroup":
            found.update(dict.fromkeys(fields[3].split(","), folder))
    return found


def _usable(mount: Path | None, group: str | None) -> Path | None:
    """The group's folder if groups can be made in it: tried, because permission bits do not tell."""
    if mount is None or group is None:
        return None
    folder = mount / group.lstrip("/")
    probe = folder / "sampan-probe"
    try:
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except OSError:
        return None
    return folder


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
