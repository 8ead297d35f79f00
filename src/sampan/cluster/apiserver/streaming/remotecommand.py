"""A command's streams joined to a client's, whatever carries these, and how its end is told.

Source: kubelet/pkg/cri/streaming/remotecommand (exec.go, httpstream.go, websocket.go), v1.31.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

import msgspec

from sampan.client.streams import Execution, Stream
from sampan.kube.errors import ApiError, to_status
from sampan.lib.log import get_logger

log = get_logger(__name__)

LINGER_SECONDS = 3.0
"""What a client is left to read the end; it closes as soon as it has."""


class ClientStreams(Protocol):
    """The client's side of a command."""

    async def pump(self, execution: Execution) -> None:
        """Hands on what the client sends, until it has gone."""
        ...

    async def write(self, stream: Stream, data: bytes) -> None:
        """Raises OSError when the client is gone."""
        ...

    async def finish(self, status: dict[str, Any]) -> None:
        """Tells the end, and that nothing more comes. Raises OSError."""
        ...


async def join(
    execution: Execution, client: ClientStreams, lost: Coroutine[Any, Any, None], *, is_exec: bool
) -> None:
    """Until the command has ended, or the client has gone, as `lost` says; the command is then let go of."""
    pump = asyncio.create_task(client.pump(execution), name="stdin")
    output = asyncio.create_task(_deliver(execution, client, is_exec=is_exec), name="output")
    leaving = asyncio.create_task(lost, name="lost")
    try:
        await asyncio.wait({pump, output, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if output.done() and not pump.done():
            # Unread bytes at the close of a connection would cost the client the last ones that it was sent.
            await asyncio.wait({pump, leaving}, timeout=LINGER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        tasks = (pump, output, leaving)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, OSError):
                log.error("a stream into a pod failed", exc=result)
        await execution.close()


async def _deliver(execution: Execution, client: ClientStreams, *, is_exec: bool) -> None:
    async def copy(stream: Stream) -> None:
        while data := await execution.read(stream):
            await client.write(stream, data)

    try:
        await asyncio.gather(copy("stdout"), copy("stderr"))
        code = await execution.wait()
    except ApiError as error:
        await client.finish(to_status(error))
        return
    # Of a container that ended the pod's status tells the code.
    await client.finish(exit_status(code if is_exec else 0))


def exit_status(code: int) -> dict[str, Any]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def encoded_status(status: dict[str, Any], *, as_json: bool) -> bytes:
    """As the error stream has it: since version 4 always and in JSON, before it only a failure's text."""
    if as_json:
        return msgspec.json.encode(status)
    return b"" if status["status"] == "Success" else str(status.get("message", "")).encode()


def size_of(text: bytes) -> tuple[int, int] | None:
    """Columns and rows of a TerminalSize in JSON; None for what is none."""
    try:
        size = msgspec.json.decode(text)
        return int(size["Width"]), int(size["Height"])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return None
