"""Commands in containers that are processes, and attachments to them: the server's ends of their streams.

A launcher does the work (`launcher.server`, which describes the conversation). Each has a connection of its own to it,
over which descriptors travel; when this process dies the connection ends, and the launcher ends the command.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from sampan.client.streams import Stream
from sampan.cluster.node.runtimes.descriptors import Descriptor
from sampan.cluster.node.runtimes.protocol import (
    AttachSpec,
    ExecFailedError,
    ExecSpec,
    Exit,
    RuntimeFailureError,
)

_LEAVE_SECONDS = 1.0
"""What a command is left between the end of its streams and its own."""
_DRAIN_SECONDS = 0.5
"""How long output may stay open after the command's end, held by what it left in the background."""
_BUSY_SECONDS = 0.01
_LOST_EXIT_CODE = 137
_ANCILLARY_BYTES = socket.CMSG_LEN(4 * array.array("i").itemsize)

_Outputs = dict[Stream, Descriptor]


class _Line:
    """A connection to a launcher; descriptors travel over it both ways."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._descriptor = Descriptor(os.dup(connection.fileno()))
        self._received = b""
        self.descriptors: list[int] = []

    async def send(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        data = json.dumps(request).encode() + b"\n"
        sent = 0
        if descriptors:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
            try:
                sent = self._socket.sendmsg([data], [rights])
            except OSError:
                raise RuntimeFailureError("the launcher of containers is gone") from None
        if not await self._descriptor.write(data[sent:]):
            raise RuntimeFailureError("the launcher of containers is gone")

    async def answer(self) -> dict[str, Any]:
        """Raises RuntimeFailureError for a refusal."""
        while (message := await self.next()) is not None:
            if "id" in message:
                if "error" in message:
                    raise RuntimeFailureError(str(message["error"]).removeprefix("ValueError: "))
                return message
        raise RuntimeFailureError("the launcher of containers ended")

    async def next(self) -> dict[str, Any] | None:
        while b"\n" not in self._received:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65536, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                await self._descriptor.until_readable()
                continue
            except OSError:
                return None
            for _, kind, content in ancillary:
                if kind == socket.SCM_RIGHTS:
                    self.descriptors += array.array("i", content)
            if not data:
                return None
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._descriptor.close()
        self._socket.close()


async def connect(path: Path) -> _Line:
    """Raises RuntimeFailureError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    # By way of an open folder, because a socket's path may have 107 bytes only.
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            try:
                connection.connect(f"/proc/self/fd/{folder}/{path.name}")
            except BlockingIOError:
                # Its queue is full.
                await asyncio.sleep(_BUSY_SECONDS)
            else:
                return _Line(connection)
    except OSError as error:
        connection.close()
        raise RuntimeFailureError(f"the launcher of containers does not answer: {error}") from error
    finally:
        os.close(folder)


class _Streams:
    """What both kinds share: the server's ends, and closing them."""

    def __init__(self, line: _Line, stdin: Descriptor, outputs: _Outputs) -> None:
        self._line = line
        self._stdin = stdin
        self._outputs = outputs

    async def write(self, data: bytes) -> None:
        await self._stdin.write(data)

    async def read(self, stream: Stream) -> bytes:
        output = self._outputs.get(stream)
        return await output.read() if output is not None else b""

    def resize(self, columns: int, rows: int) -> None:
        if self._stdin.number >= 0:
            self._stdin.resize(columns, rows)

    def _close_streams(self) -> None:
        for descriptor in (self._stdin, *self._outputs.values()):
            descriptor.close()


class ProcessExecution(_Streams):
    """A command. Implements client.streams.Execution."""

    def __init__(self, line: _Line, terminal: bool, stdin: Descriptor, outputs: _Outputs) -> None:
        super().__init__(line, stdin, outputs)
        self._has_terminal = terminal
        self._end = asyncio.create_task(self._await_end(), name="exec")

    async def close_stdin(self) -> None:
        # A terminal is closed as a whole, or not at all.
        if not self._has_terminal:
            self._stdin.close()

    def resize(self, columns: int, rows: int) -> None:
        if self._has_terminal:
            self._outputs["stdout"].resize(columns, rows)

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    async def close(self) -> None:
        self._close_streams()
        try:
            if not self._end.done():
                await asyncio.wait({self._end}, timeout=_LEAVE_SECONDS)
        finally:
            self._line.close()
            self._end.cancel()

    async def _await_end(self) -> int:
        code = _LOST_EXIT_CODE
        while (message := await self._line.next()) is not None:
            if message.get("event") == "exec-ended":
                code = int(message["exit_code"])
                break
        loop = asyncio.get_running_loop()
        for output in self._outputs.values():
            loop.call_later(_DRAIN_SECONDS, output.finish)
        return code


