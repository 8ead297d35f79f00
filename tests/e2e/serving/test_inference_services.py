"""InferenceServices with real processes: from `kubectl apply` to an answer, and from pod to pod."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess

_PATH = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
_PREDICTOR = """
import http.server, json, os, sys
version = sys.argv[1]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = json.dumps({"predictions": [2 * each for each in told["instances"]], "version": version,
                           "service": os.environ["INFERENCE_SERVICE_NAME"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
_TRANSFORMER = """
import argparse, http.server, json, urllib.request
parser = argparse.ArgumentParser()
for name in ("--model_name", "--predictor_host", "--http_port"):
    parser.add_argument(name)
args, _ = parser.parse_known_args()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        told["instances"] = [each + 1 for each in told["instances"]]
        url = f"http://{args.predictor_host}/v1/models/{args.model_name}:predict"
        request = urllib.request.Request(url, json.dumps(told).encode())
        body = urllib.request.urlopen(request, timeout=20).read()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
http.server.ThreadingHTTPServer(("", int(args.http_port)), Handler).serve_forever()
"""


def container(program: str, *args: str) -> dict[str, Any]:
    resources = {"requests": {"cpu": "10m", "memory": "30Mi"}}
    return {
        "name": "kserve-container",
        "image": "python:3.11",
        "command": ["python", "-c", program],
        "args": list(args),
        "resources": resources,
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home: Path = tmp_path_factory.mktemp("serving")
    with ServerProcess(home) as server:
        yield server


def make(server: ServerProcess, name: str, **spec: Any) -> None:
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": spec,
    }
    deadline = time.monotonic() + 30
    while True:
        try:
            server.call("POST", _PATH, body)
            return
        except HttpError as error:
            if error.code != 404 or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def patch(server: ServerProcess, name: str, change: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{server.url}{_PATH}/{name}",
        json.dumps(change).encode(),
        {"content-type": "application/merge-patch+json"},
        method="PATCH",
    )
    with urllib.request.urlopen(request, timeout=20):
        pass


def until_ready(server: ServerProcess, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = server.call("GET", f"{_PATH}/{name}")
        status = found.get("status") or {}
        ready = [each["status"] for each in status.get("conditions", ()) if each["type"] == "Ready"]
        if ready == ["True"] and status["observedGeneration"] == found["metadata"]["generation"]:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{name} is not ready: {status}")


def predict(server: ServerProcess, name: str, host: str = "", path: str = "") -> dict[str, Any]:
    url = f"{server.url}{path}/v1/models/{name}:predict"
    headers = {"content-type": "application/json", **({"Host": host} if host else {})}
    request = urllib.request.Request(url, json.dumps({"instances": [1, 2]}).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def test_by_host_by_path_and_through_a_transformer(server: ServerProcess) -> None:
    make(
        server,
        "double",
        predictor={"minReplicas": 1, "containers": [container(_PREDICTOR, "1")]},
        transformer={"containers": [container(_TRANSFORMER)]},
    )
    isvc = until_ready(server, "double")
    host = isvc["status"]["url"].removeprefix("http://")
    assert host == f"double-default.localhost:{server.url.rpartition(':')[2]}"
    expected = {"predictions": [4, 6], "version": "1", "service": "double"}
    assert predict(server, "double", host=host) == expected
    assert predict(server, "double", path="/serving/default/double") == expected
    own = predict(server, "double", host="double-predictor-default.localhost")
    assert own["predictions"] == [2, 4]


@pytest.mark.slow
def test_traffic_goes_by_percent_and_back(server: ServerProcess) -> None:
    make(server, "split", predictor={"containers": [container(_PREDICTOR, "1")]})
    until_ready(server, "split")
    change = {"containers": [container(_PREDICTOR, "2")], "canaryTrafficPercent": 25}
    patch(server, "split", {"spec": {"predictor": change}})
    until_ready(server, "split")
    host = "split-default.localhost"
    versions = [predict(server, "split", host=host)["version"] for _ in range(100)]
    assert abs(versions.count("2") - 25) <= 1
    tagged = predict(server, "split", host="prev-split-predictor-default.localhost")
    assert tagged["version"] == "1"
    patch(server, "split", {"spec": {"predictor": {"canaryTrafficPercent": None}}})
    until_ready(server, "split")
    assert {predict(server, "split", host=host)["version"] for _ in range(10)} == {"2"}
    patch(server, "split", {"spec": {"predictor": {"canaryTrafficPercent": 0}}})
    until_ready(server, "split")
    assert {predict(server, "split", host=host)["version"] for _ in range(10)} == {"1"}


def test_what_fails_is_refused_with_its_reason(server: ServerProcess) -> None:
    make(server, "broken", predictor={"containers": [container("raise ValueError('not a model')")]})
    code, said, deadline = 0, "", time.monotonic() + 60
    while "not a model" not in said and time.monotonic() < deadline:
        time.sleep(0.2)
        try:
            predict(server, "broken", host="broken-default.localhost")
        except urllib.error.HTTPError as error:
            with error:
                code, said = error.code, error.read().decode()
    assert code == 503
    assert "not a model" in said
    status = server.call("GET", f"{_PATH}/broken")["status"]
    failure = status["modelStatus"]["lastFailureInfo"]
    assert failure["reason"] == "ModelLoadFailed"
    assert failure["exitCode"] == 1
    assert "ValueError: not a model" in failure["message"]
