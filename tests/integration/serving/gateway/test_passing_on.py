"""Requests and answers go through as they are, but for what belongs to one connection."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.testing.gateways import HOST, Asked, Rig, backend, request, say


def test_a_request_by_host_reaches_the_pod_as_it_was(run: Any) -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        answer = await client.ask(
            request("/v1/models/iris:predict?a=%2F..%2f&b", b'{"instances": []}', "X-Own: a  b")
        )
        assert (answer.status, answer.body) == (200, b"ok")
        asked = server.asked[0]
        assert asked.line == "POST /v1/models/iris:predict?a=%2F..%2f&b HTTP/1.1"
        assert asked.body == b'{"instances": []}'
        assert asked.get("host") == HOST
        assert asked.get("x-own") == "a  b"
        assert asked.get("x-forwarded-for") == "127.0.0.1"
        assert asked.get("x-request-id") == answer.get("x-request-id") != ""

    run(test)


def test_connections_to_pods_and_from_clients_are_kept(run: Any) -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        for _ in range(20):
            assert (await client.ask(request())).status == 200
        other = await rig.client()
        assert (await other.ask(request())).status == 200
        assert server.connections == 1

    run(test)


def test_by_path_the_prefix_is_cut_off_and_nothing_else(run: Any) -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        for path, seen in (
            ("/serving/default/iris/v2/models?x=1", "/v2/models?x=1"),
            ("/serving/default/iris", "/"),
            ("/serving/default/iris?x", "/?x"),
            ("/serving/default/iris//a/../b%2e", "//a/../b%2e"),
        ):
            answer = await client.ask(request(path, host=f"localhost:{rig.port}"))
            assert answer.status == 200
            assert server.asked[-1].line == f"POST {seen} HTTP/1.1"
        for path in ("/serving/default/iris2/v1", "/serving/default", "/serving/default/%69ris/v1"):
            assert (await client.ask(request(path, host="localhost"))).status == 404
        assert (
            await client.ask(request("/other", host="localhost", method="GET", body=b""))
        ).body == b"platform"

    run(test)


def test_a_header_may_name_the_model_that_the_path_does_not(run: Any) -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one, prefixes=("/publishers/team/models/an/iris",))
        rig.pod(one, server)
        client = await rig.client()
        model = "X-Gateway-Model-Name: publishers/team/models/an/iris"

        async def status(path: str, header: str = model) -> int:
            return int((await client.ask(request(path, b"{}", header, host="localhost"))).status)

        assert await status("/publishers/v1/completions?x=1") == 200
        assert server.asked[-1].line == "POST /v1/completions?x=1 HTTP/1.1"
        assert await status("/publishers/v1/models", f"{model}s") == 404
        assert await status("/publishers/v1/models", "X-Other: publishers/team/models/an/iris") == 404
        # What a path says is what counts.
        assert await status("/publishers/team/models/an/iris/v1", "X-Gateway-Model-Name: other") == 200

    run(test)


def test_bodies_stream_both_ways(run: Any) -> None:
    async def test(rig: Rig) -> None:
        is_heard = asyncio.Event()

        async def echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
            )
            for part in (b"data: 1\n\n", b"data: 2\n\n"):
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await is_heard.wait()
            writer.write(b"0\r\n\r\n")

        server, one = await rig.server(echo), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        client.writer.write(head + b"3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        client.writer.write(b"4\r\ndefg\r\n0\r\n\r\n")
        await client.reader.readuntil(b"data: 1\n\n")
        is_heard.set()
        rest = await client.reader.readuntil(b"0\r\n\r\n")
        assert b"data: 2\n\n" in rest
        assert server.asked[0].body == b"abcdefg"
        assert (await client.ask(request())).status == 200

    run(test)


def test_large_bodies_are_not_gathered(run: Any) -> None:
    async def test(rig: Rig) -> None:
        gate = asyncio.Event()
        taken = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            await reader.readuntil(b"\r\n\r\n")
            await gate.wait()
            while taken < size:
                taken += len(await reader.read(65536))
            await say(writer, b"x" * size)

        size = 24 * 1024 * 1024
        port = await rig.raw(serve)
        one = backend()
        rig.route(one)
        rig.pod(one, port)
        client = await rig.client()
        client.writer.write(
            request(body=b"")[:-2].replace(b"Content-Length: 0", b"Content-Length: %d" % size) + b"\r\n"
        )
        sent = 0
        piece = b"y" * 65536

        async def send() -> None:
            nonlocal sent
            while sent < size:
                client.writer.write(piece)
                await client.writer.drain()
                sent += len(piece)

        sending = asyncio.create_task(send())
        await asyncio.sleep(0.5)
        # What is on its way is in the buffers of sockets and of the gateway, and these are small.
        assert sent < 16 * 1024 * 1024
        gate.set()
        await sending
        answer = await client.read()
        assert len(answer.body) == size

    run(test)


def test_answers_whose_end_is_told_in_other_ways(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def until_closed(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello ")
            await asyncio.sleep(0.02)
            writer.write(b"world")
            writer.close()

        async def nothing(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        server, one = await rig.server(until_closed), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        assert (await client.ask(request())).body == b"hello world"
        server.answer = nothing
        answer = await client.ask(request(), head=True)
        assert (answer.status, answer.get("transfer-encoding"), answer.get("content-length")) == (204, "", "")

        async def big(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")

        server.answer = big
        answer = await client.ask(request(method="HEAD", body=b""), head=True)
        assert answer.get("content-length") == "1000"
        server.answer = until_closed
        assert (await client.ask(request())).body == b"hello world"

    run(test)


def test_old_clients_and_100_continue(run: Any) -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        client.writer.write(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
        assert (await client.reader.read()).endswith(b"ok")
        client = await rig.client()
        client.writer.write(
            f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"abc")).status == 200
        assert server.asked[-1].body == b"abc"
        assert server.asked[-1].get("expect") == ""

    run(test)


def test_requests_in_a_pipeline_are_answered_in_turn(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def number(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.02)
            await say(writer, asked.body)

        server, one = await rig.server(number), backend()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        platform = request("/x", b"", host="localhost", method="GET")
        client.writer.write(
            request(body=b"1") + platform + request(body=b"2") + request(body=b"3") + platform
        )
        assert [(await client.read()).body for _ in range(5)] == [b"1", b"platform", b"2", b"3", b"platform"]

    run(test)


def test_a_websocket_goes_through(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"\r\nupgrade: websocket\r\n" in head
            assert b"\r\nconnection: upgrade\r\n" in head
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi"
            )
            while data := await reader.read(100):
                writer.write(data.upper())
            writer.close()

        port = await rig.raw(serve)
        one = backend()
        rig.route(one)
        rig.pod(one, port)
        client = await rig.client()
        asked = request("/ws", b"", "Connection: Upgrade", "Upgrade: websocket", method="GET")
        assert (await client.ask(asked)).status == 101
        assert await client.reader.readexactly(2) == b"hi"
        client.writer.write(b"abc")
        assert await client.reader.readexactly(3) == b"ABC"
        assert rig.core.meter.load(one.target, 1).idle_seconds == 0.0  # type: ignore[arg-type]
        client.writer.close()
        assert (await rig.noted(1))[0].status == 101

    run(test)
