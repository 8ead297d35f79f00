"""The seam between the node agent and whatever runs containers.

A container is named by the agent, once and for all: `POD_UID/NAME/RESTART`. A runtime keeps on disk what a restarted
server must find again, and writes the container's log in CRI format; it knows no pods and no API.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import Protocol

from sampan.client.streams import Execution, Stream

EXIT_FILE, STARTED_FILE = "exit.json", "started.json"


class RuntimeFailureError(Exception):
    """The runtime itself failed, not the container: `message` says what, and what may help."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Mount:
    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class WarmProgram:
    """A Python program that may be forked from a warm interpreter instead of being executed."""

    environment: str
    """Names the environment whose interpreter it is, by content."""
    python: Path
    preload: tuple[str, ...]
    module: str
    argv: tuple[str, ...]
    source: str | None = None
    source_name: str = ""
    executable: str = ""
    """What `sys.executable` is to be; the interpreter's own when empty."""
    prefix: str = ""
    """A virtual environment layered over it, as `sys.prefix`; none when empty."""
    shell: bool = False
    """Whether a shell would wait for it, and say in the log how it was killed."""
    key_env: Mapping[str, str] = field(default_factory=dict)
    """Variables that modules read while they are preloaded: programs with others get another interpreter."""
    is_dear: bool = False
    """Whether what is preloaded takes seconds, for which a request would wait: kept for longer when it is unused."""


@dataclass(frozen=True, slots=True)
class Limits:
    """0 means none."""

    memory_bytes: int = 0
    cpu_millis: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """Where the sockets of a container lead."""

    address: str
    """Its pod's own; empty for a pod in the network of the host."""
    routes: Path
    """The folder in which a file for each Service names its endpoints."""


@dataclass(frozen=True, slots=True)
class ImageRun:
    """A container whose files come from an image that the runtime holds, and the rights it has there."""

    image: str
    """The id of the image, so that what was inspected is what runs."""
    workdir: str = ""
    """Empty for the image's own."""
    user: str = ""
    """UID, UID:GID, or empty for the image's own."""
    groups: tuple[int, ...] = ()
    read_only: bool = False
    privileged: bool = False
    no_new_privileges: bool = False
    unconfined: bool = False
    """Without the runtime's usual filter of system calls."""
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    """Names of the Container Device Interface, such as nvidia.com/gpu=0."""
    host_pid: bool = False
    host_ipc: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """All that a container needs to start. Paths are absolute."""

    id: str
    folder: Path
    """The container's own, made at its start: the started and exit files lie in it."""
    log: Path
    argv: tuple[str, ...]
    """Executed, unless `program` is set and a warm interpreter can be had."""
    env: Mapping[str, str]
    cwd: str
    scratch: Path
    """A folder of the pod's for mount points that the machine lacks."""
    folders: tuple[Path, ...] = ()
    """Made before the start, where they are missing."""
    mounts: tuple[Mount, ...] = ()
    overlay: Path | None = None
    """A folder that the container may write without changing it for others; needs `can_overlay`."""
    private_tmp: Path | None = None
    visible: tuple[str, ...] = ()
    """Folders below /tmp that must be seen though /tmp is private."""
    termination: tuple[Path, str] | None = None
    """A file that the container may write its last words to, and where it sees that; needs `can_mount`."""
    hostname: str = ""
    network: Network | None = None
    """None where sockets are the machine's; needs `can_network`."""
    mark: str = ""
    """An entry of `env` that only this pod's processes have."""
    limits: Limits = Limits()
    program: WarmProgram | None = None
    image: ImageRun | None = None
    """Set for a container with files of its own. `cwd`, `overlay`, `private_tmp` and `program` mean nothing then."""
    stdin: bool = False
    """Whether it has one, which stays open while nobody is attached; else it reads an end at once."""
    stdin_once: bool = False
    """Whether that ends with the first who was attached."""
    tty: bool = False


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A command in a running container. A terminal has one output, stdout."""

    argv: tuple[str, ...]
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    """Besides the container's own."""


@dataclass(frozen=True, slots=True)
class AttachSpec:
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True


