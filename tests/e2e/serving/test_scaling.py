"""Scaling by requests as a client sees it: no request fails, be it the first or one of many at once."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ISVCS = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/echo-predictor-00001-deployment"
HOST = {"Host": "echo-default.localhost"}
# Answers after a fifth of a second, to any number at a time.
PROGRAM = """
import http.server, socketserver, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(0.2)
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
Server(("", 8080), Handler).serve_forever()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as it:
        it.call("POST", "/api/v1/namespaces", {"metadata": {"name": "knative-serving"}})
        config = {"metadata": {"name": "config-autoscaler"}, "data": {"scale-to-zero-grace-period": "1s"}}
        it.call("POST", "/api/v1/namespaces/knative-serving/configmaps", config)
        yield it


def _make(it: ServerProcess, **predictor: Any) -> None:
    container = {"name": "kserve-container", "image": "python:3.11", "command": ["python", "-c", PROGRAM]}
    it.call(
        "POST",
        ISVCS,
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "echo", "annotations": {"autoscaling.knative.dev/window": "6s"}},
            "spec": {
                "predictor": {
                    "maxReplicas": 3,
                    "scaleMetric": "concurrency",
                    "scaleTarget": 2,
                    **predictor,
                    "containers": [container],
                }
            },
        },
    )

    def is_ready() -> bool:
        conditions = it.call("GET", f"{ISVCS}/echo").get("status", {}).get("conditions") or ()
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    _until(is_ready)


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.1)


def _replicas(it: ServerProcess) -> int:
    return int(it.call("GET", DEPLOYMENT)["spec"]["replicas"])


def _get(it: ServerProcess) -> int:
    connection = http.client.HTTPConnection(urlsplit(it.url).netloc, timeout=60)
    try:
        connection.request("GET", "/", headers=HOST)
        answer = connection.getresponse()
        assert answer.read() == b"hello" or answer.status != 200
        return answer.status
    finally:
        connection.close()


def _side_by_side(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def _load(it: ServerProcess, clients: int, seconds: float) -> Counter[int]:
    codes: Counter[int] = Counter()
    until = time.monotonic() + seconds

    def ask() -> None:
        while time.monotonic() < until:
            codes[_get(it)] += 1

    _side_by_side(clients, ask)
    return codes


def test_an_endpoint_sleeps_wakes_grows_and_sleeps_again(server: ServerProcess) -> None:
    _make(server, minReplicas=0)
    assert _get(server) == 200
    _until(lambda: _replicas(server) == 0)
    codes: Counter[int] = Counter()

    def ask() -> None:
        codes[_get(server)] += 1

    _side_by_side(20, ask)
    assert codes == {200: 20}
    codes = _load(server, 6, 8.0)
    assert set(codes) == {200}
    assert _replicas(server) == 3
    _until(lambda: _replicas(server) == 0)
    assert _get(server) == 200


def test_no_pod_goes_because_the_server_was_killed(server: ServerProcess) -> None:
    _make(server, minReplicas=1)
    assert set(_load(server, 6, 8.0)) == {200}
    assert _replicas(server) == 3
    server.kill()
    server.start()
    began = time.monotonic()
    while time.monotonic() - began < 4.0:
        assert _replicas(server) == 3
        time.sleep(0.2)
    _until(lambda: _replicas(server) == 1)
