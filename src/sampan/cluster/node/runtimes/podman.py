"""The podman command line: finding the options with which it works on this machine, and calling it.

Used by `container` (containers) and by `images` of the node (images). Nothing here knows pods. Written against
podman 4.3; of its options only those are used that later versions have too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.cluster.node.runtimes.protocol import RuntimeFailureError
from sampan.lib.log import get_logger

log = get_logger(__name__)

PROGRAM = "podman"
CALL_SECONDS = 60.0
_PROBE = "/sampan-probe"
_CAP_SYS_RESOURCE = 24
_PODMAN_NPROC = 32768
"""What podman itself may have of processes: it lowers its own limit to this."""


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    stdout: bytes
    stderr: str

    @property
    def why(self) -> str:
        """The reason of a failure, in podman's words."""
        return reason(self.stderr) or f"podman ended with {self.code}"


@dataclass(frozen=True, slots=True)
class Options:
    """With which podman works here: before its command, and after `run`."""

    general: tuple[str, ...] = ()
    run: tuple[str, ...] = ()


def reason(text: str) -> str:
    """What podman complains of: its last `Error:` line, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error: ")]
    return (errors or lines or [""])[-1].removeprefix("Error: ")


def own_limits(capabilities: int, nofile: int, nproc: int) -> tuple[str, ...]:
    """Who may not raise limits must be asked for no more than there is: podman's defaults are higher."""
    if capabilities >> _CAP_SYS_RESOURCE & 1:
        return ()
    processes = _PODMAN_NPROC if nproc < 0 else min(nproc, _PODMAN_NPROC)
    files = nofile if nofile >= 0 else 1024 * 1024
    return ("--ulimit", f"nofile={files}:{files}", "--ulimit", f"nproc={processes}:{processes}")


class Podman:
    """For one event loop. `folder` is for what the probe needs; it is made when first used."""

    def __init__(
        self, folder: Path, *, program: str = PROGRAM, environ: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._environ = dict(os.environ if environ is None else environ)
        self.path = shutil.which(program, path=self._environ.get("PATH")) or ""
        self._options: Options | None = None
        self._lock = asyncio.Lock()

    @property
    def is_installed(self) -> bool:
        return bool(self.path)

    @property
    def environ(self) -> Mapping[str, str]:
        """The server's own variables, which say where podman keeps what it has."""
        return self._environ

    async def options(self) -> Options:
        """Tried once, with a container that has no files. Raises RuntimeFailureError, with podman's reason."""
        async with self._lock:
            if self._options is None:
                self._options = await self._probe()
            return self._options

    async def call(self, *arguments: str, seconds: float | None = CALL_SECONDS) -> Answer:
        """Raises RuntimeFailureError where podman is not there, or does not answer. Its child dies with the call."""
        if not self.path:
            raise RuntimeFailureError(
                "podman is not installed here: install it (apt-get install podman), or let pods run as processes"
            )
        try:
            process = await asyncio.create_subprocess_exec(
                self.path, *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=self._environ, cwd="/",
            )  # fmt: skip
        except OSError as error:
            raise RuntimeFailureError(f"{self.path} cannot be started: {error}") from error
        try:
            async with asyncio.timeout(seconds):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            raise RuntimeFailureError(f"podman {arguments[0]} did not end within {seconds:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        return Answer(process.returncode or 0, stdout, stderr.decode(errors="replace"))

    async def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What podman knows of an image or a container; None when there is none. Raises RuntimeFailureError."""
        answer = await self.call(kind, "inspect", name)
        if answer.code:
            return None
        found: list[dict[str, Any]] = json.loads(answer.stdout)
        return found[0] if found else None

    async def _probe(self) -> Options:
        limits = own_limits(
            _capabilities(),
            resource.getrlimit(resource.RLIMIT_NOFILE)[1],
            resource.getrlimit(resource.RLIMIT_NPROC)[1],
        )
        root = self._folder / "probe"
        root.mkdir(parents=True, exist_ok=True)
        failures: list[str] = []
        for options in _candidates(limits):
            answer = await self.call(*_probe_command(options, root))
            # It has none of the files it is asked to run: all went well up to there.
            if answer.code == 127 or (
                answer.code and _PROBE in answer.stderr and "no such file" in answer.stderr
            ):
                log.info("podman works", general=" ".join(options.general), run=" ".join(options.run))
                return options
            failures.append(answer.why)
        raise RuntimeFailureError(f"podman cannot run containers here: {failures[0]}")


def _candidates(limits: Sequence[str]) -> list[Options]:
    """From what podman is set up for to what works on odd machines: the other OCI runtime, no control groups."""
    own = tuple(limits)
    found = [Options((), own)]
    found += [Options(("--runtime", name), own) for name in ("crun", "runc") if shutil.which(name)]
    return [*found, Options((), (*own, "--cgroups=disabled"))]


def _probe_command(options: Options, root: Path) -> list[str]:
    flags = ("--rm", "--network", "host", "--log-driver", "none")
    return [*options.general, "run", *flags, *options.run, "--rootfs", str(root), _PROBE]


def _capabilities() -> int:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in text.splitlines() if line.startswith("CapEff:")), 0)
