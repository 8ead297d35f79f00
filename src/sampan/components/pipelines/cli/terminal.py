"""A command in a pod at this terminal: keys go there, what it says comes here, its size follows the window's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence

from sampan.client.kubeconfig import Connection
from sampan.client.remote import RemoteClient
from sampan.client.streams import ExecOptions, Execution, Stream

_PIECE_BYTES = 16 * 1024


def run_in_pod(
    connection: Connection, pod: str, place: tuple[str, str], command: Sequence[str], *, is_terminal: bool
) -> int:
    """The command's exit code. `place` is namespace and container. Raises ApiError."""
    return asyncio.run(_run(connection, pod, place, command, is_terminal))


async def _run(
    connection: Connection, pod: str, place: tuple[str, str], command: Sequence[str], is_terminal: bool
) -> int:
    namespace, container = place
    client = RemoteClient(connection)
    options = ExecOptions(tuple(command), container, stdin=True, stderr=not is_terminal, tty=is_terminal)
    try:
        execution = await client.exec(pod, namespace, options)
        try:
            return await _attended(execution, is_terminal)
        finally:
            await execution.close()
    finally:
        await client.close()


async def _attended(execution: Execution, is_terminal: bool) -> int:
    loop = asyncio.get_running_loop()
    with _raw(is_terminal):
        if is_terminal:
            _resize(execution)
            loop.add_signal_handler(signal.SIGWINCH, _resize, execution)
        typing = asyncio.create_task(_typed(execution))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_shown(execution, "stdout", sys.stdout.fileno()))
                if not is_terminal:
                    group.create_task(_shown(execution, "stderr", sys.stderr.fileno()))
            return await execution.wait()
        finally:
            typing.cancel()
            if is_terminal:
                loop.remove_signal_handler(signal.SIGWINCH)


async def _typed(execution: Execution) -> None:
    descriptor = sys.stdin.fileno()
    try:
        while data := await _readable(descriptor):
            await execution.write(data)
    except (PermissionError, OSError):
        # A plain file or /dev/null, which cannot be waited for, and need not be.
        await _sent(execution, descriptor)
        return
    await execution.close_stdin()


async def _readable(descriptor: int) -> bytes:
    """What comes next. Read as soon as there is something, and once: a second read would wait for more."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        loop.remove_reader(descriptor)
        if not arrived.done():
            arrived.set_result(os.read(descriptor, _PIECE_BYTES))

    loop.add_reader(descriptor, read)
    try:
        return await arrived
    finally:
        loop.remove_reader(descriptor)


async def _sent(execution: Execution, descriptor: int) -> None:
    while data := os.read(descriptor, _PIECE_BYTES):
        await execution.write(data)
    await execution.close_stdin()


async def _shown(execution: Execution, stream: Stream, descriptor: int) -> None:
    while data := await execution.read(stream):
        view = memoryview(data)
        while view:
            # Ours alone is this terminal: a program that waits for it to take a line harms nobody.
            view = view[os.write(descriptor, view) :]


def _resize(execution: Execution) -> None:
    size = shutil.get_terminal_size()
    execution.resize(size.columns, size.lines)


@contextlib.contextmanager
def _raw(is_terminal: bool) -> Iterator[None]:
    """Keys are handed on as they are: Ctrl-C is for the program there."""
    if not is_terminal:
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSADRAIN)  # what was typed ahead counts
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
