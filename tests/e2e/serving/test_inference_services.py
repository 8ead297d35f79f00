"""From an object, a file or a function to an endpoint that answers: `kubectl apply`, the commands, `sampan.sdk.serve`.

One server for all: starting it takes longer than most of what is asked of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.sdk import ServingError, serve
from sampan.sdk.sending import connect
from sampan.testing.homes import home_with_frameworks
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
        body = urllib.request.urlopen(request, timeout=60).read()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
http.server.ThreadingHTTPServer(("", int(args.http_port)), Handler).serve_forever()
"""


MODEL = """
import sys
import joblib
from sklearn.dummy import DummyClassifier
joblib.dump(DummyClassifier(strategy="constant", constant=int(sys.argv[2])).fit([[0, 0], [1, 1]], [7, 9]), sys.argv[1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = home_with_frameworks(tmp_path_factory.mktemp("serve") / "home")
    with ServerProcess(home) as running:
        yield running


def container(program: str, *args: str) -> dict[str, Any]:
    resources = {"requests": {"cpu": "10m", "memory": "30Mi"}}
    return {
        "name": "kserve-container",
        "image": "python:3.11",
        "command": ["python", "-c", program],
        "args": list(args),
        "resources": resources,
    }


def make(server: ServerProcess, name: str, **spec: Any) -> None:
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": spec,
    }
    deadline = time.monotonic() + 60
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
    with urllib.request.urlopen(request, timeout=60):
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
    with urllib.request.urlopen(request, timeout=60) as answer:
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


@pytest.fixture
def _connected(server: ServerProcess) -> Iterator[None]:
    with connect(server.home) as session:
        serve.use(session)
        yield
        serve.use(None)


def sampan(server: ServerProcess, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sampan", *arguments, "--home", str(server.home)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


class Scaled:
    def load(self) -> None:
        self.factor = 3

    def predict(self, rows: list[int]) -> list[int]:
        return [self.factor * row for row in rows]


@pytest.mark.usefixtures("_connected")
def test_a_function_is_served_and_followed_by_another() -> None:
    doubler = serve(lambda rows: [2 * row for row in rows], name="doubler")
    assert doubler.predict([1, 2, 3]) == [2, 4, 6]
    assert doubler.predict([1.5], protocol="v2") == [3.0]
    with pytest.raises(ServingError, match="answered 400"):
        doubler.predict({"inputs": [{"name": "x", "datatype": "FP32"}]})

    serve(Scaled, name="doubler", canary=0)
    assert doubler.predict([1]) == [2]
    assert [each.percent for each in doubler.revisions()] == [0, 100]
    doubler.promote()
    _until(lambda: doubler.predict([1]) == [3])
    assert any("serving doubler" in line for line in doubler.logs())
    doubler.delete()
    doubler.delete()


@pytest.mark.slow
@pytest.mark.usefixtures("_connected")
def test_what_fails_says_why() -> None:
    class Broken:
        def load(self) -> None:
            raise RuntimeError("the weights are gone")

        def predict(self, rows: list[int]) -> list[int]:
            return rows

    with pytest.raises(ServingError, match="the weights are gone"):
        serve(Broken, name="broken")
    serve.attach("broken").delete()
    with pytest.raises(ServingError, match="is not there"):
        serve("/no/such/model.joblib")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("_connected")
def test_a_file_becomes_an_endpoint_by_one_line(server: ServerProcess, tmp_path: Path) -> None:
    python = _python_with_sklearn(server)
    for number in (7, 9):
        subprocess.run(
            [python, "-c", MODEL, str(tmp_path / f"seven{number}.joblib"), str(number)], check=True
        )
    said = sampan(server, "serve", str(tmp_path / "seven7.joblib"), "--name", "seven")
    assert "sklearn (seven7.joblib is a pickle that names sklearn)" in said
    curl = re.search(r"^ +(curl .*)$", said, re.MULTILINE)
    assert curl is not None
    answer = subprocess.run(["sh", "-c", curl.group(1)], capture_output=True, text=True, check=True).stdout
    assert json.loads(answer) == {"predictions": [7]}

    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n" + "1,2\n" * 25)
    sampan(server, "predict", "seven", "-d", f"@{rows}", "--batch", "10", "--to", str(tmp_path / "out.jsonl"))
    assert (tmp_path / "out.jsonl").read_text() == "7\n" * 25
    assert re.match(
        r"7\n.* over v2\n", sampan(server, "predict", "seven", "--protocol", "v2", "-d", "[[1, 2]]")
    )

    sampan(server, "serve", str(tmp_path / "seven9.joblib"), "--name", "seven", "--canary", "0")
    listed = sampan(server, "endpoints", "revisions", "seven")
    assert re.search(r"seven-predictor-00001 +100 % \(prev\)", listed)
    sampan(server, "endpoints", "promote", "seven")
    _until(lambda: serve.attach("seven").predict([[1, 2]]) == [9])
    assert "seven-predictor-00001" in sampan(server, "endpoints", "rollback", "seven")
    _until(lambda: serve.attach("seven").predict([[1, 2]]) == [7])
    # What is served next gets all requests, though the one before was rolled back.
    sampan(server, "serve", str(tmp_path / "seven9.joblib"), "--name", "seven", "-e", "A=b")
    assert sampan(server, "predict", "seven", "-d", "[[1, 2]]").startswith("9\n")

    assert "Successfully copied" in sampan(server, "endpoints", "logs", "seven")
    assert "seven" in sampan(server, "endpoints", "list", "-o", "name")
    assert "no run has left" in sampan(server, "endpoints", "lineage", "seven")
    sampan(server, "endpoints", "stop", "seven")
    assert "stopped" in sampan(server, "endpoints", "get", "seven")
    # Its pods go, and what they have printed stays.
    pods = "/api/v1/namespaces/default/pods?labelSelector=serving.kserve.io/inferenceservice=seven"
    _until(lambda: not server.call("GET", pods)["items"])
    assert "Successfully copied" in sampan(server, "endpoints", "logs", "seven")
    assert "seven-predictor-00001" in sampan(server, "endpoints", "logs", "seven", "--gone")
    sampan(server, "endpoints", "start", "seven")
    sampan(server, "endpoints", "delete", "seven")
    assert "is called 'seven'" in sampan(server, "predict", "seven", "-d", "[[1]]", code=1)


def _python_with_sklearn(server: ServerProcess) -> str:
    for python in sorted((server.home / "envs").glob("*/bin/python")):
        if list(python.parents[1].glob("lib/python3*/site-packages/skops")):
            return str(python)
    pytest.skip("no environment with scikit-learn has been made on this machine yet")


def _until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.2)
