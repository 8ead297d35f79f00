"""The agent over real connections: in front of a model server, and of whoever is told of its requests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sampan.components.serving.engine.programs.agent import arguments, delivery, storing
from sampan.components.serving.engine.programs.agent.delivery import Queue
from sampan.components.serving.engine.programs.agent.events import COLUMNS, REQUEST, RESPONSE
from sampan.components.serving.engine.programs.agent.logging import Logger
from sampan.components.serving.engine.programs.agent.main import Agent
from sampan.components.serving.engine.programs.agent.probing import probe_of
from sampan.components.serving.engine.programs.wire.server import Request, Response
from sampan.testing.connections import connected, listening

sys.path.insert(0, str(Path(__file__).parent))
from agent_kit import Sink, agent
from wire_kit import ask, json_answer, play, served, until


async def model(request: Request) -> Response:
    """Doubles numbers; a text is an error."""
    if not request.path.endswith(":predict"):
        body = await request.read(10**8)
        return json_answer({"path": request.head.target, "headers": dict(request.headers), "size": len(body)})
    value = json.loads(await request.read(10**8))
    if any(isinstance(each, str) for each in value["instances"]):
        return json_answer({"error": "no numbers"}, 400)
    return json_answer({"predictions": [[number * 2 for number in row] for row in value["instances"]]})


PREDICT = "/v1/models/m:predict"


def test_requests_are_handed_on_as_they_are() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 10_000

    async def main() -> None:
        async with served(model) as component, agent(component) as url:
            got = (
                await ask(
                    f"{url}/v2/a%20b?c=d&e", {"a": 1}, host="model.example", connection="x-own", x_own="1"
                )
            ).json
            headers = {name.lower(): value for name, value in got["headers"].items()}
            assert (got["path"], headers["host"]) == ("/v2/a%20b?c=d&e", "model.example")
            assert headers["x-forwarded-for"] == "127.0.0.1"
            assert "x-own" not in headers
            assert (await ask(f"{url}/large", parts())).json["size"] == 2_000_000
            assert (await ask(f"{url}/large", b"y" * 5_000_000)).json["size"] == 5_000_000
            head = await ask(url, method="HEAD")
            assert (head.status, head.body) == (200, b"")
        async with agent("http://127.0.0.1:9") as url:
            gone = await ask(url)
            assert (gone.status, b"connection refused" in gone.body) == (502, True)

    play(main)


def test_answers_flow() -> None:
    async def main() -> None:
        released = asyncio.Event()

        async def streaming(request: Request) -> Response:
            async def parts() -> AsyncIterator[bytes]:
                yield b"data: 1\n\n"
                await released.wait()
                yield b"data: 2\n\n"

            return Response(200, [("Content-Type", "text/event-stream")], parts())

        sink = Sink()
        async with (
            served(sink) as where,
            served(streaming) as component,
            agent(component, "--log-url", where) as url,
        ):
            async with connected("127.0.0.1", int(url.rpartition(":")[2])) as (reader, writer):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert b"data: 1" in await reader.readuntil(b"data: 1\n\n")
                released.set()
                assert b"data: 2" in await reader.read()
            await until(lambda: len(sink.events) == 2)
        assert [each.body for each in sink.events if each.get("ce-type") == RESPONSE] == [
            b"data: 1\n\ndata: 2\n\n"
        ]

    play(main)


def test_upgrades_and_http2_are_led_through() -> None:
    async def main() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.readuntil(b"\r\n\r\n")
            if first.startswith(b"GET"):
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            else:
                writer.write(first)
            while data := await reader.read(1000):
                writer.write(data.upper())

        async with listening(echo) as there, agent(f"http://{there.address}") as url:
            for opening, answer in (
                (
                    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
                    b"HTTP/1.1 101 Switching",
                ),
                (b"PRI * HTTP/2.0\r\n\r\n", b"PRI * HTTP/2.0"),
            ):
                async with connected("127.0.0.1", int(url.rpartition(":")[2])) as (reader, writer):
                    writer.write(opening)
                    assert (await reader.readuntil(b"\r\n\r\n")).startswith(answer)
                    writer.write(b"hello")
                    assert await reader.readexactly(5) == b"HELLO"
                    writer.write_eof()
                    assert await reader.read() == b""

    play(main)


def test_events_are_as_upstreams() -> None:
    async def main() -> None:
        sink = Sink()
        args = [
            *(
                "--inference-service",
                "iris",
                "--namespace",
                "ns",
                "--endpoint",
                "",
                "--component",
                "predictor",
            ),
            *("--source-uri", "", "--log-mode", "all", "--metadata-headers", "X-A,x-b"),
            *("--metadata-annotations", '"team=a,b",cost=7', "--logger-tls-skip-verify", "false"),
        ]
        async with (
            served(sink) as where,
            served(model) as component,
            agent(component, "--log-url", f"{where}/sink", *args) as url,
        ):
            body = {"instances": [[1, 2]]}
            sent = {"content_type": "application/json", "ce_id": "own", "X_A": "é%", "x_b": "2"}
            assert (await ask(url + PREDICT, body, **sent)).json == {"predictions": [[2, 4]]}
            await ask(url + PREDICT, {"instances": ["a"]})
            await until(lambda: len(sink.events) == 3)
        by_kind = {each.get("ce-type"): each for each in sink.events if each.get("ce-id") == "own"}
        asked, answered = by_kind[REQUEST], by_kind[RESPONSE]
        assert (asked.json, answered.json) == (body, {"predictions": [[2, 4]]})
        for event in (asked, answered):
            told = {name.lower(): value for name, value in event.headers}
            assert told["ce-specversion"] == "1.0"
            assert told["ce-inferenceservicename"] == "iris"
            assert (told["ce-namespace"], told["ce-component"], told["ce-endpoint"]) == (
                "ns",
                "predictor",
                "",
            )
            assert told["ce-source"] == "http://localhost:9081/"
            assert told["content-type"] == "application/json"
            assert json.loads(told["ce-metadata"]) == {"X-A": ["é%"], "X-B": ["2"]}
            assert json.loads(told["ce-annotations"]) == {"team": "a,b", "cost": "7"}
            assert told["ce-time"].endswith("Z")
        # An answer that is an error is no event; an id that nobody gave is made.
        (third,) = [each for each in sink.events if each.get("ce-id") != "own"]
        assert third.get("ce-type") == REQUEST
        uuid.UUID(third.get("ce-id"))

    play(main)


@pytest.mark.parametrize(("mode", "kinds"), [("request", [REQUEST]), ("response", [RESPONSE])])
def test_modes(mode: str, kinds: list[str]) -> None:
    async def main() -> None:
        sink = Sink()
        async with (
            served(sink) as where,
            served(model) as component,
            agent(component, f"--log-url={where}", f"--log-mode={mode}") as url,
        ):
            await ask(url + PREDICT, {"instances": [[1]]})
            await ask(f"{url}/", method="GET", user_agent="kube-probe/1.31", k_network_probe="queue")
        assert sink.kinds() == kinds

    play(main)


def test_a_sink_that_fails_costs_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_PAUSES", (0.01, 0.01, 0.01))

    async def main() -> None:
        sink = Sink()
        sink.answers = [503, 500]
        async with (
            served(sink) as where,
            served(model) as component,
            agent(component, "--log-url", where, "--log-mode", "request") as url,
        ):
            assert (await ask(url + PREDICT, {"instances": [[1]]})).status == 200
            await until(lambda: len(sink.events) == 3)
            assert len({each.get("ce-id") for each in sink.events}) == 1
        async with served(model) as component, agent(component, "--log-url", "http://127.0.0.1:9") as url:
            answers = await asyncio.gather(*(ask(url + PREDICT, {"instances": [[1]]}) for _ in range(20)))
            assert {each.status for each in answers} == {200}

    play(main)


def test_a_full_queue_loses_events_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        sink = Sink()
        gate = asyncio.Event()

        async def deliver(event: Any) -> None:
            await gate.wait()

        queue = Queue(deliver, 1)
        queue.start()
        options = arguments.read(["--log-url", "http://a"])

        async def following(request: Request, body: Any) -> Response:
            return Response(200, [], b"ok")

        logger = Logger(options.logger, queue.put, following)  # type: ignore[arg-type]

        async def handle(request: Request) -> Response:
            return await logger(request, b"")  # type: ignore[return-value]

        async with served(handle) as url:
            for _ in range(600):
                await ask(url)
        gate.set()
        await queue.close()
        assert sink.events == []

    play(main)
    assert "events are lost so far" in capsys.readouterr().err


def test_requests_are_joined() -> None:
    async def main() -> None:
        sizes: list[int] = []

        async def counting(request: Request) -> Response:
            value = json.loads(await request.read(10**8))
            sizes.append(len(value["instances"]))
            assert dict(request.headers)["Content-Type"] == "application/json"
            return json_answer(
                {"predictions": [[number * 2 for number in row] for row in value["instances"]]}
            )

        async with served(counting) as component:
            async with agent(
                component, "--enable-batcher", "--max-batchsize", "8", "--max-latency", "5000"
            ) as url:
                answers = await asyncio.gather(
                    *(ask(url + PREDICT, {"instances": [[n], [n + 1]]}) for n in range(8))
                )
                for number, answer in enumerate(answers):
                    assert answer.json["predictions"] == [[number * 2], [number * 2 + 2]]
                    assert answer.json["message"] == ""
                assert sizes == [8, 8]
                assert len({answer.json["batchId"] for answer in answers}) == 2
            async with agent(component, "--enable-batcher", "--max-latency", "50") as url:
                alone = await ask(url + PREDICT, {"instances": [[1]]})
                assert (alone.status, alone.json["predictions"]) == (200, [[2]])
                assert alone.get("content-type") == "application/json"

    play(main)


def test_what_is_no_batch_is_told_as_upstream_tells_it() -> None:
    async def main() -> None:
        async with (
            served(model) as component,
            agent(component, "--enable-batcher", "--max-latency", "50") as url,
        ):
            for body, told in (
                (b"{", b"can't Unmarshal body\n"),
                (b'{"instances": 5}', b"can't Unmarshal body\n"),
                (b'{"instances": []}', b"no instances in the request\n"),
                (b"{}", b"no instances in the request\n"),
                (b"[" * 100_000, b"can't Unmarshal body\n"),
            ):
                got = await ask(url + PREDICT, body)
                assert (got.status, got.body) == (400, told)
            assert (await ask(f"{url}/v2/models/m/infer", {"a": 1})).json["path"] == "/v2/models/m/infer"

    play(main)


def test_a_bad_request_in_a_batch_fails_alone() -> None:
    async def main() -> None:
        async with (
            served(model) as component,
            agent(component, "--enable-batcher", "--max-batchsize", "3") as url,
        ):
            good, bad, other = await asyncio.gather(
                *(ask(url + PREDICT, {"instances": [each]}) for each in ([1], "text", [2]))
            )
            assert (good.json["predictions"], other.json["predictions"]) == ([[2]], [[4]])
            assert bad.status == 200
            assert bad.json == {"message": '{"error": "no numbers"}', "batchId": "", "predictions": None}

        async def short(request: Request) -> Response:
            return json_answer({"predictions": [1]})

        async with (
            served(short) as component,
            agent(component, "--enable-batcher", "--max-batchsize", "2") as url,
        ):
            got = await ask(url + PREDICT, {"instances": [[1], [2]]})
            assert got.json["message"] == "size of prediction is not equal to the size of instances"

    play(main)


def test_batches_are_of_one_path_and_are_logged_as_each_caller_sees_them() -> None:
    async def main() -> None:
        sink = Sink()
        seen = []

        async def named(request: Request) -> Response:
            value = json.loads(await request.read(10**8))
            seen.append((request.path, len(value["instances"])))
            return json_answer({"predictions": [request.path for _ in value["instances"]]})

        args = ("--enable-batcher", "--max-batchsize", "2")
        async with (
            served(sink) as where,
            served(named) as component,
            agent(component, "--log-url", where, *args) as url,
        ):
            paths = ["/v1/models/a:predict", "/v1/models/b:predict"] * 2
            answers = await asyncio.gather(*(ask(url + path, {"instances": [[1]]}) for path in paths))
            assert [answer.json["predictions"] for answer in answers] == [[path] for path in paths]
            await until(lambda: len(sink.events) == 8)
        assert sorted(seen) == [("/v1/models/a:predict", 2), ("/v1/models/b:predict", 2)]
        assert sink.kinds() == [REQUEST] * 4 + [RESPONSE] * 4
        assert all(
            each.json == {"instances": [[1]]} for each in sink.events if each.get("ce-type") == REQUEST
        )

    play(main)


def test_it_is_ready_when_the_component_is() -> None:
    async def main() -> None:
        is_ready = [False]

        async def ready(request: Request) -> Response:
            assert request.path == "/v2/health/ready"
            return Response(200 if is_ready[0] else 503)

        probe = json.dumps({"httpGet": {"path": "/v2/health/ready", "port": 0}, "timeoutSeconds": 2})
        async with served(ready) as component, agent(component, probe=probe) as url:
            asked = {"method": "GET", "user_agent": "kube-probe/1.31"}
            assert (await ask(f"{url}/any", **asked)).status == 400
            assert (await ask(f"{url}/any", **asked, k_network_probe="queue")).status == 503
            is_ready[0] = True
            got = await ask(f"{url}/any", **asked, k_network_probe="queue")
            assert (got.status, got.body) == (200, b"queue")
            tcp = probe_of('{"tcpSocket": {"port": 8080}}', 0)
            assert tcp.port == 8080
        async with agent("http://127.0.0.1:9", probe='{"tcpSocket": {"port": 9}}') as url:
            assert (await ask(url, **asked, k_network_probe="queue")).status == 503

    play(main)


def test_models_are_pulled_by_the_agent(tmp_path: Path) -> None:
    source, config = tmp_path / "source", tmp_path / "config"
    source.mkdir()
    config.mkdir()
    (source / "model.json").write_text("{}")
    told = {"storageUri": f"file://{source}", "framework": "sklearn", "memory": "1Gi"}
    (config / "models.json").write_text(json.dumps([{"modelName": "one", "modelSpec": told}]))

    async def main() -> None:
        asked = []

        async def server(request: Request) -> Response:
            asked.append((request.method, request.path))
            return json_answer({})

        folder = tmp_path / str(uuid.uuid4())
        folder.mkdir()
        args = ("--enable-puller", "--config-dir", str(config), "--model-dir", str(folder))
        async with served(server) as component, agent(component, *args):
            await until(lambda: bool(asked))
        assert asked == [("POST", "/v2/repository/models/one/load")]
        assert (folder / "one" / "model.json").is_file()

    play(main)


@pytest.mark.parametrize(
    "argv",
    [
        ["--enable-batcher", "--max-batchsize", "0"],
        ["--enable-batcher", "--max-latency", "-1"],
        ["--log-url", "http://a", "--log-mode", "some"],
        ["--log-url", "http://a", "--metadata-annotations", "x"],
        ["--unknown"],
    ],
)
def test_arguments_that_cannot_be_meant_end_it(argv: list[str]) -> None:
    with pytest.raises(SystemExit), open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        arguments.read(argv)


def test_durations_and_flags_are_read_as_go_reads_them() -> None:
    read = arguments.read(
        ["--log-url", "http://a", "--log-batch-interval", "1m1.5s", "--enable-batcher=false"]
    )
    assert read.batcher is None
    assert read.logger is not None
    assert read.logger.batch_seconds == 61.5
    assert arguments.read(["--enable-batcher", "--component-port", "5000"]).component_port == 5000


S3 = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-south"}


class Objects:
    """As much of S3 as takes objects."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self.failures = 0

    async def __call__(self, request: Request) -> Response:
        body = await request.read(10**8)
        assert request.method == "PUT"
        assert request.get("x-amz-content-sha256") == hashlib.sha256(body).hexdigest()
        assert request.get("authorization").startswith("AWS4-HMAC-SHA256 Credential=key/")
        if self.failures:
            self.failures -= 1
            return Response(503)
        self.found[request.path] = body
        return Response(200)