class ProcessAttachment(_Streams):
    """A container that one is attached to. Implements client.streams.Execution."""

    def __init__(
        self, container: str, line: _Line, end: asyncio.Future[Exit], stdin: Descriptor, outputs: _Outputs
    ) -> None:
        super().__init__(line, stdin, outputs)
        self._container = container
        self._end = end

    async def close_stdin(self) -> None:
        self._stdin.close()
        with contextlib.suppress(RuntimeFailureError):
            await self._line.send({"op": "end-stdin", "id": 2, "container": self._container})

    async def wait(self) -> int:
        return (await asyncio.shield(self._end)).exit_code

    async def close(self) -> None:
        self._close_streams()
        self._line.close()


async def execute(launcher: Path, container: str, spec: ExecSpec) -> ProcessExecution:
    """By the launcher that listens at `launcher`. Raises ExecFailedError, RuntimeFailureError."""
    line = await connect(launcher)
    theirs: list[int] = []
    stdin, outputs = Descriptor(-1), _Outputs()
    try:
        stdin, outputs, stdio = _stdio(spec, theirs)
        env = {**spec.env, "TERM": "xterm"} if spec.tty else dict(spec.env)
        request = {"op": "exec", "id": 1, "container": container, "argv": list(spec.argv), "env": env}
        await line.send({**request, "stdio": stdio, "tty": spec.tty}, theirs)
        answer = await line.answer()
        if failure := answer["failure"]:
            raise ExecFailedError(str(failure["message"]), int(failure["exit_code"]))
    except BaseException:
        for descriptor in (stdin, *outputs.values()):
            descriptor.close()
        line.close()
        raise
    finally:
        for number in theirs:
            os.close(number)
    return ProcessExecution(line, spec.tty, stdin, outputs)


async def attach(
    launcher: Path, container: str, spec: AttachSpec, end: asyncio.Future[Exit]
) -> ProcessAttachment:
    """As `execute`; `end` is that of the container. Raises RuntimeFailureError."""
    line = await connect(launcher)
    outputs: _Outputs = {}
    theirs: list[int] = []
    try:
        for stream, wanted in (("stdout", spec.stdout), ("stderr", spec.stderr)):
            if wanted:
                reader, writer = os.pipe2(os.O_CLOEXEC)
                theirs.append(writer)
                outputs[cast(Stream, stream)] = Descriptor(reader)
        request = {"op": "attach", "id": 1, "container": container, "streams": list(outputs)}
        await line.send({**request, "stdin": spec.stdin}, theirs)
        await line.answer()
    except BaseException:
        for descriptor in outputs.values():
            descriptor.close()
        line.close()
        raise
    finally:
        for number in theirs:
            os.close(number)
    stdin = Descriptor(line.descriptors.pop() if line.descriptors else -1)
    return ProcessAttachment(container, line, end, stdin, outputs)


def _stdio(spec: ExecSpec, theirs: list[int]) -> tuple[Descriptor, _Outputs, list[int]]:
    """Our ends; and for each of the command's first three descriptors its place in `theirs`, -1 for none."""
    if spec.tty:
        master, slave = os.openpty()
        theirs.append(slave)
        terminal = Descriptor(master)
        # Read even where nobody wants to: what fills a terminal stops who writes to it.
        return terminal if spec.stdin else Descriptor(-1), {"stdout": terminal}, [0, 0, 0]
    stdin, outputs, stdio = Descriptor(-1), _Outputs(), [-1, -1, -1]
    if spec.stdin:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        stdin, stdio[0] = Descriptor(writer), len(theirs)
        theirs.append(reader)
    for number, stream, wanted in ((1, "stdout", spec.stdout), (2, "stderr", spec.stderr)):
        if wanted:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            outputs[cast(Stream, stream)], stdio[number] = Descriptor(reader), len(theirs)
            theirs.append(writer)
    return stdin, outputs, stdio
