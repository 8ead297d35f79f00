"""What an explainer asks its predictor, and what it says when that does not answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import LoadError, ModelError, Source
from sampan.components.serving.engine.programs.modelserver.runtimes import art
from sampan.components.serving.engine.programs.modelserver.runtimes.asking import Predictor


class Sums(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "inputs" in asked:
            data = np.array(asked["inputs"][0]["data"]).reshape(asked["inputs"][0]["shape"]).sum(axis=1)
            answer = {"outputs": [{"data": data.tolist(), "shape": list(data.shape)}]}
        else:
            answer = {"predictions": np.array(asked["instances"]).sum(axis=1).tolist()}
        known = "/models/m:" in self.path or "/models/m/" in self.path
        body = json.dumps(answer if known else {"error": "no such model"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Sums)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_rows_are_predicted(host: str, protocol: str) -> None:
    predictor = Predictor("m", {"predictor_host": host, "predictor_protocol": protocol})
    assert predictor.predict(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [3, 7]


def test_what_the_predictor_says_is_passed_on(host: str) -> None:
    with pytest.raises(ModelError, match="the predictor answered 404: no such model"):
        Predictor("other", {"predictor_host": host}).predict(np.ones((1, 2)))
    with pytest.raises(ModelError, match=r"the predictor 127\.0\.0\.1:1 is not reached"):
        Predictor("m", {"predictor_host": "127.0.0.1:1"}).predict(np.ones((1, 2)))


def test_an_attack_that_is_none_or_has_no_predictor_is_refused() -> None:
    with pytest.raises(LoadError, match="Invalid adversary type: Other"):
        art.load(Source("m", "/nonexistent", {"adversary_type": "Other"}))
    with pytest.raises(LoadError, match="--predictor_host"):
        art.load(Source("m", "/nonexistent", {}))