STORED = (
    "--log-store-path",
    "mine",
    "--inference-service",
    "iris",
    "--namespace",
    "ns",
    "--component",
    "predictor",
)


def test_events_are_stored_as_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_PAUSES", (0.01,))

    async def main() -> None:
        objects = Objects()
        objects.failures = 1
        async with served(objects) as where, served(model) as component:
            for name, value in {**S3, "AWS_ENDPOINT_URL": where}.items():
                monkeypatch.setenv(name, value)
            async with agent(component, "--log-url", "s3://logs/all", *STORED) as url:
                await ask(
                    url + PREDICT, {"instances": [[1]]}, ce_id="a/../b", content_type="application/json"
                )
                await until(lambda: len(objects.found) == 2)
            folder = "/logs/all/ns/iris/predictor/mine"
            assert sorted(objects.found) == [
                f"{folder}/a_.._b-{kind}.json" for kind in ("request", "response")
            ]
            told = json.loads(objects.found[f"{folder}/a_.._b-request.json"])
            assert base64.b64decode(told["bytes"]) == b'{"instances": [[1]]}'
            assert (told["id"], told["reqType"], told["contentType"]) == (
                "a/../b",
                REQUEST,
                "application/json",
            )
            assert told["url"]["Host"] == "logs"

    play(main)


