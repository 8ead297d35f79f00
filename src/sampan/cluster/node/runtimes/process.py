"""Containers as processes of this machine: the ContainerRuntime that needs nothing but Python.

The work is done by launchers (`launcher`), which outlive this process; here are the choice of the launcher, the
limits, and the bookkeeping of ends. See `protocol.ContainerRuntime` for the contract.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.client.streams import Execution
from sampan.cluster.node.layout import pod_uid
from sampan.cluster.node.runtimes import executions, strays
from sampan.cluster.node.runtimes.cgroups import CgroupPlan, Cgroups
from sampan.cluster.node.runtimes.memory import MemoryWatch, Watched
from sampan.cluster.node.runtimes.pool import Launcher, LauncherPool
from sampan.cluster.node.runtimes.protocol import (
    EXIT_FILE,
    STARTED_FILE,
    AttachSpec,
    ContainerSpec,
    ExecSpec,
    Exit,
    RuntimeFailureError,
    exit_from,
    read_exit,
)
from sampan.cluster.node.settings import NodeSettings
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_SWEEP_SECONDS = 30
# Containers go first when the machine itself runs out of memory, the server last.
_OOM_SCORE_ADJ = 500
LOST_REASON = "ContainerStatusUnknown"
LOST_MESSAGE = "The container could not be located when the pod was terminated"


class ProcessRuntime:
    """Implements ContainerRuntime. `folder` holds the launchers' sockets."""

    def __init__(self, folder: Path, clock: Clock, settings: NodeSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._folder = folder
        self._tasks = TaskSet("runtime")
        self._ends: dict[str, asyncio.Future[Exit]] = {}
        self._pids: dict[str, int] = {}
        self._memory = MemoryWatch(self._kill_for_memory)
        self._cgroups = Cgroups.detect(f"sampan-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}-")
        self._pool = LauncherPool(
            folder, warm_limit=settings.warm_limit, on_exit=self._exited, on_lost=self._lost
        )

    @property
    def can_mount(self) -> bool:
        return self._pool.can_mount

    @property
    def can_overlay(self) -> bool:
        return self._pool.can_overlay

    @property
    def can_network(self) -> bool:
        return self._pool.can_network

    async def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._pool.open()
        for container in self._pool.running():
            self._ends[container] = asyncio.get_running_loop().create_future()
        self._tasks.spawn(self._memory.run(), name="memory")
        self._tasks.spawn(self._sweep(), name="sweep")

    async def close(self) -> None:
        await self._tasks.close()
        await self._pool.close()

    def running(self) -> Sequence[str]:
        return self._pool.running()

    async def start(self, spec: ContainerSpec) -> str:
        launcher, warm = await self._launcher(spec)
        plan = self._limit(spec)
        self._ends[spec.id] = asyncio.get_running_loop().create_future()
        launcher.containers.add(spec.id)
        try:
            message = _message(spec, plan, self._folder / "dev", warm=warm)
            message["log_max_bytes"] = self._settings.log_max_bytes
            answer = await launcher.request("start", spec=message, env=dict(spec.env))
        except RuntimeFailureError:
            # A launcher that died has settled the end already; one that refused has not.
            if spec.id in launcher.containers and launcher.is_open:
                launcher.containers.discard(spec.id)
                self._ends.pop(spec.id, None)
            raise
        self._pids[spec.id] = answer["pid"]
        if spec.limits.memory_bytes and plan.oom_events is None:
            self._memory.add(Watched(spec.id, answer["pid"], spec.limits.memory_bytes))
        return str(answer["started_at"])

    async def wait(self, container: str) -> Exit:
        return await asyncio.shield(self._ends[container])

    async def stop(self, container: str, grace_seconds: float, number: int = signal.SIGTERM) -> None:
        end = self._ends.get(container)
        launcher = self._pool.of(container)
        if end is None or end.done() or launcher is None:
            return
        with contextlib.suppress(RuntimeFailureError, TimeoutError):
            if grace_seconds > 0:
                await launcher.request("signal", container=container, signal=int(number))
                await asyncio.wait_for(asyncio.shield(end), grace_seconds)
                return
        with contextlib.suppress(RuntimeFailureError):
            await launcher.request("signal", container=container, signal=int(signal.SIGKILL))
        await asyncio.shield(end)

    async def exec(self, container: str, spec: ExecSpec) -> Execution:
        return await executions.execute(self._running_launcher(container).socket, container, spec)

    async def attach(self, container: str, spec: AttachSpec) -> Execution:
        launcher = self._running_launcher(container)
        return await executions.attach(launcher.socket, container, spec, self._ends[container])

    def _running_launcher(self, container: str) -> Launcher:
        launcher = self._pool.of(container)
        if launcher is None or container not in self._ends:
            raise RuntimeFailureError("the container does not run")
        return launcher

    def forget(self, container: str) -> None:
        """Its end is no longer of interest."""
        self._ends.pop(container, None)

    async def _launcher(self, spec: ContainerSpec) -> tuple[Launcher, bool]:
        if spec.program is not None and self._settings.warm:
            try:
                return await self._pool.warm(spec.program, spec.env), True
            except RuntimeFailureError as error:
                # The slow path does the same, and shows the user what is wrong with the interpreter.
                log.warning("no warm interpreter", environment=spec.program.environment, why=error.message)
        return await self._pool.cold(), False

    def _limit(self, spec: ContainerSpec) -> CgroupPlan:
        if not spec.limits.memory_bytes and not spec.limits.cpu_millis:
            return CgroupPlan()
        try:
            return self._cgroups.create(spec.id, spec.limits)
        except OSError as error:
            log.warning("no control group", container=spec.id, why=str(error))
            return CgroupPlan()

    def _exited(self, record: Mapping[str, Any]) -> None:
        container = str(record["id"])
        self._memory.remove(container)
        self._pids.pop(container, None)
        end = self._ends.get(container)
        if end is not None and not end.done():
            end.set_result(exit_from(record))

    def _lost(self, containers: set[str]) -> None:
        """Their launcher died, and by the kernel's promise they with it; what they left is killed here."""
        for container in containers:
            pid = self._pids.pop(container, None)
            if pid is not None:
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
        self._tasks.spawn(self._settle_lost(set(containers)), name="lost")

    async def _settle_lost(self, containers: set[str]) -> None:
        # Before anybody hears of the end and starts the next one, which may want the same port.
        await self.kill_strays(map(pod_uid, containers))
        for container in containers:
            self._exited({"id": container, **lost_record(self._clock)})

    async def kill_strays(self, pods: Iterable[str]) -> None:
        """Ends what is left of these pods' containers without a launcher above it."""
        killed = await asyncio.to_thread(strays.kill, set(pods), set(self._pool.pids()))
        if killed:
            log.warning("processes without a launcher ended", count=killed)

    def _kill_for_memory(self, container: str) -> None:
        launcher = self._pool.of(container)
        self._memory.remove(container)
        if launcher is not None:
            kill = launcher.request("signal", container=container, signal=int(signal.SIGKILL), oom=True)
            self._tasks.spawn(kill, name="memory kill")

    async def _sweep(self) -> None:
        while True:
            self._cgroups.sweep(keep=[each for each, end in self._ends.items() if not end.done()])
            await asyncio.sleep(_SWEEP_SECONDS)
            self._pool.close_idle(self._settings.warm_idle_seconds)


def lost_record(clock: Clock) -> dict[str, Any]:
    """The end of a container of which nobody knows how it ended, as the kubelet reports it."""
    return {
        "exit_code": 137,
        "reason": LOST_REASON,
        "message": LOST_MESSAGE,
        "finished_at": rfc3339(clock.now()),
    }


def end_on_disk(folder: Path, clock: Clock) -> Exit:
    """The end of a container that started earlier and does not run: what its folder says, or unknown."""
    return read_exit(folder) or exit_from(lost_record(clock))


def _message(spec: ContainerSpec, plan: CgroupPlan, devices: Path, *, warm: bool) -> dict[str, Any]:
    """The spec as the launcher takes it. It goes over the socket only: variables may be secrets."""
    program = spec.program if warm else None
    return {
        "id": spec.id,
        "argv": list(spec.argv),
        "cwd": spec.cwd,
        "log": str(spec.log),
        "exit": str(spec.folder / EXIT_FILE),
        "started": str(spec.folder / STARTED_FILE),
        "scratch": str(spec.scratch),
        "devices": str(devices),
        "mounts": [
            {"source": str(m.source), "target": m.target, "read_only": m.read_only} for m in spec.mounts
        ],
        "tmp": str(spec.private_tmp) if spec.private_tmp else None,
        "visible": list(spec.visible),
        "folders": [str(folder) for folder in spec.folders],
        "overlay": _overlay(spec),
        "termination": [str(spec.termination[0]), spec.termination[1]] if spec.termination else None,
        "mark": spec.mark,
        "hostname": spec.hostname,
        "network": None
        if spec.network is None
        else {"address": spec.network.address, "routes": str(spec.network.routes)},
        "stdin": spec.stdin,
        "stdin_once": spec.stdin_once,
        "tty": spec.tty,
        "umask": 0o022,
        "oom_score_adj": _OOM_SCORE_ADJ,
        "cgroup_procs": plan.procs,
        "cgroups": [str(folder) for folder in plan.folders],
        "oom_events": str(plan.oom_events) if plan.oom_events else "",
        "program": None
        if program is None
        else {
            "module": program.module,
            "argv": list(program.argv),
            "source": program.source,
            "source_name": program.source_name,
            "executable": program.executable,
            "prefix": program.prefix,
            "shell": program.shell,
        },
    }


def _overlay(spec: ContainerSpec) -> list[str] | None:
    """Lower, upper and work folder; the last two are the container's own."""
    if spec.overlay is None:
        return None
    return [str(spec.overlay), str(spec.folder / "written"), str(spec.folder / "overlay")]
