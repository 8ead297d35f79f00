"""What the Client protocol says of exec, attach and connect, for the client in this process and the one over HTTP."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from sampan.client.streams import AttachOptions, ExecOptions
from sampan.kube.errors import BadRequestError, InternalError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.testing.connections import listening

BOTH = pytest.mark.parametrize("which", ["client", "remote"])


async def everything(execution: Any) -> tuple[int, bytes, bytes]:
    async def drain(stream: Any) -> bytes:
        pieces = []
        while data := await execution.read(stream):
            pieces.append(data)
        return b"".join(pieces)

    try:
        stdout, stderr = await asyncio.gather(drain("stdout"), drain("stderr"))
        return await execution.wait(), stdout, stderr
    finally:
        await execution.close()


@BOTH
def test_commands(streams: Any, which: str) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        client = getattr(place, which)

        async def run(*command: str, **options: Any) -> Any:
            return await client.exec("p", "default", ExecOptions(command, **options))

        script = "echo out; echo err >&2; exit 7"
        assert await everything(await run("sh", "-c", script)) == (7, b"out\n", b"err\n")
        assert await everything(await run("sh", "-c", script, stderr=False)) == (7, b"out\n", b"")
        assert await everything(await run("sh", "-c", "kill -9 $$")) == (137, b"", b"")
        assert await everything(await run("true")) == (0, b"", b"")
        code, _, stderr = await everything(await run("no-such-command"))
        assert (code, b"executable file not found in $PATH" in stderr) == (127, True)

        execution = await run("cat", stdin=True)
        sent = os.urandom(1 << 20) * 3

        async def give() -> None:
            await execution.write(sent)
            await execution.close_stdin()

        giving = asyncio.create_task(give())
        assert await everything(execution) == (0, sent, b"")
        await giving

        terminal = await run("sh", stdin=True, tty=True)
        terminal.resize(91, 33)
        resized = b'until [ "$(stty size)" = "33 91" ]; do sleep 0.05; done; stty size; exit 3\n'
        await terminal.write(resized)
        code, stdout, _ = await everything(terminal)
        assert (code, b"33 91\r\n" in stdout) == (3, True)

        # Closing ends what runs, and who waits for it.
        execution = await run("sleep", "1000")
        reading = asyncio.create_task(execution.read("stdout"))
        await asyncio.sleep(0.1)
        await execution.close()
        assert await reading == b""

    streams(scenario)


@BOTH
def test_attaching(streams: Any, which: str) -> None:
    async def scenario(place: Any) -> None:
        script = "while read x; do echo got $x; done"
        await place.run("p", ["sh", "-c", script], stdin=True, stdinOnce=True)
        execution = await getattr(place, which).attach("p", "default", AttachOptions(stdin=True))
        await execution.write(b"one\n")
        assert await execution.read("stdout") == b"got one\n"
        await execution.close_stdin()
        assert await execution.read("stdout") == b""
        await execution.wait()
        await execution.close()

    streams(scenario)


@BOTH
def test_ports(streams: Any, which: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5)).upper() + bytes(300_000))

    async def scenario(place: Any) -> None:
        pod = await place.run("p")
        client = getattr(place, which)
        async with listening(answer, pod["status"]["podIP"]) as there:
            connection = await client.connect("p", "default", there.port)
            await connection.write(b"hello")
            found = b""
            while data := await connection.read():
                found += data
            await connection.close()
            assert found == b"HELLO" + bytes(300_000)

        async def refused() -> None:
            connection = await client.connect("p", "default", there.port)
            try:
                await connection.read()
            finally:
                await connection.close()

        with pytest.raises(OSError, match="connection refused"):
            await refused()

    streams(scenario)


@BOTH
def test_refusals(streams: Any, which: str) -> None:
    async def scenario(place: Any) -> None:
        client = getattr(place, which)
        for call in (
            client.exec("nobody", "default", ExecOptions(("true",))),
            client.attach("nobody", "default", AttachOptions()),
            client.connect("nobody", "default", 80),
        ):
            with pytest.raises(NotFoundError, match='pods "nobody" not found'):
                await call
        await place.run("p")
        with pytest.raises(BadRequestError, match="container no is not valid for pod p"):
            await client.exec("p", "default", ExecOptions(("true",), "no"))
        with pytest.raises(BadRequestError, match="at least one command"):
            await client.exec("p", "default", ExecOptions(()))
        with pytest.raises(BadRequestError, match="as a port"):
            await client.connect("p", "default", 70000)
        await place.run("over", ["sleep", "0.2"])
        while (await place.client.get(PODS, "over", "default"))["status"]["phase"] == "Running":
            await asyncio.sleep(0.05)
        with pytest.raises(InternalError, match="container not found"):
            await client.exec("over", "default", ExecOptions(("true",)))

    streams(scenario)


def test_discovery_names_them(streams: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        asked = wire(place.url)
        assert await asked.ask("GET", "/api/v1", {}) == 200
        found = {each["name"]: each for each in (await asked.status_object())["resources"]}
        kinds = {
            "exec": "PodExecOptions",
            "attach": "PodAttachOptions",
            "portforward": "PodPortForwardOptions",
        }
        for name, kind in kinds.items():
            assert found[f"pods/{name}"]["kind"] == kind
            assert found[f"pods/{name}"]["verbs"] == ["create", "get"]

    streams(scenario)