def test_files_have_several_events_and_a_format(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        objects = Objects()
        batched = ("--log-batch-size", "4", "--log-batch-interval", "300ms", "--log-store-format", "csv")
        async with served(objects) as where, served(model) as component:
            for name, value in {**S3, "AWS_ENDPOINT_URL": where}.items():
                monkeypatch.setenv(name, value)
            async with agent(component, "--log-url", "s3://logs/all", *STORED, *batched) as url:
                for _ in range(2):
                    await ask(url + PREDICT, {"instances": [[1]]})
                await until(lambda: len(objects.found) == 1)
                await ask(url + PREDICT, {"instances": [[1]]})
                await until(lambda: len(objects.found) == 2)
                # The last one waits for no time when the agent ends.
                await ask(url + PREDICT, {"instances": [[1]]})
        tables = [list(csv.reader(io.StringIO(body.decode()))) for body in objects.found.values()]
        assert [len(table) - 1 for table in tables] == [4, 2, 2]
        assert all(table[0] == list(COLUMNS) for table in tables)
        assert all(name.endswith(".csv") for name in objects.found)

    play(main)


def test_a_marshaller_of_ones_own_writes_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        objects = Objects()

        async def marshal(request: Request) -> Response:
            kinds = [each["reqType"].rpartition(".")[2] for each in json.loads(await request.read(10**8))]
            return Response(200, [("X-Log-Marshal-Extension", "txt")], " ".join(kinds).encode())

        async with served(objects) as where, served(marshal) as own, served(model) as component:
            for name, value in {**S3, "AWS_ENDPOINT_URL": where}.items():
                monkeypatch.setenv(name, value)
            more = ("--log-marshaller-url", own, "--log-store-format", "parquet")
            async with agent(component, "--log-url", "s3://logs", *STORED, *more) as url:
                await ask(url + PREDICT, {"instances": [[1]]}, ce_id="x")
                await until(lambda: len(objects.found) == 2)
        assert objects.found["/logs/ns/iris/predictor/mine/x-request.txt"] == b"request"

    play(main)


def test_a_file_that_is_being_written_when_the_agent_ends_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events' time had come, and nobody waited for it any more."""

    async def main() -> None:
        objects, is_asked, is_closing = Objects(), asyncio.Event(), asyncio.Event()
        close = storing.Store.close

        async def marshal(request: Request) -> Response:
            await request.read(10**8)
            is_asked.set()
            await is_closing.wait()
            return Response(200, [], b"all")

        async def noted_close(store: storing.Store) -> None:
            is_closing.set()
            await close(store)

        monkeypatch.setattr(storing.Store, "close", noted_close)
        async with served(objects) as where, served(marshal) as own, served(model) as component:
            for name, value in {**S3, "AWS_ENDPOINT_URL": where}.items():
                monkeypatch.setenv(name, value)
            batched = ("--log-batch-size", "4", "--log-batch-interval", "10ms", "--log-marshaller-url", own)
            one = ("--log-url", "s3://logs", "--log-mode", "request")
            async with agent(component, *one, *STORED, *batched) as url:
                await ask(url + PREDICT, {"instances": [[1]]})
                await is_asked.wait()
            assert list(objects.found.values()) == [b"all"]

    play(main)


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--log-url", "gs://a", "--log-store-path", "x"], "not to gs://"),
        (["--log-url", "s3://a"], "storage.path"),
        (["--log-url", "s3://a", "--log-store-path", "x"], "AWS_ACCESS_KEY_ID"),
        (["--log-url", "ftp://a"], "ftp"),
    ],
)
def test_where_nothing_can_be_logged_to_is_said_at_the_start(
    args: list[str], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(ValueError, match=word):
        Agent(arguments.read(args), probe_of("", 8080))
