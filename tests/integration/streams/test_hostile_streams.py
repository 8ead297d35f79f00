"""What is no SPDY, no WebSocket, or too much of either: the server goes on, and keeps little of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from pathlib import Path
from typing import Any

PAGE = 4096


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
}
SPDY = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}
EXEC = "command=cat&stdin=1&stdout=1"


async def lives(place: Any, wire: Any) -> None:
    probe = wire(place.url)
    assert await probe.ask("GET", "/healthz", {}) == 200


def test_noise_after_the_upgrade(streams: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        noise = random.Random(4711)
        for number in range(120):
            headers, method = ((WEBSOCKET, "GET"), (SPDY, "POST"))[number % 2]
            path = place.path("p", "exec", EXEC)
            if number % 3 == 0:
                path = place.path("p", "portforward", "ports=80")
                protocol = ("SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io")[number % 4 // 2]
                headers = {
                    **headers,
                    "Sec-WebSocket-Protocol": protocol,
                    "X-Stream-Protocol-Version": "portforward.k8s.io",
                }
            one = wire(place.url)
            data = noise.randbytes(noise.choice((1, 8, 100, 5000)))
            if number % 5 == 0:
                # A well-formed beginning.
                data = struct.pack(">HHI", 0x8003, noise.randrange(12), noise.randrange(64)) + data
            if number % 7 == 0:
                data = bytes((0x82, 0x80 | noise.randrange(127))) + data
            assert await one.ask(method, path, headers, after=data) == 101
            if number % 2:
                one.writer.transport.abort()
        await lives(place, wire)

    streams(scenario)


def test_who_sends_without_end_fills_nothing(streams: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", "command=sleep&command=1000&stdin=1&stdout=1")
        one, other = wire(place.url), wire(place.url)
        assert await one.ask("GET", path, WEBSOCKET) == 101
        assert (
            await other.ask(
                "POST",
                place.path("p", "portforward"),
                {**SPDY, "X-Stream-Protocol-Version": "portforward.k8s.io"},
            )
            == 101
        )
        before = resident()

        async def flood(client: Any, head: bytes) -> None:
            client.writer.write(head)
            while True:
                client.writer.write(bytes(65536))
                await client.writer.drain()

        # One message of 2**60 bytes for a program that does not read; a frame for a stream that is not.
        floods = [
            asyncio.create_task(flood(one, b"\x82\xff" + struct.pack(">Q", 2**60) + bytes(4))),
            asyncio.create_task(flood(other, struct.pack(">II", 1, 0xFFFFFF))),
        ]
        await asyncio.sleep(1.0)
        for task in floods:
            task.cancel()
        await asyncio.gather(*floods, return_exceptions=True)
        assert resident() - before < 32 * 1024 * 1024
        await lives(place, wire)

    streams(scenario)


def test_a_program_that_writes_without_end_waits_for_its_reader(streams: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        before = resident()
        readers = []
        for _ in range(4):
            one = wire(place.url)
            assert await one.ask("GET", place.path("p", "exec", "command=yes&stdout=1"), WEBSOCKET) == 101
            one.writer.transport.pause_reading()
            readers.append(one)
        await asyncio.sleep(1.0)
        assert resident() - before < 32 * 1024 * 1024
        await lives(place, wire)

    streams(scenario)


def test_streams_without_end(streams: Any, spdy_client: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        client = spdy_client(place.url)
        assert await client.upgrade(place.path("p", "portforward"), "portforward.k8s.io") == 101

        async def open_many() -> None:
            for number in range(2500):
                await client.open(streamtype="error", port="80", requestid=str(number))

        opening = asyncio.create_task(open_many())
        await client.until(lambda: len(client.reset) + len(client.replied) == 2500)
        # Refused, as the protocol has it, and the others stay.
        assert set(client.reset.values()) == {3}
        assert len(client.replied) == 2000
        opening.cancel()
        await lives(place, wire)

    streams(scenario)


def test_too_much_before_the_answer(streams: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        one = wire(place.url)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await one.ask("POST", place.path("p", "exec", EXEC), SPDY, after=bytes(5_000_000))
        await lives(place, wire)

    streams(scenario)


def test_handshakes_that_are_none(streams: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", EXEC)
        for wrong in (
            {"Sec-WebSocket-Key": "short"},
            {"Sec-WebSocket-Key": ""},
            {"Sec-WebSocket-Version": "8"},
            {"Upgrade": "h2c"},
            {"Upgrade": "websocket2"},
            {"Connection": "keep-alive"},
        ):
            one = wire(place.url)
            assert await one.ask("GET", path, {**WEBSOCKET, **wrong}) == 400, wrong
        posted = wire(place.url)
        assert await posted.ask("POST", path, WEBSOCKET) == 400

    streams(scenario)
