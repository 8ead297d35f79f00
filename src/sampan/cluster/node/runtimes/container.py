"""Containers with files of their own, by podman: the ContainerRuntime for images.

Each container's `podman run` is a process of the process runtime, which so gives it what it gives to all: a log in
CRI format, a stdin, a terminal, an adoption after a restart, and sockets that are led to the pod's address, because
the filter is inherited from podman by what it starts. Here are what podman has to be told besides, and what it has
to be asked: whether the command could run, how it ended. Without root the filter forbids the set-user-id programs
that podman needs, and is left out: see docs/decisions/0017. The contract is `protocol.ContainerRuntime`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sampan.client.streams import Execution, Stream
from sampan.cluster.node.runtimes import podman_command
from sampan.cluster.node.runtimes.podman import Podman, reason
from sampan.cluster.node.runtimes.process import LOST_REASON, ProcessRuntime
from sampan.cluster.node.runtimes.protocol import (
    EXIT_FILE,
    STARTED_FILE,
    AttachSpec,
    ContainerSpec,
    ExecSpec,
    Exit,
    Limits,
    RuntimeFailureError,
    read_exit,
    read_started,
)
from sampan.lib.files import replace_text
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_LOOK_SECONDS = 0.02
_START_SECONDS = 10.0
"""After which a first process counts as the container's command, whatever it is called."""
_KILL_SECONDS = 10.0
_NOT_STARTED = 128
_KILLED = 128 + signal.SIGKILL
_PREPARING = frozenset({"crun", "runc", "runc:[1:CHILD]", "runc:[2:INIT]", "krun", "3"})
"""What a container's process is called until it becomes the container's command."""
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept on disk of a container until its end is settled."""

    id: str
    folder: Path
    log: Path
    memory_bytes: int
    oom_kills: int
    """How many processes the kernel had killed for memory when it started."""

    def to_json(self) -> str:
        texts = {"id": self.id, "folder": str(self.folder), "log": str(self.log)}
        return json.dumps({**texts, "memory_bytes": self.memory_bytes, "oom_kills": self.oom_kills})

    @staticmethod
    def from_json(text: str) -> Held:
        """Raises ValueError, KeyError, TypeError."""
        data: dict[str, Any] = json.loads(text)
        folder, path = Path(data["folder"]), Path(data["log"])
        return Held(str(data["id"]), folder, path, int(data["memory_bytes"]), int(data["oom_kills"]))


class PodmanRuntime:
    """Implements ContainerRuntime for specs with an image. `processes` is opened and closed by who made it."""

    can_mount = can_overlay = True

    def __init__(self, processes: ProcessRuntime, folder: Path, podman: Podman) -> None:
        self._processes = processes
        self._folder = folder
        self._podman = podman
        self._home = podman_command.home_of(folder)
        self._held: dict[str, Held] = {}
        self._ends: dict[str, asyncio.Future[Exit]] = {}
        self._killed: set[str] = set()
        self._tasks = TaskSet("podman")

    @property
    def can_network(self) -> bool:
        return self._processes.can_network

    async def open(self) -> None:
        """After `processes` is open."""
        left = await asyncio.to_thread(self._read_held)
        living = set(self._processes.running())
        for held in left:
            self._held[held.id] = held
            self._ends[held.id] = asyncio.get_running_loop().create_future()
        await asyncio.gather(*(self._settle_left(held) for held in left if held.id not in living))
        for held in left:
            if held.id in living:
                self._tasks.spawn(self._await_end(held), name=f"end {held.id}")

    async def close(self) -> None:
        await self._tasks.close()

    def owns(self, container: str) -> bool:
        return container in self._ends

    def running(self) -> Sequence[str]:
        return [each for each in self._processes.running() if each in self._held]

    async def start(self, spec: ContainerSpec) -> str:
        options = await self._podman.options()
        held = Held(spec.id, spec.folder, spec.log, spec.limits.memory_bytes, oom_kills())
        await asyncio.to_thread(self._prepare, spec, held)
        command = podman_command.run_command(
            self._podman.path, options, spec, self._name(spec.id), self._home
        )
        client = replace(
            spec,
            argv=tuple(command),
            env=podman_command.client_env(self._podman.environ, spec.env),
            cwd="/", mounts=(), overlay=None, private_tmp=None, visible=(), termination=None,
            hostname="", mark="", limits=Limits(), program=None, image=None,
            network=spec.network if os.geteuid() == 0 else None,
        )  # fmt: skip
        self._held[spec.id] = held
        self._ends[spec.id] = asyncio.get_running_loop().create_future()
        try:
            started_at = await self._processes.start(client)
        except RuntimeFailureError:
            self._forget(held)
            raise
        task = self._tasks.spawn(self._await_end(held), name=f"end {held.id}")
        pid = await self._until_runs(held, task)
        if pid:
            await asyncio.to_thread(
                _write, held.folder / STARTED_FILE, {"pid": pid, "started_at": started_at}
            )
        else:
            await asyncio.wait({task})
            if spec.id not in self._ends:
                raise RuntimeFailureError(await asyncio.to_thread(_last_words, held.log))
        return started_at

    async def wait(self, container: str) -> Exit:
        return await asyncio.shield(self._ends[container])

    async def stop(self, container: str, grace_seconds: float, number: int = signal.SIGTERM) -> None:
        end = self._ends.get(container)
        if end is None or end.done():
            return
        if grace_seconds > 0 and await self._signal(container, number):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(end), grace_seconds)
                return
        self._killed.add(container)
        if await self._signal(container, signal.SIGKILL):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(end), _KILL_SECONDS)
                return
        # It was not made yet, or podman does not get on with it: what is left is removed at its end.
        await self._processes.stop(container, 0)
        await asyncio.wait({end})

    async def exec(self, container: str, spec: ExecSpec) -> Execution:
        options = await self._podman.options()
        mark = secrets.token_hex(8)
        command = podman_command.exec_command(self._podman.path, options, self._name(container), spec, mark)
        execution = await self._processes.exec(container, replace(spec, argv=tuple(command), env={}))
        return _Execution(execution, mark)

    async def attach(self, container: str, spec: AttachSpec) -> Execution:
        return await self._processes.attach(container, spec)

    # Ends

    async def _await_end(self, held: Held) -> None:
        end = await self._processes.wait(held.id)
        await self._settle(held, end)

    async def _settle_left(self, held: Held) -> None:
        """Of one that ended while no server ran."""
        end = read_exit(held.folder)
        if end is not None:
            await self._settle(held, end)
            return
        if read_started(held.folder) is not None or held.folder.exists():
            await self._remove(held.id)
        self._forget(held)

    async def _settle(self, held: Held, end: Exit) -> None:
        """Asks podman how it was, before it forgets; then the end is known to all."""
        try:
            found = await self._podman.inspect("container", self._name(held.id))
        except RuntimeFailureError as error:
            log.warning("podman does not tell how a container ended", container=held.id, why=error.message)
            found = {"State": {"StartedAt": end.started_at}}
        future = self._ends.get(held.id)
        if found is None and end.reason != LOST_REASON and held.id not in self._killed:
            # It never was one: podman's own failure, which is no end of a container.
            for name in (EXIT_FILE, STARTED_FILE):
                (held.folder / name).unlink(missing_ok=True)
            await self._remove(held.id)
            self._forget(held)
            return
        words = await asyncio.to_thread(_last_words, held.log)
        state = (found or {}).get("State") or {}
        killed = held.id in self._killed
        refined = how_it_ended(end, state, held, words, oom_kills(), was_killed=killed)
        if refined != end:
            await asyncio.to_thread(_write_exit, held, refined)
        await self._remove(held.id)
        self._held.pop(held.id, None)
        self._killed.discard(held.id)
        self._file(held.id).unlink(missing_ok=True)
        self._processes.forget(held.id)
        if future is not None and not future.done():
            future.set_result(refined)

    async def _until_runs(self, held: Held, end: asyncio.Task[None]) -> int:
        """The id of the container's first process; 0 when it ended before it was seen to run."""
        looks = 0
        while not end.done():
            pid = _pid(held.folder / "pid")
            looks += bool(pid)
            if pid and (_is_itself(pid) or looks * _LOOK_SECONDS > _START_SECONDS):
                return pid
            if held.id not in self._processes.running():
                return 0
            await asyncio.sleep(_LOOK_SECONDS)
        return 0

    def _forget(self, held: Held) -> None:
        self._held.pop(held.id, None)
        self._killed.discard(held.id)
        future = self._ends.pop(held.id, None)
        if future is not None:
            future.cancel()
        self._processes.forget(held.id)
        self._file(held.id).unlink(missing_ok=True)

    # Podman

    async def _signal(self, container: str, number: int) -> bool:
        """Whether it was there to get it."""
        try:
            answer = await self._podman.call("kill", "--signal", str(int(number)), self._name(container))
        except RuntimeFailureError as error:
            log.warning("container not signalled", container=container, why=error.message)
            return False
        return answer.code == 0

    async def _remove(self, container: str) -> None:
        try:
            answer = await self._podman.call(
                "rm", "--force", "--ignore", "--time", "0", self._name(container)
            )
        except RuntimeFailureError as error:
            log.warning("container not removed", container=container, why=error.message)
            return
        if answer.code:
            log.warning("container not removed", container=container, why=answer.why)

    def _name(self, container: str) -> str:
        return podman_command.name_of(self._home, _digest(container))

    def _file(self, container: str) -> Path:
        return self._folder / f"{_digest(container)}.json"

    def _prepare(self, spec: ContainerSpec, held: Held) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in (spec.folder, *spec.folders):
            folder.mkdir(parents=True, exist_ok=True)
        if spec.termination is not None:
            spec.termination[0].touch()
            spec.termination[0].chmod(0o666)
        (spec.folder / "pid").unlink(missing_ok=True)
        self._file(spec.id).write_text(held.to_json())

    def _read_held(self) -> list[Held]:
        found: list[Held] = []
        for file in self._folder.glob("*.json"):
            try:
                found.append(Held.from_json(file.read_text()))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("record of a container not understood", file=str(file), why=str(error))
        return found


