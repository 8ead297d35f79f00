"""The router over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.router.calls import patterns_of
from sampan.components.serving.engine.programs.router.graph import read_graph
from sampan.components.serving.engine.programs.router.main import Router
from sampan.components.serving.engine.programs.wire.client import Pool, origin_of
from sampan.components.serving.engine.programs.wire.server import Request, Response

sys.path.insert(0, str(Path(__file__).parent))
from wire_kit import Got, ask, play, served


@contextlib.asynccontextmanager
async def routed(nodes: dict[str, Any], headers: str | None = None, **timeouts: int) -> AsyncIterator[str]:
    graph = read_graph(json.dumps({"nodes": nodes, "routerTimeouts": timeouts}))
    router = Router(graph, patterns_of(headers)[0])
    port = await router.server.listen(0, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await router.close()


async def post(url: str, value: Any, **headers: str) -> tuple[int, Any, Got]:
    got = await ask(url, value, **headers)
    return got.status, got.json if got.get("content-type").startswith("application/json") else got.body, got


async def echo(request: Request) -> Response:
    body = await request.read(10**8)
    seen = {"path": request.path, "headers": dict(request.headers), "body": json.loads(body)}
    return Response(200, [("Content-Type", "application/json")], json.dumps(seen).encode())


def root(*steps: Any, kind: str = "Sequence") -> dict[str, Any]:
    return {"root": {"routerType": kind, "steps": list(steps)}}


def test_a_step_gets_the_body_and_the_headers_that_match() -> None:
    async def main() -> None:
        async with (
            served(echo) as service,
            routed(root({"serviceUrl": f"{service}/v1/models/m:predict"}), "Authorization,X-.*") as url,
        ):
            status, seen, _ = await post(url, {"a": 1}, authorization="Bearer x", x_a="b", other="c")
            assert status == 200
            assert (seen["path"], seen["body"]) == ("/v1/models/m:predict", {"a": 1})
            got = {name.lower(): value for name, value in seen["headers"].items()}
            assert (got["authorization"], got["x-a"], got["content-type"]) == (
                "Bearer x",
                "b",
                "application/json",
            )
            assert "other" not in got
            assert got["host"] in service

    play(main)


def test_what_goes_wrong_with_a_step_is_told_and_the_next_request_is_answered() -> None:
    async def hostile(request: Request) -> Response:
        kind = json.loads(await request.read(10**6))["kind"]
        if kind == "abort":
            request._connection.transport.abort()
        if kind == "garbage":
            request._connection.transport.write(b"\x00\x01 nonsense\r\n\r\n")
        if kind == "smuggle":
            request._connection.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"
            )
        if kind == "endless":
            request._connection.transport.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000)
        return Response(200, [("Content-Type", "application/json")], b'{"predictions": [1]}')

    async def main() -> None:
        async with served(hostile) as service, routed(root({"serviceUrl": service})) as url:
            for kind in ("abort", "garbage", "smuggle", "endless"):
                status, told, _ = await post(url, {"kind": kind})
                assert (status, told["error"]) == (500, "Failed to process request"), kind
                assert told["cause"].startswith(f'Post "{service}"')
                assert (await post(url, {"kind": ""}))[:2] == (200, {"predictions": [1]})

    play(main)


def test_a_service_that_is_not_there_is_named() -> None:
    async def main() -> None:
        steps = [
            {"serviceUrl": "http://user:secret@127.0.0.1:9/x"},
            {"serviceUrl": "ftp://a/b"},
            {"serviceUrl": ""},
        ]
        causes = []
        for step in steps:
            async with routed(root(step)) as url:
                status, told, answer = await post(url, {})
                assert (status, answer.get("content-type")) == (500, "application/json")
                causes.append(told["cause"])
        assert causes == [
            'Post "http://user:***@127.0.0.1:9/x": connect: connection refused',
            'Post "ftp://a/b": unsupported protocol scheme "ftp"',
            'Post "": unsupported protocol scheme ""',
        ]

    play(main)


def test_time_limits() -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(5)
        return Response()

    async def main() -> None:
        async with served(slow) as service:
            async with routed(root({"serviceUrl": service}), serviceClient=1) as url:
                status, told, _ = await post(url, {})
                assert (status, "deadline exceeded" in told["cause"]) == (500, True)
            async with routed(root({"serviceUrl": service}), serverWrite=1) as url:
                status, told, _ = await post(url, {})
                assert (status, "serverWrite" in told["cause"]) == (504, True)

    asyncio.run(main())


def test_redirects_are_followed_as_go_follows_them() -> None:
    async def main() -> None:
        async def moved(request: Request) -> Response:
            if request.path == "/there":
                return await echo(request)
            code = int(request.path[1:])
            return Response(code, [("Location", "/there" if code != 999 else "/999")])

        async def method(request: Request) -> Response:
            if request.path == "/there":
                return Response(
                    200, [("Content-Type", "application/json")], json.dumps(request.method).encode()
                )
            return await moved(request)

        async with served(moved) as service, routed(root({"serviceUrl": f"{service}/307"})) as url:
            assert (await post(url, {"a": 1}))[1]["body"] == {"a": 1}
        async with served(method) as service, routed(root({"serviceUrl": f"{service}/302"})) as url:
            assert (await post(url, {"a": 1}))[1] == "GET"

        async def circle(request: Request) -> Response:
            return Response(307, [("Location", "/again")])

        async with served(circle) as service, routed(root({"serviceUrl": service})) as url:
            assert "stopped after 10 redirects" in (await post(url, {}))[1]["cause"]

    play(main)


def test_ready_until_it_is_told_to_end() -> None:
    async def main() -> None:
        router = Router(read_graph('{"nodes": {}}'))
        port = await router.server.listen(0, "127.0.0.1")
        pool, (origin, _) = Pool(), origin_of(f"http://127.0.0.1:{port}")
        assert (await pool.request("GET", origin, "/readyz", [])).status == 200
        draining = asyncio.ensure_future(router.server.drain(quiet_seconds=0.3))

        async def probe() -> None:
            while True:
                # Probes go on, and keep nothing from ending.
                await pool.request("GET", origin, "/readyz", [("User-Agent", "kube-probe/1.31")])
                await asyncio.sleep(0.05)

        probing = asyncio.ensure_future(probe())
        await asyncio.sleep(0)
        answer = await pool.request("GET", origin, "/readyz", [])
        assert (answer.status, await answer.read(100)) == (503, b"shutting down\n")
        async with asyncio.timeout(60):
            await draining
        probing.cancel()
        await pool.close()
        await router.close()

    play(main)


def test_many_at_a_time_over_few_connections() -> None:
    async def main() -> None:
        seen = set()

        async def count(request: Request) -> Response:
            seen.add(id(request._connection))
            value = json.loads(await request.read(10**6))
            await asyncio.sleep(0.001)
            return Response(
                200, [("Content-Type", "application/json")], json.dumps({"predictions": value}).encode()
            )

        steps = [{"name": str(number), "serviceUrl": ""} for number in range(3)]
        async with served(count) as service:
            for step in steps:
                step["serviceUrl"] = service
            async with routed(root(*steps, kind="Ensemble")) as url:
                pool, (origin, target) = Pool(), origin_of(url)

                async def ask(number: int) -> None:
                    for turn in range(10):
                        body = json.dumps([number, turn]).encode()
                        answer = await pool.request("POST", origin, target, [], body)
                        found = json.loads(await answer.read(10**6))
                        assert found == {str(each): {"predictions": [number, turn]} for each in range(3)}

                await asyncio.gather(*(ask(number) for number in range(10)))
                await pool.close()
        assert len(seen) <= 40

    play(main)
