"""What every ContainerRuntime must do: one class of tests, to be inherited by a test module for each runtime.

    class TestMine(RuntimeConformance):
        @asynccontextmanager
        async def open(self, folder: Path) -> AsyncIterator[ContainerRuntime]: ...
        def spec(self, folder: Path, name: str, *argv: str, **more: Any) -> ContainerSpec: ...

`spec` makes the container's spec for a command of a machine that has `sh`, `cat`, `sleep` and `echo`; `open` opens a
runtime on the folder, and opened again finds what the earlier one left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from signal import SIGUSR1
from typing import Any, TypeVar

import pytest

from sampan.client.streams import Execution, Stream
from sampan.cluster.node.runtimes.protocol import (
    AttachSpec,
    ContainerRuntime,
    ContainerSpec,
    ExecFailedError,
    ExecSpec,
    RuntimeFailureError,
    output_of,
    read_exit,
    read_started,
)

_DEADLINE_SECONDS = 60.0

Self = TypeVar("Self")


def check(test: Callable[[Self, Path], Awaitable[None]]) -> Callable[[Self, Path], None]:
    """Runs the test in an event loop of its own."""

    @wraps(test)
    def run(self: Self, folder: Path) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                await test(self, folder)

        asyncio.run(bounded())

    return run


class RuntimeConformance:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path

    def open(self, folder: Path) -> Any:
        """An asynchronous context that yields a ContainerRuntime."""
        raise NotImplementedError

    def spec(self, folder: Path, name: str, *argv: str, **more: Any) -> ContainerSpec:
        raise NotImplementedError

    @asynccontextmanager
    async def _opened(self, folder: Path) -> AsyncIterator[ContainerRuntime]:
        async with self.open(folder) as runtime:
            yield runtime

    @check
    async def test_the_log_is_complete_when_the_end_is_seen(self, folder: Path) -> None:
        script = (
            "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; echo bad >&2; printf rest; exit 7"
        )
        async with self._opened(folder) as runtime:
            spec = self.spec(folder, "a", "sh", "-c", script)
            assert await runtime.start(spec)
            end = await runtime.wait(spec.id)
            assert (end.exit_code, end.reason, end.oom) == (7, "", False)
            assert end.started_at
            assert end.finished_at >= end.started_at
            written = read_exit(spec.folder)
            assert written is not None
            assert written.exit_code == 7
            records = [line.split(b" ", 3) for line in spec.log.read_bytes().splitlines()]
            texts = [record[3] for record in records if record[1] == b"stdout"]
            assert texts == [*(b"line %d" % number for number in range(500)), b"rest"]
            assert [record[3] for record in records if record[1] == b"stderr"] == [b"bad"]

    @check
    async def test_a_command_that_is_missing(self, folder: Path) -> None:
        async with self._opened(folder) as runtime:
            spec = self.spec(folder, "a", "/no/such/command")
            await runtime.start(spec)
            end = await runtime.wait(spec.id)
            assert end.reason == "StartError"
            assert end.exit_code in (127, 128)
            assert "/no/such/command" in end.message

    @check
    async def test_variables_and_their_odd_values(self, folder: Path) -> None:
        values = {"PLAIN": "a b", "LINES": "one\ntwo", "QUOTES": "'\"$x", "EMPTY": "", "HTTP_PROXY": "none"}
        script = "".join(f'printf "[%s]" "${name}"; ' for name in values)
        async with self._opened(folder) as runtime:
            spec = self.spec(folder, "a", "sh", "-c", script, env=values)
            await runtime.start(spec)
            assert (await runtime.wait(spec.id)).exit_code == 0
            records = [line.split(b" ", 3)[3] for line in spec.log.read_bytes().splitlines()]
            assert b"\n".join(records).decode() == "".join(f"[{value}]" for value in values.values())

    @check
    async def test_stop_with_and_without_effect(self, folder: Path) -> None:
        loop = "echo up; while :; do sleep 0.05; done"
        async with self._opened(folder) as runtime:
            kind = self.spec(folder, "kind", "sh", "-c", f"trap 'echo bye; exit 3' TERM; {loop}")
            deaf = self.spec(folder, "deaf", "sh", "-c", f"trap '' TERM; {loop}")
            other = self.spec(folder, "other", "sh", "-c", f"trap 'exit 4' USR1; {loop}")
            for spec in (kind, deaf, other):
                await runtime.start(spec)
                await _says(spec, b"up")
            await runtime.stop(kind.id, 20)
            assert (await runtime.wait(kind.id)).exit_code == 3
            assert b"bye" in kind.log.read_bytes()
            await runtime.stop(deaf.id, 0.5)
            assert (await runtime.wait(deaf.id)).exit_code == 137
            await runtime.stop(other.id, 20, SIGUSR1)
            assert (await runtime.wait(other.id)).exit_code == 4
            assert list(runtime.running()) == []
            await runtime.stop("no/such/0", 1)
            with pytest.raises(KeyError):
                await runtime.wait("no/such/0")

    @check
    async def test_containers_outlive_the_runtime(self, folder: Path) -> None:
        long = self.spec(
            folder, "long", "sh", "-c", "echo one; while [ ! -e /no/such/file ]; do sleep 0.05; done"
        )
        short = self.spec(folder, "short", "sh", "-c", "sleep 0.3; exit 5")
        async with self._opened(folder) as runtime:
            for spec in (long, short):
                await runtime.start(spec)
        await asyncio.sleep(1.0)
        async with self._opened(folder) as runtime:
            assert list(runtime.running()) == [long.id]
            found = read_exit(short.folder)
            assert found is not None
            assert found.exit_code == 5
            assert read_started(long.folder) is not None
            await runtime.stop(long.id, 0)
            assert (await runtime.wait(long.id)).exit_code == 137

    @check
    async def test_commands_in_a_container(self, folder: Path) -> None:
        async with self._opened(folder) as runtime:
            spec = self.spec(folder, "a", "sh", "-c", "sleep 1000", env={"OWN": "value"})
            await runtime.start(spec)
            execution = await runtime.exec(
                spec.id,
                ExecSpec(("sh", "-c", "cat; echo $OWN $MORE >&2; exit 4"), stdin=True, env={"MORE": "more"}),
            )
            await execution.write(b"typed")
            await execution.close_stdin()
            assert await _all_of(execution) == (4, b"typed", b"value more\n")
            assert await self._missing(runtime, spec.id) == 127
            long = await runtime.exec(spec.id, ExecSpec(("sh", "-c", "echo on; exec sleep 54321")))
            assert await long.read("stdout") == b"on\n"
            await long.close()
            listing = "for each in /proc/[0-9]*/cmdline; do cat $each; echo; done 2>/dev/null"

            async def is_gone() -> bool:
                found = await runtime.exec(spec.id, ExecSpec(("sh", "-c", listing)))
                return b"sleep\x0054321" not in (await output_of(found))[1]

            await _until(is_gone)
            await runtime.stop(spec.id, 0)
            with pytest.raises(RuntimeFailureError):
                await runtime.exec(spec.id, ExecSpec(("true",)))

    async def _missing(self, runtime: ContainerRuntime, container: str) -> int:
        try:
            code, output = await output_of(await runtime.exec(container, ExecSpec(("/no/such",))))
        except ExecFailedError as error:
            code, output = error.exit_code, error.message.encode()
        assert b"/no/such" in output
        return code

    @check
    async def test_attaching_and_terminals(self, folder: Path) -> None:
        async with self._opened(folder) as runtime:
            for tty in (False, True):
                spec = self.spec(
                    folder, f"tty{tty}", "sh", "-c", "read line; echo got $line; exit 6", stdin=True, tty=tty
                )
                await runtime.start(spec)
                attached = await runtime.attach(spec.id, AttachSpec(stdin=True))
                await attached.write(b"it\n")
                code, stdout, _ = await _all_of(attached)
                assert code == 6
                assert b"got it" in stdout
                assert (await runtime.wait(spec.id)).exit_code == 6
                assert b"got it" in spec.log.read_bytes()


async def _says(spec: ContainerSpec, text: bytes) -> None:
    async def is_there() -> bool:
        return spec.log.exists() and text in spec.log.read_bytes()

    await _until(is_there)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Within the deadline of the test."""
    while True:
        if await condition():
            return
        await asyncio.sleep(0.05)


async def _all_of(execution: Execution) -> tuple[int, bytes, bytes]:
    async def drain(stream: Stream) -> bytes:
        pieces: list[bytes] = []
        while data := await execution.read(stream):
            pieces.append(data)
        return b"".join(pieces)

    stdout, stderr = await asyncio.gather(drain("stdout"), drain("stderr"))
    code = await execution.wait()
    await execution.close()
    return code, stdout, stderr