class ExecFailedError(Exception):
    """The command could not be executed: `exit_code` is 127 for one that is missing, 126 for one that cannot run."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended. `exit_code` is 128 + the signal's number for one killed by a signal."""

    exit_code: int
    started_at: str
    """RFC 3339; empty when it is not known."""
    finished_at: str
    signal: int = 0
    oom: bool = False
    reason: str = ""
    """StartError, ContainerStatusUnknown, or empty for an ordinary end."""
    message: str = ""


class ContainerRuntime(Protocol):
    """Contract: one event loop; calls may run concurrently; nothing blocks the loop.

    * A container that was started ends in exactly one Exit, whatever happens to server or runtime.
    * When an Exit is seen, the log is complete and the exit file written (save on a full disk).
    * Failures of the runtime are RuntimeFailureError; a command that cannot be executed is no failure but an Exit
      with the reason StartError.
    """

    @property
    def can_mount(self) -> bool:
        """Whether `mounts` and `private_tmp` can be had. Known after `open`."""
        ...

    @property
    def can_overlay(self) -> bool:
        """Whether `overlay` can be had."""
        ...

    @property
    def can_network(self) -> bool:
        """Whether `network` can be had."""
        ...

    async def open(self) -> None:
        """Finds again what an earlier server left running."""
        ...

    async def close(self) -> None:
        """Lets go. Containers run on."""
        ...

    def running(self) -> Sequence[str]:
        """Ids of the containers that run now, also those of an earlier server."""
        ...

    async def start(self, spec: ContainerSpec) -> str:
        """Returns when the command runs, or could not be executed: the time, in RFC 3339."""
        ...

    async def wait(self, container: str) -> Exit:
        """For a container that was started here or is `running`. KeyError for another."""
        ...

    async def stop(self, container: str, grace_seconds: float, number: int = SIGTERM) -> None:
        """The signal `number`, then SIGKILL, to all its processes.

        Returns at the end; nothing happens for an unknown one.
        """
        ...

    async def exec(self, container: str, spec: ExecSpec) -> Execution:
        """Starts a command with the container's files, variables, working directory and limits.

        It dies with the container, and with `close`; what it leaves in the background lives on in the container.
        Raises RuntimeFailureError when the container does not run. A command that cannot be executed raises
        ExecFailedError, or says why on stderr and ends with its exit code.
        """
        ...

    async def attach(self, container: str, spec: AttachSpec) -> Execution:
        """The container's own stdin, and its output from now on; `close` leaves it running.

        Who does not read makes the container wait, for a minute at most. RuntimeFailureError as above.
        """
        ...


async def output_of(execution: Execution, limit: int = 64 * 1024) -> tuple[int, bytes]:
    """Exit code and the first `limit` bytes of both outputs, for probes and hooks. Closes it, when cancelled too."""
    kept = bytearray()

    async def drain(stream: Stream) -> None:
        while data := await execution.read(stream):
            kept.extend(data[: max(limit - len(kept), 0)])

    try:
        await asyncio.gather(drain("stdout"), drain("stderr"))
        return await execution.wait(), bytes(kept)
    finally:
        await execution.close()


def read_exit(folder: Path) -> Exit | None:
    """The end that a container's folder tells, or None."""
    record = _read(folder / EXIT_FILE)
    return None if record is None else exit_from(record)


def exit_from(record: Mapping[str, object]) -> Exit:
    """The Exit that an exit file, or a launcher's event, describes."""
    return Exit(
        exit_code=int(str(record.get("exit_code", 137))),
        started_at=str(record.get("started_at", "")),
        finished_at=str(record.get("finished_at", "")),
        signal=int(str(record.get("signal", 0))),
        oom=bool(record.get("oom")),
        reason=str(record.get("reason", "")),
        message=str(record.get("message", "")),
    )


def read_started(folder: Path) -> tuple[int, str] | None:
    """Process id and start time of a container that has run, or None."""
    record = _read(folder / STARTED_FILE)
    return None if record is None else (int(str(record["pid"])), str(record["started_at"]))


def _read(path: Path) -> dict[str, object] | None:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
