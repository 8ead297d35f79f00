"""The model server over HTTP, as a process: routes, errors, what clients may send it, workers, its end."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import random
import signal
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sampan.testing.connections import free_port
from sampan.testing.model_servers import Served, serving

LINEAR = Path(__file__).with_name("runtimes") / "linear.py"
PREDICT = "/v1/models/lin:predict"
INFER = "/v2/models/lin/infer"


def linear(folder: Path, name: str = "", **told: Any) -> Path:
    """A folder with the model of `runtimes/linear.py`, or one below it."""
    place = folder / "models" / name if name else folder / "models"
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.json").write_text(json.dumps({"weights": [1, 2, 3, 4], **told}))
    return folder / "models"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    words = [
        "--runtime",
        str(LINEAR),
        "--model_name=lin",
        f"--model_dir={linear(folder)}",
        "--max_body_bytes=2000000",
    ]
    with serving(folder, *words) as served:
        yield served


def infer(values: list[list[float]], **more: Any) -> dict[str, Any]:
    size = [len(values), len(values[0])]
    flat = [each for row in values for each in row]
    return {"inputs": [{"name": "x", "shape": size, "datatype": "FP64", "data": flat}], **more}


def test_what_is_there_is_told(server: Served) -> None:
    assert server.get("/") == (200, {"status": "alive"})
    assert server.get("/v1/models") == (200, {"models": ["lin"]})
    assert server.get("/v1/models/lin") == (200, {"name": "lin", "ready": True})
    assert server.get("/v2/health/live") == (200, {"live": True})
    assert server.get("/v2/health/ready") == (200, {"ready": True})
    assert server.get("/v2/models/lin/ready") == (200, {"name": "lin", "ready": True})
    assert server.get("/v2/models/lin/versions/1/ready")[0] == 200
    status, metadata = server.get("/v2/models/lin")
    assert (status, metadata["inputs"]) == (200, [{"name": "x", "datatype": "FP64", "shape": [-1, 4]}])
    assert "binary_tensor_data" in server.get("/v2")[1]["extensions"]
    index = server.send("POST", "/v2/repository/index", b"")
    assert json.loads(index[1]) == [{"name": "lin", "version": "1", "state": "READY", "reason": ""}]


def test_predictions_over_v1_and_v2(server: Served) -> None:
    assert server.post(PREDICT, {"instances": [[1, 2, 3, 4], [1, 1, 1, 1]]}) == (
        200,
        {"predictions": [30, 10]},
    )
    assert server.post(PREDICT, {"inputs": [[1, 2, 3, 4]]}) == (200, {"predictions": [30]})
    status, answer = server.post(INFER, infer([[1, 2, 3, 4]], id="x1"))
    assert (status, answer["id"], answer["outputs"][0]) == (
        200, "x1", {"name": "y", "shape": [1], "datatype": "FP64", "data": [30]}
    )  # fmt: skip
    status, answer = server.post(
        INFER, infer([[1, 2, 3, 4]], parameters={"factor": 2}, outputs=[{"name": "y"}])
    )
    assert (status, len(answer["outputs"]), answer["outputs"][0]["data"]) == (200, 1, [60])


def test_binary_tensors(server: Served) -> None:
    x = np.array([[1, 2, 3, 4.5]])
    head = json.dumps(
        {
            "inputs": [
                {"name": "x", "shape": [1, 4], "datatype": "FP64", "parameters": {"binary_data_size": 32}}
            ],
            "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
        }
    ).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    status, body = server.send("POST", INFER, head + x.tobytes(), length)
    assert (status, server.headers["content-type"]) == (200, "application/octet-stream")
    size = int(server.headers["inference-header-content-length"])
    assert json.loads(body[:size])["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert np.frombuffer(body[size:]).tolist() == [32]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/v1/models/none", None, 404, "Model with name none does not exist."),
        ("POST", "/v1/models/none:predict", b"{}", 404, "Model with name none does not exist."),
        ("POST", "/v2/models/none/infer", b"{}", 404, "Model with name none does not exist."),
        ("GET", "/v2/models/lin/versions/7", None, 404, "has no version 7"),
        ("POST", "/v2/repository/models/none/unload", b"", 404, "does not exist"),
        ("POST", "/v2/repository/models/none/load", b"", 503, "Model with name none is not ready."),
        ("POST", "/v2/repository/models/../load", b"", 503, "is not ready"),
        ("POST", "/v2/repository/models/%2e%2e%2fmodels/load", b"", 404, "Not Found"),
        ("GET", "/nowhere", None, 404, "Not Found"),
        ("GET", PREDICT, None, 405, "Method Not Allowed"),
        ("POST", "/v2/health/live", b"", 405, "Method Not Allowed"),
        ("POST", PREDICT, b"{", 400, "Unrecognized request format"),
        ("POST", PREDICT, b'{"instances": 1}', 400, 'Expected "instances" to be a list'),
        ("POST", PREDICT, b'{"instances": [[1, 2]]}', 400, "x has to have 4 columns"),
        ("POST", PREDICT, b'{"instances": [["a"]]}', 400, "lists of numbers"),
        ("POST", "/v1/models/lin:explain", b'{"instances": [[1]]}', 501, "explains nothing"),
        ("POST", INFER, b'{"inputs": []}', 400, "at least one tensor"),
    ],
)  # fmt: skip
def test_errors_have_kserves_shape(
    server: Served, method: str, path: str, body: bytes | None, status: int, says: str
) -> None:
    found, text = server.send(method, path, body)
    assert (found, server.headers["content-type"]) == (status, "application/json")
    # FastAPI's word where there is no route.
    [(key, message)] = json.loads(text).items()
    assert key == ("detail" if says in ("Not Found", "Method Not Allowed") else "error")
    assert says in message


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"model": "lin"}', 404, "no language model"),
        (b"[]", 400, "names its model"),
        (b"{", 400, "Unrecognized"),
    ],
)
def test_errors_of_openais_routes_have_openais_shape(
    server: Served, body: bytes, status: int, says: str
) -> None:
    found, text = server.send("POST", "/openai/v1/chat/completions", body)
    told = json.loads(text)["error"]
    assert (found, told["code"], told["type"]) == (status, str(status), "invalid_request_error")
    assert says in told["message"]


def test_a_model_that_fails_tells_no_paths(server: Served) -> None:
    status, answer = server.post(PREDICT, {"instances": [[-1, 2, 3, 4]]})
    assert (status, answer) == (500, {"error": "FileNotFoundError : … is missing"})
    # Whoever runs it finds all of it in the log.
    assert "secret/model.bin" in server.log.read_text()


def test_packed_bodies(server: Served) -> None:
    body = json.dumps({"instances": [[1, 2, 3, 4]]}).encode()
    for encoding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        status, answer = server.send("POST", PREDICT, packed, {"content-encoding": encoding})
        assert (status, json.loads(answer)) == (200, {"predictions": [30]})
    bomb = gzip.compress(b" " * 50_000_000)
    for encoding, packed, refused in (
        ("gzip", bomb, 413), ("gzip", b"no gzip", 400), ("gzip", gzip.compress(body)[:-9], 400), ("br", body, 415)
    ):  # fmt: skip
        assert server.send("POST", PREDICT, packed, {"content-encoding": encoding})[0] == refused


def test_events_in_both_modes(server: Served) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "here", "ce-type": "t"}
    status, body = server.send("POST", PREDICT, b'{"instances": [[1, 2, 3, 4]]}', headers)
    assert (status, json.loads(body)) == (200, {"predictions": [30]})
    assert server.headers["ce-type"] == "io.kserve.inference.response"
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "t",
        "data": {"instances": [[1, 2, 3, 4]]},
    }
    kind = {"content-type": "application/cloudevents+json"}
    status, body = server.send("POST", PREDICT, json.dumps(event).encode(), kind)
    assert (status, json.loads(body)["data"]) == (200, {"predictions": [30]})
    assert server.headers["content-type"] == "application/cloudevents+json"


def test_metrics_have_kserves_names(server: Served) -> None:
    server.post(PREDICT, {"instances": [[1, 2, 3, 4]]})
    status, text = server.send("GET", "/metrics")
    assert status == 200
    for name in ("preprocess", "predict", "postprocess"):
        assert f'request_{name}_seconds_count{{model_name="lin"}}'.encode() in text
    status, stats = server.get("/v2/models/lin/stats")
    assert stats["model_stats"][0]["inference_stats"]["success"]["count"] > 0


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_pages_of_other_sites_unload_no_models(server: Served, headers: dict[str, str]) -> None:
    assert server.send("POST", "/v2/repository/models/lin/unload", b"", headers)[0] == 403
    assert server.get("/v1/models/lin")[0] == 200


def post(path: str, body: bytes, head: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body


ONE = post(PREDICT, b'{"instances": [[1, 2, 3, 4]]}')
LAST = post(PREDICT, b'{"instances": [[1, 1, 1, 1]]}', "connection: close\r\n")


def test_pipelined_requests_are_answered_in_order(server: Served) -> None:
    answer = server.raw(ONE * 40 + LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 41
    assert answer.endswith(b'{"predictions":[10.0]}')


def test_bodies_in_chunks_and_heads_in_pieces(server: Served) -> None:
    chunked = (
        f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".encode()
        + b'5\r\n{"ins\r\n17\r\ntances": [[1, 2, 3, 4]]\r\n1\r\n}\r\n0\r\n\r\n'
    )
    assert b'{"predictions":[30.0]}' in server.raw(chunked)
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        for byte in LAST:
            connection.sendall(bytes([byte]))
        assert b"200 OK" in connection.recv(65536)


def test_a_client_that_asks_first_is_told_to_continue(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        body = b'{"instances": [[1, 2, 3, 4]]}'
        head = post(PREDICT, body, "expect: 100-continue\r\nconnection: close\r\n")[: -len(body)]
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b"200 OK" in connection.recv(65536)
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\nexpect: 100-continue\r\n\r\n"
    refused = server.raw(head.encode())
    assert refused.startswith(b"HTTP/1.1 413")


def test_head_and_old_http(server: Served) -> None:
    answer = server.raw(b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert b"content-length: 18" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert server.raw(b"GET / HTTP/1.0\r\n\r\n").endswith(b'{"status":"alive"}')
    upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n"
    assert server.raw(upgrade).endswith(b'{"status":"alive"}')


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, b"431"),
        (b"".join([b"GET / HTTP/1.1\r\nhost: x\r\n", *(b"h%d: b\r\n" % n for n in range(200)), b"\r\n"]), b"431"),
        (b"GET /" + b"a" * 300_000, b"431"),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1" + b";x=y" * 100_000, b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nx: a\0b\r\n\r\n", b"400"),
    ],
)  # fmt: skip
def test_what_is_no_request_or_too_large_ends_its_connection(
    server: Served, data: bytes, status: bytes
) -> None:
    answer = server.raw(data)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert b"connection: close" in answer
    assert server.get("/")[0] == 200


def test_noise_does_no_harm(server: Served) -> None:
    """Row 13-14: whatever comes, it is answered without a word of the machine, and the server lives."""
    chance = random.Random(7)
    seeds = [ONE, LAST, post(INFER, json.dumps(infer([[1, 2, 3, 4]])).encode())]
    for number in range(250):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    del data[place : place + chance.randint(1, 9)]
                case 2:
                    data[place:place] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 30)))
                case _:
                    data[place:place] = data[: chance.randint(1, 60)]
        with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
            connection.sendall(bytes(data))
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        for word in (b"Traceback", b'File "', b"/work/", b"/home/", b"site-packages", b"0x7f"):
            assert word not in answer, (number, answer)
    assert server.process.poll() is None
    assert server.post(PREDICT, {"instances": [[1, 2, 3, 4]]}) == (200, {"predictions": [30]})


def test_many_at_a_time_get_their_own(server: Served) -> None:
    wrong: list[Any] = []

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for turn in range(1, 40):
            body = json.dumps({"instances": [[number, turn, 0, 0]]})
            connection.request("POST", PREDICT, body)
            answer = json.loads(connection.getresponse().read())
            if answer != {"predictions": [number + 2 * turn]}:
                wrong.append((number, turn, answer))
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_models_of_a_folder_come_and_go(tmp_path: Path) -> None:
    folder = linear(tmp_path, "one")
    words = ["--runtime", str(LINEAR), "--model_name=unused", f"--model_dir={folder}", "--enable_grpc=false"]
    with serving(tmp_path, *words) as served:
        assert served.get("/v1/models")[1] == {"models": ["one"]}
        linear(tmp_path, "two", weights=[1, 1, 1, 1])
        assert served.post("/v2/repository/models/two/load") == (200, {"name": "two", "load": True})
        assert served.post("/v1/models/two:predict", {"instances": [[1, 2, 3, 4]]}) == (
            200,
            {"predictions": [10]},
        )
        linear(tmp_path, "two", weights=[2, 2, 2, 2])
        served.post("/v2/repository/models/two/load")
        assert served.post("/v1/models/two:predict", {"instances": [[1, 2, 3, 4]]}) == (
            200,
            {"predictions": [20]},
        )
        (folder / "bad").mkdir()
        status, answer = served.post("/v2/repository/models/bad/load")
        assert (status, answer["error"]) == (
            503,
            "Model with name bad is not ready. there is no model.json in …",
        )
        assert served.get("/v1/models/bad")[0] == 503
        # The others are served, so the server is ready.
        assert served.get("/v2/health/ready") == (200, {"ready": True})
        assert served.get("/v1/models/")[1] == served.get("/v1/models")[1]
        states = {each["name"]: each["state"] for each in served.post("/v2/repository/index")[1]}
        assert states == {"one": "READY", "two": "READY", "bad": "UNAVAILABLE"}
        assert served.post("/v2/repository/models/one/unload") == (200, {"name": "one", "unload": True})
        assert served.post("/v1/models/one:predict", {"instances": [[1, 2, 3, 4]]})[0] == 404


def test_a_model_that_cannot_be_loaded_ends_the_program_with_the_reason(tmp_path: Path) -> None:
    folder = linear(tmp_path)
    (folder / "model.json").rename(folder / "model.txt")
    words = ["--runtime", str(LINEAR), "--model_name=lin", f"--model_dir={folder}"]
    says = "model lin could not be loaded: there is no model[.]json"
    with pytest.raises(AssertionError, match=says), serving(tmp_path, *words):
        pass


def test_nothing_is_accepted_before_the_model_is_loaded(tmp_path: Path) -> None:
    """A TCP probe is to see that."""
    folder = linear(tmp_path)
    hold = tmp_path / "hold.py"
    hold.write_text(
        f"import os, runpy, time\nlinear = runpy.run_path({str(LINEAR)!r})\n"
        "def load(source):\n    print('loading', flush=True)\n"
        f"    while not os.path.exists({str(tmp_path / 'go')!r}):\n"
        "        time.sleep(0.01)\n    return linear['load'](source)\n"
    )
    port = free_port()
    words = ["--runtime", str(hold), "--model_name=lin", f"--model_dir={folder}", f"--http_port={port}"]
    seen: list[str] = []

    def look() -> None:
        while "loading" not in (log.read_text() if log.exists() else ""):
            time.sleep(0.01)
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            seen.append("accepted")
        except ConnectionRefusedError:
            seen.append("refused")
        (tmp_path / "go").touch()

    log = tmp_path / "server.log"
    thread = threading.Thread(target=look)
    thread.start()
    with serving(tmp_path, *words) as served:
        assert served.get("/v1/models/lin")[0] == 200
    thread.join()
    assert seen == ["refused"]


def test_what_is_at_work_is_finished_before_the_end(tmp_path: Path) -> None:
    folder = linear(tmp_path, seconds=0.7)
    words = ["--runtime", str(LINEAR), "--model_name=lin", f"--model_dir={folder}", "--enable_grpc=false"]
    with serving(tmp_path, *words) as served:
        idle = socket.create_connection(("127.0.0.1", served.port), 5)
        answers: list[Any] = []
        thread = threading.Thread(
            target=lambda: answers.append(served.post(PREDICT, {"instances": [[1, 2, 3, 4]]}))
        )
        thread.start()
        while "at work" not in served.log.read_text():
            time.sleep(0.01)
        served.process.send_signal(signal.SIGTERM)
        thread.join()
        assert answers == [(200, {"predictions": [30]})]
        assert served.process.wait(60) == 0
        assert idle.recv(1) == b""
        idle.close()


def pids(served: Served) -> set[str]:
    found = set()
    for _ in range(60):
        answer = served.post(INFER, infer([[1, 2, 3, 4]]))[1]
        found.add(answer["outputs"][2]["data"][0].removeprefix("pid "))
    return found


def test_workers_share_a_port_and_are_replaced(tmp_path: Path) -> None:
    folder = linear(tmp_path, "lin")
    words = ["--runtime", str(LINEAR), f"--model_dir={folder}", "--workers=2", "--enable_grpc=false"]
    with serving(tmp_path, *words) as served:
        until = time.monotonic() + 60
        while len(before := pids(served)) < 2 and time.monotonic() < until:
            pass
        assert len(before) == 2
        linear(tmp_path, "late")
        assert served.post("/v2/repository/models/late/load")[0] == 200
        for _ in range(30):
            assert served.get("/v1/models/late")[0] == 200
        count = served.get("/v2/models/lin/stats")[1]["model_stats"][0]["inference_count"]
        assert count >= 60
        victim = before.pop()
        os.kill(int(victim), signal.SIGKILL)
        failures = 0
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                found = pids(served)
            except OSError:
                failures += 1
                continue
            if victim not in found and len(found) == 2:
                break
        assert failures <= 1
        assert len(found) == 2
        # Which came after it was loaded, and has it all the same.
        for _ in range(30):
            assert served.get("/v1/models/late")[0] == 200
        assert served.end() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in found)


@pytest.mark.slow
def test_workers_that_are_killed_under_load_cost_what_they_were_at(tmp_path: Path) -> None:
    """What fails was in flight on a worker when it was killed; a second later nothing fails any more."""
    folder = linear(tmp_path)
    words = ["--runtime", str(LINEAR), "--model_name=lin", f"--model_dir={folder}", "--workers=2"]
    kills: list[float] = []
    failures: list[float] = []
    wrong: list[Any] = []
    counts: list[int] = []
    over = threading.Event()

    def ask(port: int, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        count = 0
        while not over.is_set():
            try:
                connection.request("POST", PREDICT, json.dumps({"instances": [[number, 1, 0, 0]]}))
                answer = connection.getresponse()
                found = json.loads(answer.read())
                count += 1
                if answer.status != 200 or found != {"predictions": [number + 2]}:
                    wrong.append((answer.status, found))
            except (OSError, http.client.HTTPException):
                failures.append(time.monotonic())
                connection.close()
        connection.close()
        counts.append(count)

    with serving(tmp_path, *words) as served:
        until = time.monotonic() + 60
        while len(pids(served)) < 2:
            assert time.monotonic() < until
        threads = [threading.Thread(target=ask, args=(served.port, number)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            time.sleep(0.7)
            victim = next(iter(pids(served)))
            kills.append(time.monotonic())
            os.kill(int(victim), signal.SIGKILL)
            time.sleep(1.3)
        over.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert min(counts) > 50
    assert len(failures) <= 8 * len(kills)
    late = [at for at in failures if not any(0 <= at - kill <= 1 for kill in kills)]
    assert not late, (kills, failures)


@pytest.mark.slow
def test_what_comes_too_slowly_is_ended(tmp_path: Path) -> None:
    """Heads have 20 s, idle connections what is said; others are served meanwhile."""
    words = ["--runtime", str(LINEAR), "--model_name=lin", f"--model_dir={linear(tmp_path)}"]
    with serving(tmp_path, *words, "--timeout-keep-alive=2") as served:
        slow = [socket.create_connection(("127.0.0.1", served.port), 40) for _ in range(50)]
        for connection in slow:
            connection.sendall(b"POST / HTTP/1.1\r\nhost:")
        idle = socket.create_connection(("127.0.0.1", served.port), 40)
        idle.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200 OK" in idle.recv(1000)
        assert idle.recv(1000) == b""
        idle.close()
        for connection in slow[:25]:
            connection.sendall(b" x\r\n")
        assert served.post(PREDICT, {"instances": [[1, 2, 3, 4]]})[0] == 200
        for connection in slow:
            assert connection.recv(1000).startswith(b"HTTP/1.1 408")
            connection.close()


def test_a_second_port_and_a_line_for_each_request(tmp_path: Path) -> None:
    other = free_port()
    words = ["--runtime", str(LINEAR), "--model_name=lin", f"--model_dir={linear(tmp_path)}"]
    with serving(tmp_path, *words, f"--other_http_port={other}") as served:
        for port in (served.port, other):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(
                "POST", PREDICT, '{"instances": [[1, 2, 3, 4]]}', {"x-request-id": f"at-{port}"}
            )
            assert json.loads(connection.getresponse().read()) == {"predictions": [30]}
            connection.close()
        lines: list[list[str]] = []
        until = time.monotonic() + 60
        while len(lines) < 2 and time.monotonic() < until:  # a line comes after its answer
            lines = [line.split() for line in served.log.read_text().splitlines() if "kserve.trace" in line]
        assert [line[2] for line in lines] == [str(served.process.pid)] * 2
        assert [line[5] for line in lines] == [f"at-{served.port},", f"at-{other},"]