class _Execution:
    """A command in a container: as that of podman's process, whose death alone would not end it."""

    def __init__(self, execution: Execution, mark: str) -> None:
        self._execution = execution
        self._mark = mark

    async def write(self, data: bytes) -> None:
        await self._execution.write(data)

    async def close_stdin(self) -> None:
        await self._execution.close_stdin()

    async def read(self, stream: Stream) -> bytes:
        return await self._execution.read(stream)

    def resize(self, columns: int, rows: int) -> None:
        self._execution.resize(columns, rows)

    async def wait(self) -> int:
        return await self._execution.wait()

    async def close(self) -> None:
        ending = asyncio.ensure_future(self._execution.wait())
        try:
            # Its time to react to the end of its streams is that of any command.
            await self._execution.close()
            if not ending.done() or ending.cancelled():
                await asyncio.to_thread(_kill_marked, self._mark)
        finally:
            ending.cancel()


def how_it_ended(
    end: Exit, state: dict[str, Any], held: Held, words: str, kills: int, *, was_killed: bool
) -> Exit:
    """What podman's process and podman say together. Pure."""
    never_ran = str(state.get("StartedAt") or "0001").startswith("0001")
    if never_ran and not was_killed and end.reason != LOST_REASON:
        code = end.exit_code if end.exit_code in (126, 127) else _NOT_STARTED
        return replace(end, exit_code=code, signal=0, reason="StartError", message=words)
    # Podman sees it only where the kernel tells it in time; a kill that nobody asked for, of a container with a
    # limit, while the kernel killed for memory, is one too.
    kills_grew = kills > held.oom_kills and held.memory_bytes > 0
    oom = bool(state.get("OOMKilled")) or (end.exit_code == _KILLED and kills_grew and not was_killed)
    return replace(end, oom=oom) if oom else end


