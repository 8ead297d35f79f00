"""The launchers of one home: one that executes commands, and warm interpreters, a few, the least used going first.

`process.ProcessRuntime` asks for the launcher that a container needs; nothing here knows what a container is.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sampan.cluster.node.runtimes.connection import PROGRAM, LauncherConnection, connect, launch
from sampan.cluster.node.runtimes.protocol import RuntimeFailureError, WarmProgram
from sampan.lib.log import get_logger

log = get_logger(__name__)

# Variables that an interpreter, its C library or a module that is preloaded reads before the program runs.
_READ_EARLY = ("PYTHON", "LC_", "LD_", "MALLOC_", "PROTOCOL_BUFFERS_")
_DEAR = 6
_READ_EARLY_NAMES = frozenset({"LANG", "LANGUAGE", "TZ", "GLIBC_TUNABLES", "GCONV_PATH"})


class Launcher:
    """A running launcher and the containers it is known to have."""

    def __init__(self, name: str, pool: LauncherPool) -> None:
        self.name = name
        self.containers: set[str] = set()
        self.used_at = time.monotonic()
        self.can_mount = self.can_overlay = self.can_network = False
        self.is_dear = False
        self.socket = Path()
        self.pid = 0
        self._pool = pool
        self._connection: LauncherConnection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None and self._connection.is_open

    @property
    def is_idle(self) -> bool:
        return not self.containers

    async def connect(self, socket: Path) -> list[dict[str, Any]]:
        """The containers that it runs. Raises OSError when nobody listens, RuntimeFailureError."""
        self.socket = socket
        self._connection = await connect(socket, self._exited, self._lost)
        hello = await self.request("hello")
        self.pid = int(hello["pid"])
        self.can_mount, self.can_overlay = bool(hello["mounts"]), bool(hello["overlays"])
        self.can_network = bool(hello.get("network"))
        found: list[dict[str, Any]] = (await self.request("list"))["containers"]
        self.containers |= {str(each["id"]) for each in found}
        return found

    async def request(self, op: str, **fields: Any) -> dict[str, Any]:
        if self._connection is None:
            raise RuntimeFailureError("the launcher of containers is gone")
        self.used_at = time.monotonic()
        return await self._connection.request(op, **fields)

    def close(self) -> None:
        """One without containers ends when nobody is connected."""
        if self._connection is not None:
            self._connection.close()

    def _exited(self, record: dict[str, Any]) -> None:
        self.containers.discard(str(record["id"]))
        self.used_at = time.monotonic()
        self._pool.exited(record)

    def _lost(self) -> None:
        self._pool.lost(self)


class LauncherPool:
    """`on_exit` gets each exit record, `on_lost` the containers of a launcher that died."""

    def __init__(
        self,
        folder: Path,
        *,
        warm_limit: int,
        on_exit: Callable[[dict[str, Any]], None],
        on_lost: Callable[[set[str]], None],
    ) -> None:
        self._folder = folder
        self._warm_limit = warm_limit
        self._on_exit = on_exit
        self._on_lost = on_lost
        self._launchers: dict[str, Launcher] = {}
        self._starting: dict[str, asyncio.Task[Launcher]] = {}
        self._closing = False
        # What the kernel allows, once a launcher has found out: it stays so when that launcher is gone.
        self.can_mount = self.can_overlay = self.can_network = False
        # Two versions of Sampan may follow each other in one home: a launcher serves only its own.
        self._version = _digest(PROGRAM.parent)

    async def open(self) -> None:
        """Connects to the launchers that still run, whatever their version, and starts the cold one."""
        for socket in sorted(self._folder.glob("*.sock")):
            launcher = Launcher(socket.stem, self)
            try:
                await launcher.connect(socket)
            except (OSError, RuntimeFailureError):
                _forget(socket)
                continue
            self._admit(launcher)
        await self.cold()

    async def close(self) -> None:
        self._closing = True
        for task in list(self._starting.values()):
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        for launcher in self._launchers.values():
            launcher.close()

    def running(self) -> list[str]:
        return [each for launcher in self._launchers.values() for each in launcher.containers]

    def pids(self) -> list[int]:
        return [launcher.pid for launcher in self._launchers.values()]

    def of(self, container: str) -> Launcher | None:
        return next((each for each in self._launchers.values() if container in each.containers), None)

    async def cold(self) -> Launcher:
        """Raises RuntimeFailureError."""
        env = {"PATH": os.defpath, "LANG": "C.UTF-8"}
        return await self._get(f"cold-{self._version}", Path(sys.executable), env, None)

    async def warm(self, program: WarmProgram, env: Mapping[str, str]) -> Launcher:
        """The interpreter for `program` with the variables `env`. Raises RuntimeFailureError."""
        early = {**_read_early(env), **program.key_env}
        identity = [
            self._version,
            program.environment,
            str(program.python),
            *program.preload,
            repr(sorted(early.items())),
        ]
        key = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
        early.setdefault("PATH", os.defpath)
        # Packages that the server's user keeps at home are no part of the environment.
        early.setdefault("HOME", "/nonexistent")
        launcher = await self._get(f"warm-{key}", program.python, early, program.preload)
        launcher.is_dear = program.is_dear
        self._make_room()
        return launcher

    def close_idle(self, seconds: float) -> None:
        """Ends warm launchers that nobody used for so long."""
        for launcher in self._idle_warm():
            if time.monotonic() - launcher.used_at > (seconds * _DEAR if launcher.is_dear else seconds):
                launcher.close()

    def exited(self, record: dict[str, Any]) -> None:
        self._on_exit(record)

    def lost(self, launcher: Launcher) -> None:
        if self._launchers.get(launcher.name) is launcher:
            del self._launchers[launcher.name]
        if launcher.containers and not self._closing:
            log.error(
                "a launcher died with containers", launcher=launcher.name, containers=len(launcher.containers)
            )
            self._on_lost(launcher.containers)

    async def _get(
        self, name: str, python: Path, env: Mapping[str, str], preload: tuple[str, ...] | None
    ) -> Launcher:
        launcher = self._launchers.get(name)
        if launcher is not None and launcher.is_open:
            return launcher
        task = self._starting.get(name)
        if task is None:
            task = asyncio.create_task(self._start(name, python, env, preload))
            self._starting[name] = task
            task.add_done_callback(lambda _: self._starting.pop(name, None))
        # Shielded: others wait for the same start.
        return await asyncio.shield(task)

    async def _start(
        self, name: str, python: Path, env: Mapping[str, str], preload: tuple[str, ...] | None
    ) -> Launcher:
        socket = self._folder / f"{name}.sock"
        await launch(socket, python, env, preload=preload)
        launcher = Launcher(name, self)
        try:
            await launcher.connect(socket)
        except OSError as error:
            raise RuntimeFailureError(f"{python} ended at once, see {socket.with_suffix('.log')}") from error
        self._admit(launcher)
        return launcher

    def _admit(self, launcher: Launcher) -> None:
        self._launchers[launcher.name] = launcher
        self.can_mount = self.can_mount or launcher.can_mount
        self.can_overlay = self.can_overlay or launcher.can_overlay
        self.can_network = self.can_network or launcher.can_network

    def _make_room(self) -> None:
        warm = sum(1 for name in self._launchers if name.startswith("warm-"))
        for launcher in self._idle_warm():
            if warm <= self._warm_limit:
                return
            if time.monotonic() - launcher.used_at > 1.0:
                launcher.close()
                warm -= 1

    def _idle_warm(self) -> list[Launcher]:
        """Least recently used first."""
        idle = [each for each in self._launchers.values() if each.name.startswith("warm-") and each.is_idle]
        return sorted(idle, key=lambda each: each.used_at)


def _read_early(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in env.items()
        if name in _READ_EARLY_NAMES or name.startswith(_READ_EARLY)
    }


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def _forget(socket: Path) -> None:
    for path in (socket, socket.with_suffix(".log")):
        with contextlib.suppress(OSError):
            path.unlink()
