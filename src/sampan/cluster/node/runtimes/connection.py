"""One launcher as the server sees it: starting the program, and a conversation over its socket."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sampan.cluster.node.runtimes.protocol import RuntimeFailureError

PROGRAM = Path(__file__).with_name("launcher") / "__main__.py"


class LauncherConnection(asyncio.Protocol):
    """Requests get their answers; exits and the end of the connection go to the callbacks."""

    def __init__(self, on_exit: Callable[[dict[str, Any]], None], on_lost: Callable[[], None]) -> None:
        self._on_exit = on_exit
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0

    async def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Raises RuntimeFailureError for a refusal, and when the launcher dies before it answers."""
        if self._transport is None or self._transport.is_closing():
            raise RuntimeFailureError("the launcher of containers is gone")
        self._count += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._count] = answer
        self._transport.write(json.dumps({"op": op, "id": self._count, **fields}).encode() + b"\n")
        found = await answer
        if "error" in found:
            raise RuntimeFailureError(str(found["error"]))
        return found

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not checked: uvloop's transports are no asyncio.Transport by inheritance.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message.get("event") == "exited":
                self._on_exit(message["exit"])
            elif (answer := self._answers.pop(message.get("id"), None)) is not None and not answer.done():
                answer.set_result(message)

    def connection_lost(self, exc: Exception | None) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result({"error": "the launcher of containers ended"})
        self._answers.clear()
        self._on_lost()


async def connect(
    socket: Path, on_exit: Callable[[dict[str, Any]], None], on_lost: Callable[[], None]
) -> LauncherConnection:
    """Raises OSError when nobody listens."""
    loop = asyncio.get_running_loop()
    # By way of an open folder, because a socket's path may have 107 bytes only.
    folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        _, connection = await loop.create_unix_connection(
            lambda: LauncherConnection(on_exit, on_lost), f"/proc/self/fd/{folder}/{socket.name}"
        )
    finally:
        os.close(folder)
    return connection


async def launch(
    socket: Path, python: Path, env: Mapping[str, str], *, preload: Sequence[str] | None = None
) -> None:
    """Starts a launcher that listens on `socket`; `preload` None makes a cold one.

    It leaves our session and our children: it is to outlive this process. Raises RuntimeFailureError.
    """
    # The cold one needs nothing of site-packages; a warm one must have exactly the path of its environment.
    flags = ["-I", "-S"] if preload is None else []
    warm = [] if preload is None else ["--warm", *preload]
    command = [str(python), *flags, str(PROGRAM), str(socket), *warm]
    try:
        code = await asyncio.to_thread(_run, command, socket.with_suffix(".log"), dict(env))
    except OSError as error:
        raise RuntimeFailureError(f"{python} cannot be started: {error}") from error
    if code:
        raise RuntimeFailureError(f"{python} could not start containers, see {socket.with_suffix('.log')}")


def _run(command: list[str], log: Path, env: dict[str, str]) -> int:
    with log.open("ab") as file:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            env=env,
            cwd="/",
            check=False,
        ).returncode