def oom_kills() -> int:
    """How many processes the kernel has killed for memory since it started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _digest(container: str) -> str:
    return hashlib.sha256(container.encode()).hexdigest()[:16]


def _pid(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _is_itself(pid: int) -> bool:
    """Whether the process has become the container's command, or is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() not in _PREPARING
    except OSError:
        return True


def _last_words(path: Path) -> str:
    """What podman said last in the log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _TAIL_BYTES, 0))
            records = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "podman ended without a word"
    texts = [fields[3] for record in records if len(fields := record.split(" ", 3)) == 4]
    return reason("\n".join(texts)) or "podman ended without a word"


def _write(path: Path, record: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        replace_text(path, json.dumps(record))


def _write_exit(held: Held, end: Exit) -> None:
    texts = {"reason": end.reason, "message": end.message}
    times = {"started_at": end.started_at, "finished_at": end.finished_at}
    numbers = {"exit_code": end.exit_code, "signal": end.signal, "oom": end.oom}
    _write(held.folder / EXIT_FILE, {"id": held.id, **numbers, **times, **texts})


def _kill_marked(mark: str) -> None:
    """The command that has it, and who shares its session. What left that session lives on."""
    entry = f"{podman_command.EXEC_MARK}={mark}".encode()
    marked: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if entry in (folder / "environ").read_bytes().split(b"\0"):
                    marked.append(int(folder.name))
    first = {pid for pid in marked if _session(pid) == pid} or set(marked[:1])
    for pid in marked:
        if pid in first or _session(pid) in first:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
