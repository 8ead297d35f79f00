"""Streams into a container: what `exec`, `attach` and `port-forward` are, whoever serves and whoever carries them.

The seams of the client, of the API server and of the node's runtimes share these. Bytes only; nobody buffers more than
a piece: who does not read slows down who writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """As the query of `GET …/pods/NAME/exec`. `container` may be empty where the pod has but one."""

    command: tuple[str, ...]
    container: str = ""
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """As the query of `GET …/pods/NAME/attach`; `tty` must be what the container has."""

    container: str = ""
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


class Execution(Protocol):
    """A command, or a container that one is attached to. Each stream has one reader or writer at a time. Close it."""

    async def write(self, data: bytes) -> None:
        """To stdin; returns once it is taken. Dropped where there is no stdin, or nobody reads it any more."""
        ...

    async def close_stdin(self) -> None: ...

    async def read(self, stream: Stream) -> bytes:
        """What comes next, or nothing at the end of the stream, and for one that was not asked for."""
        ...

    def resize(self, columns: int, rows: int) -> None:
        """Of the terminal; nothing happens without one."""
        ...

    async def wait(self) -> int:
        """The exit code: 128 and the number of the signal for one that was killed."""
        ...

    async def close(self) -> None:
        """Lets go of the streams; a command that still runs is ended."""
        ...


class Duplex(Protocol):
    """One connection, such as to a port of a pod."""

    async def read(self) -> bytes:
        """What comes next, or nothing at the end. Raises OSError when the connection broke."""
        ...

    async def write(self, data: bytes) -> None:
        """Returns once it is on its way. Raises OSError."""
        ...

    async def end(self) -> None:
        """Nothing more is written; what comes can still be read."""
        ...

    async def close(self) -> None: ...
