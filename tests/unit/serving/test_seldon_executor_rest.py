"""The executor's HTTP server in front of units: paths, headers, errors and counts (executor/api/rest/*_test.go)."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from sampan.components.serving.engine.programs.seldon_executor.events import Sender
from sampan.components.serving.engine.programs.seldon_executor.graph import read
from sampan.components.serving.engine.programs.seldon_executor.main import annotations_of
from sampan.components.serving.engine.programs.seldon_executor.rest import Rest
from sampan.components.serving.engine.programs.wire.client import Origin, Pool
from sampan.components.serving.engine.programs.wire.running import Server
from sampan.components.serving.engine.programs.wire.server import Request, Response

JSON = [("Content-Type", "application/json")]
DATA = b' {"data":{"ndarray":[1.1,2.0]}}'


class Asked:
    """An executor, and what its unit was asked."""

    def __init__(self, pool: Pool, port: int, seen: list[tuple[str, str, dict[str, str], bytes]]) -> None:
        self._pool, self._port, self.seen = pool, port, seen

    async def __call__(
        self, method: str, path: str, body: bytes = b"", *headers: tuple[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        origin = Origin("127.0.0.1", self._port)
        answer = await self._pool.request(method, origin, path, [*JSON, *headers], body)
        found = {name.lower(): value for name, value in answer.headers}
        return answer.status, await answer.read(1 << 20), found


def run(
    scenario: Callable[[Asked], Awaitable[None]],
    protocol: str = "seldon",
    answer: Callable[[bytes], Response] = lambda body: Response(200, list(JSON), body),
    then: str = "",
    **predictor: Any,
) -> None:
    """With a model `m`, and one after it where `then` names one."""

    async def main() -> None:
        seen: list[tuple[str, str, dict[str, str], bytes]] = []

        async def unit(request: Request) -> Response:
            body = await request.read(1 << 20)
            headers = {name.lower(): value for name, value in request.headers}
            seen.append((request.method, request.path, headers, body))
            return answer(body)

        pool, behind = Pool(), Server(unit)
        port = await behind.listen(0, "127.0.0.1")
        model = {"type": "MODEL", "endpoint": {"service_host": "127.0.0.1", "httpPort": port}}
        told: Mapping[str, Any] = {
            "name": "p",
            "graph": {"name": "m", **model, "children": [{"name": then, **model}] if then else []},
            "componentSpecs": [{"spec": {"containers": [{"name": "m", "image": "foo:0.1"}]}}],
            **predictor,
        }
        found = read(base64.b64encode(json.dumps(told).encode()).decode())
        sender = Sender("dep", "ns", "p", protocol, "http://x/")
        rest = Rest(found, sender, pool, prometheus="/metrics", checks_health=False)
        server = Server(rest.handle)
        try:
            await scenario(Asked(pool, await server.listen(0, "127.0.0.1"), seen))
        finally:
            await server.close()
            await behind.close()
            await pool.close()

    asyncio.run(main())


@pytest.mark.parametrize("puid", ["1", ""])
def test_a_request_has_an_id_that_goes_to_units_and_back(puid: str) -> None:
    async def scenario(ask: Asked) -> None:
        status, body, headers = await ask("POST", "/api/v0.1/predictions", DATA, ("Seldon-Puid", puid))
        assert (status, body) == (200, DATA)
        assert headers["seldon-puid"] == (puid or ask.seen[0][2]["seldon-puid"])
        assert len(headers["seldon-puid"]) in (1, 36)
        assert headers["x-content-type-options"] == "nosniff"
        assert "ce-id" not in headers

    run(scenario)


@pytest.mark.parametrize(("reads_service_port", "status"), [(True, 200), (False, 503)])
def test_a_unit_is_there_at_its_service_port(reads_service_port: bool, status: int) -> None:
    """One that speaks gRPC has nothing at its HTTP port (executor/predictor/ready_checker.go).

    At the other port nobody listens, and nobody else can: it is bound.
    """

    async def main() -> None:
        async def unit(request: Request) -> Response:
            return Response(200)

        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        pool, there = Pool(), Server(unit)
        taken, free = await there.listen(0, "127.0.0.1"), bound.getsockname()[1]
        service, http = (taken, free) if reads_service_port else (free, taken)
        endpoint = {
            "service_host": "127.0.0.1",
            "service_port": service,
            "httpPort": http,
            "grpcPort": service,
        }
        graph = {"name": "m", "type": "MODEL", "endpoint": endpoint}
        told = json.dumps({"name": "p", "graph": graph})
        sender = Sender("dep", "ns", "p", "tensorflow", "http://x/")
        found = read(base64.b64encode(told.encode()).decode())
        rest = Rest(found, sender, pool, prometheus="/metrics", checks_health=False)
        server = Server(rest.handle)
        try:
            ask = Asked(pool, await server.listen(0, "127.0.0.1"), [])
            assert (await ask("GET", "/ready"))[0] == status
        finally:
            bound.close()
            await server.close()
            await there.close()
            await pool.close()

    asyncio.run(main())


def test_a_cloud_event_is_answered_as_one() -> None:
    async def scenario(ask: Asked) -> None:
        _, _, headers = await ask("POST", "/api/v0.1/predictions", DATA, ("Ce-Specversion", "0.3"))
        assert headers["ce-id"] == headers["seldon-puid"]
        assert headers["ce-path"] == "/api/v0.1/predictions"
        assert (headers["ce-type"], headers["ce-source"]) == ("seldon.dep.ns.response", "seldon.dep")

    run(scenario)


def test_browsers_of_other_origins_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(ask: Asked) -> None:
        status, body, headers = await ask("OPTIONS", "/api/v1.0/predictions")
        assert (status, body, ask.seen) == (200, b"", [])
        assert headers["access-control-allow-origin"] == "*"
        assert headers["access-control-allow-headers"].startswith("Accept, Accept-Encoding, Authorization")
        monkeypatch.setenv("CORS_ALLOWED_ORIGINS", "http://example.com")
        monkeypatch.setenv("CORS_ALLOWED_HEADERS", "Accept")
        _, _, headers = await ask("POST", "/api/v1.0/predictions", DATA)
        assert headers["access-control-allow-origin"] == "http://example.com"
        assert headers["access-control-allow-headers"] == "Accept"

    run(scenario)


def test_what_a_browser_might_run_is_escaped_in_json_alone() -> None:
    page = '{"strData": "<div class=\\"a\\">&\u2028</div>"}'.encode()

    async def scenario(ask: Asked) -> None:
        _, body, _ = await ask("POST", "/api/v1.0/predictions", page)
        assert json.loads(body) == json.loads(page)
        assert not {ord("<"), ord(">"), ord("&")} & set(body)

    run(scenario)


def test_tensors_as_bytes_go_through_a_graph() -> None:
    """What tritonclient sends and wants."""
    length = "Inference-Header-Content-Length"
    answered = b'{"outputs":[{"name":"x"}]}<&>'

    async def scenario(ask: Asked) -> None:
        given = b'{"inputs":[]}<>'
        status, body, headers = await ask("POST", "/v2/models/infer", given, (length, "13"))
        assert (status, body, headers[length.lower()]) == (200, answered, "26")
        (_, first, told, to_first), (_, second, told_second, to_second) = ask.seen
        assert (first, told[length.lower()], to_first) == ("/v2/models/m/infer", "13", given)
        size = int(told_second[length.lower()])
        assert second == "/v2/models/n/infer"
        assert json.loads(to_second[:size]) == {"inputs": [{"name": "x"}]}
        assert to_second[size:] == b"<&>"

    def answer(_body: bytes) -> Response:
        return Response(200, [*JSON, (length, "26")], answered)

    run(scenario, "v2", answer, then="n")


def test_a_units_error_is_the_answer() -> None:
    async def scenario(ask: Asked) -> None:
        status, body, _ = await ask("POST", "/api/v0.1/predictions", DATA)
        assert (status, json.loads(body)) == (418, {"status": "failed"})

    run(scenario, answer=lambda _body: Response(418, list(JSON), b'{"status":"failed"}'))


@pytest.mark.parametrize(
    ("protocol", "method", "path", "asked"),
    [
        ("tensorflow", "POST", "/v1/models/:predict", "/v1/models/m:predict"),
        ("tensorflow", "POST", "/v1/models:predict", "/v1/models/m:predict"),
        ("tensorflow", "POST", "/v1/models/xyz/:predict", "/v1/models/xyz:predict"),
        ("tensorflow", "POST", "/v1/models/xyz:predict", "/v1/models/xyz:predict"),
        ("tensorflow", "GET", "/v1/models/m", "/v1/models/m"),
        ("tensorflow", "GET", "/v1/models/m/metadata", "/v1/models/m/metadata"),
        ("v2", "POST", "/v2/models/infer", "/v2/models/m/infer"),
        ("kfserving", "POST", "/v2/models/xyz/infer", "/v2/models/xyz/infer"),
        ("v2", "GET", "/v2/models/m/ready", "/v2/models/m/ready"),
        ("v2", "GET", "/v2/models/m", "/v2/models/m"),
        ("seldon", "GET", "/api/v1.0/status/m", "/health/status"),
        ("seldon", "GET", "/api/v0.1/metadata/m", "/metadata"),
        ("seldon", "POST", "/api/v1.0/feedback", "/send-feedback"),
    ],
)
def test_paths_lead_to_those_of_the_unit(protocol: str, method: str, path: str, asked: str) -> None:
    given = b'{"instances":[[1]],"inputs":[]}' if method == "POST" else b""

    async def scenario(ask: Asked) -> None:
        status, body, _ = await ask(method, path, given)
        assert (status, body) == (200, given)
        assert [each[:2] for each in ask.seen] == [(method, asked)]

    run(scenario, protocol)


def test_a_model_that_there_is_not_is_said() -> None:
    async def scenario(ask: Asked) -> None:
        status, body, _ = await ask("GET", "/api/v1.0/metadata/nobody")
        assert (status, json.loads(body)["status"]["info"]) == (500, "Failed to find model nobody")

    run(scenario)


@pytest.mark.parametrize(
    ("protocol", "folder", "file"),
    [("seldon", "/api/v1.0/doc/", "seldon.json"), ("v2", "/v2/docs/", "dataplane.yaml")],
)
def test_it_describes_its_own_api(protocol: str, folder: str, file: str) -> None:
    async def scenario(ask: Asked) -> None:
        status, body, headers = await ask("GET", folder)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert file.encode() in body
        status, body, _ = await ask("GET", folder + file)
        assert (status, json.loads(body)["openapi"][0]) == (200, "3")
        assert (await ask("GET", f"{folder}nothing"))[0] == 404

    run(scenario, protocol)


def test_requests_are_counted_on_both_sides() -> None:
    async def scenario(ask: Asked) -> None:
        await ask("POST", "/api/v1.0/predictions", DATA)
        lines = (await ask("GET", "/metrics"))[1].decode().splitlines()
        for line in (
            'server_requests_seconds_count{deployment_name="dep",predictor_name="p",predictor_version="v7",'
            'service="predictions",method="post",code="200"} 1',
            'client_requests_seconds_count{deployment_name="dep",predictor_name="p",predictor_version="v7",'
            'service="/predict",model_name="m",model_image="foo",model_version="0.1",method="post",code="200"} 1',
        ):
            assert f"seldon_api_executor_{line}" in lines
        assert any(
            line.startswith("seldon_api_executor_client_requests_seconds_summary{")
            and 'quantile="0.98"' in line
            for line in lines
        )

    run(scenario, annotations={"version": "v7"})


def test_annotations_are_read_with_and_without_quotes() -> None:
    assert annotations_of('a=b\n"c"="d"\n\ne="f=g"') == {"a": "b", "c": "d", "e": "f=g"}
