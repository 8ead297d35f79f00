"""What a hostile peer says to the router and the agent: it is refused or closed on, and the next caller is answered."""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sampan.components.serving.engine.programs.wire import server as serving
from sampan.components.serving.engine.programs.wire.server import Limits, Request, Response
from sampan.testing.connections import Listener, close, connected

sys.path.insert(0, str(Path(__file__).parent))
from wire_kit import ask, json_answer, play, served

SMUGGLED = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n" + b"x" * 70_000,
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + b"\x00" * 70_000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


async def counted(request: Request) -> Response:
    return json_answer({"path": request.path, "size": len(await request.read(1000))})


async def said(url: str, data: bytes) -> bytes:
    async with connected("127.0.0.1", int(url.rpartition(":")[2])) as (reader, writer):
        try:
            writer.write(data)
            async with asyncio.timeout(60):
                return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize("data", SMUGGLED, ids=range(len(SMUGGLED)))
def test_what_could_be_read_in_two_ways_ends_the_connection(data: bytes) -> None:
    async def main() -> None:
        async with served(counted) as url:
            answer = await said(url, data)
            assert answer.count(b"\r\nContent-Length: ") <= 1
            assert b"/admin" not in answer
            assert not answer or answer[9:12] in (b"400", b"431", b"501", b"505")
            assert (await ask(url, {"a": 1})).status == 200

    play(main)


def test_noise_stops_nothing() -> None:
    async def main() -> None:
        random.seed(3)
        head = b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        whole = head + b"3\r\nabc\r\n0\r\n\r\n"
        async with served(counted) as url:
            for _ in range(150):
                noisy = bytearray(whole)
                for _ in range(random.randint(1, 4)):
                    noisy[random.randrange(len(noisy))] = random.randrange(256)
                # What lacks its end is waited for: the other side goes.
                async with connected("127.0.0.1", int(url.rpartition(":")[2])) as (reader, writer):
                    writer.write(bytes(noisy))
                    writer.write_eof()
                    async with asyncio.timeout(60):
                        answer = await reader.read()
                assert b"Traceback" not in answer
            assert (await ask(url, {"a": 1})).status == 200

    play(main)


def test_who_is_slow_or_says_too_much_is_sent_away() -> None:
    async def main() -> None:
        server = serving.Connection
        connections: set[serving.Connection] = set()
        limits = Limits(head_seconds=0.2, read_seconds=0.3, idle_seconds=0.5, connections=2)
        there = await Listener(protocol=lambda: server(counted, limits, connections)).start()
        url = f"http://{there.address}"
        assert await said(url, b"GET / HTTP/1.1\r\nHo") == b""
        slow = await said(url, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert slow.startswith(b"HTTP/1.1 408 ")
        large = await said(url, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
        assert large.startswith(b"HTTP/1.1 413 ")
        assert await said(url, b"") == b""
        limits = replace(limits, idle_seconds=60, head_seconds=60)
        held = [await asyncio.open_connection(there.host, there.port) for _ in range(2)]
        assert await said(url, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""
        await close(*(writer for _, writer in held))
        await there.stop()

    asyncio.run(main())


def test_a_pipeline_is_answered_in_order() -> None:
    async def main() -> None:
        async with served(counted) as url:
            asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5))
            answer = await said(url, asked + b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            places = [answer.index(b'"/%d"' % number) for number in range(5)] + [answer.index(b'"/last"')]
            assert places == sorted(places)
            async with connected("127.0.0.1", int(url.rpartition(":")[2])) as (reader, writer):
                head = b"POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
                writer.write(head)
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(b"hi")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")

    play(main)
