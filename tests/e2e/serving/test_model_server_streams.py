"""Models that answer whole requests: in pieces as they come, several at a time, over OpenAI's routes."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.model_servers import Served, serving

TALKING = Path(__file__).with_name("runtimes") / "talking.py"
PREDICT = "/v1/models/talk:predict"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    words = ["--runtime", str(TALKING), "--model_name=talk", f"--model_dir={folder}", "--enable_grpc=false"]
    with serving(folder, *words) as served:
        yield served


def notes(server: Served) -> list[str]:
    file = server.log.parent / "notes"
    return file.read_text().split() if file.exists() else []


def ask(
    server: Served, path: str, document: Any
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, json.dumps(document))
    return connection, connection.getresponse()


def test_pieces_come_as_they_are_made(server: Served) -> None:
    before = len(notes(server))
    connection, answer = ask(server, PREDICT, {"words": ["one", "two", "three"], "pause": 1.0})
    assert (answer.status, answer.getheader("transfer-encoding")) == (200, "chunked")
    assert answer.read1(100) == b"one"
    assert len(notes(server)) == before
    assert answer.read() == b"twothree"
    # The connection is good for another.
    connection.request("GET", "/v1/models/talk")
    assert connection.getresponse().status == 200
    connection.close()
    assert notes(server)[before:] == ["whole"]


def test_a_stream_whose_reader_has_gone_ends(server: Served) -> None:
    before = len(notes(server))
    connection, answer = ask(server, PREDICT, {"words": ["x" * 1000] * 10_000, "pause": 0.01})
    assert answer.read(10) == b"x" * 10
    answer.close()
    connection.close()
    until = time.monotonic() + 60
    while len(notes(server)) == before and time.monotonic() < until:
        time.sleep(0.02)
    assert notes(server)[before:] in (["GeneratorExit"], ["CancelledError"])


def test_a_stream_that_fails_is_seen_to_be_cut(server: Served) -> None:
    connection, answer = ask(server, PREDICT, {"words": ["one", "fail"]})
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    assert server.get("/")[0] == 200


def test_several_are_asked_at_a_time(server: Served) -> None:
    body = {"inputs": [{"name": "x", "shape": [1], "datatype": "INT8", "data": [1]}]}
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(server.post("/v2/models/talk/infer", body)[0]))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200, 200]


def test_openais_routes(server: Served) -> None:
    assert server.get("/openai/v1/models")[1]["data"][0]["id"] == "talk"
    chat = "/openai/v1/chat/completions"
    assert server.post(chat, {"model": "talk"}) == (200, {"object": "chat.completion", "model": "talk"})
    status, body = server.send("POST", chat, b'{"model": "talk", "stream": true}')
    assert (status, body) == (200, b"data: 1\n\ndata: [DONE]\n\n")
    assert server.headers["content-type"].startswith("text/event-stream")
    assert server.post("/openai/v1/embeddings", {"model": "talk"})[0] == 400
    assert server.post(chat, {"model": "none"})[0] == 404
