"""Whatever a test leaves open ends with its context: nothing is left for the collector of garbage."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from sampan.testing import connections
from sampan.testing.connections import Listener, connected, listening

LOOPS = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
Loop = Callable[[], asyncio.AbstractEventLoop]


def sockets() -> set[str]:
    found = set()
    for each in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{each}"))
    return {each for each in found if each.startswith("socket:")}


def play(loop: Loop, main: Callable[[], Awaitable[Any]]) -> Any:
    """What `main` returns, once it is sure that it has left nothing."""

    async def limited() -> Any:
        async with asyncio.timeout(60):
            return await main()

    gc.collect()
    before = sockets()
    with warnings.catch_warnings(record=True) as said, asyncio.Runner(loop_factory=loop) as runner:
        warnings.simplefilter("always")
        found = runner.run(limited())
        runner.close()
        gc.collect()
    assert not [str(each.message) for each in said]
    assert sockets() <= before
    return found


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.get_running_loop().create_future()


@LOOPS
def test_both_ends_speak_until_one_has_said_all(loop: Loop) -> None:
    async def main() -> bytes:
        async with listening(echo) as there, connected(there.host, there.port) as (reader, writer):
            writer.write(b"hello")
            writer.write_eof()
            return await reader.read()

    assert play(loop, main) == b"hello"


@LOOPS
def test_whoever_is_connected_in_the_end_is_sent_away(loop: Loop) -> None:
    async def main() -> bytes:
        async with listening(silence) as there:
            reader, writer = await asyncio.open_connection(there.host, there.port)
        found = await reader.read()
        writer.close()
        await writer.wait_closed()
        return found

    assert play(loop, main) == b""


@LOOPS
@pytest.mark.parametrize("turns", range(6))
def test_nobody_is_lost_who_comes_in_the_last_turns(loop: Loop, turns: int) -> None:
    async def main() -> None:
        calls = [socket.socket() for _ in range(20)]
        try:
            async with listening(silence) as there:
                for each in calls:
                    each.connect((there.host, there.port))
                for _ in range(turns):
                    await asyncio.sleep(0)
        finally:
            for each in calls:
                each.close()

    play(loop, main)


@LOOPS
def test_an_end_that_takes_nothing_holds_up_nobody(loop: Loop) -> None:
    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(50_000_000))
        await writer.drain()

    async def main() -> None:
        with socket.socket() as deaf:
            async with listening(flood) as there:
                deaf.connect((there.host, there.port))
                deaf.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(deaf, 1) == b"\0"

    play(loop, main)


@LOOPS
def test_who_comes_is_refused_and_who_is_there_stays(loop: Loop) -> None:
    async def main() -> bytes:
        async with listening(echo) as there, connected(there.host, there.port) as (reader, writer):
            writer.write(b"a")
            assert await reader.readexactly(1) == b"a"
            there.refuse()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(there.host, there.port)
            writer.write(b"b")
            return await reader.readexactly(1)

    assert play(loop, main) == b"b"


@LOOPS
def test_what_a_server_fails_with_is_the_tests_failure(loop: Loop) -> None:
    async def fail(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(1) == b"a", "not what was to come"

    async def main(sent: bytes) -> None:
        async with listening(fail) as there, connected(there.host, there.port) as (reader, writer):
            writer.write(sent)
            writer.write_eof()
            await reader.read()

    play(loop, lambda: main(b"a"))
    play(loop, lambda: main(b""))
    with pytest.raises(AssertionError, match="not what was to come"):
        play(loop, lambda: main(b"b"))


@LOOPS
def test_protocols_end_too(loop: Loop) -> None:
    class Greeting(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.write(b"hello")

    async def main() -> bytes:
        there = await Listener(protocol=Greeting).start()
        try:
            # One that nobody waits for, and one.
            with socket.socket() as other:
                other.connect((there.host, there.port))
                async with connected(there.host, there.port) as (reader, _):
                    return await reader.readexactly(5)
        finally:
            await there.stop()

    assert play(loop, main) == b"hello"


@LOOPS
def test_what_is_said_to_one_that_takes_nothing_is_given_up(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LINGER_SECONDS", 0.01)

    async def main() -> None:
        async with listening(silence) as there, connected(there.host, there.port) as (_, writer):
            writer.write(bytes(50_000_000))

    play(loop, main)
