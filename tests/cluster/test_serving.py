"""InferenceServices on a real Kubernetes, in mode Standard: its Deployments, Services and autoscalers, and answers."""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.kube import conditions, meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, SERVICES, Resource
from sampan.kube.meta import Object
from sampan.testing.server import ServerProcess

from .conftest import Cluster, platform

_SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['INFERENCE_SERVICE_NAME']} {sys.argv[1]}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("serving") / "home"
    with platform(home, cluster) as running:
        yield running


def predictor(version: str, **more: Any) -> Object:
    container = {
        "name": "kserve-container",
        "image": "python:3.11",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", _SERVER],
        "args": [version],
        "resources": {"requests": {"cpu": "10m", "memory": "30Mi"}},
    }
    return {"containers": [container], **more}


def make(cluster: Cluster, name: str, annotations: dict[str, str] | None = None, **spec: Any) -> None:
    body = {
        "apiVersion": INFERENCE_SERVICES.api_version,
        "kind": INFERENCE_SERVICES.kind,
        "metadata": {"name": name, "namespace": cluster.namespace, "annotations": annotations or {}},
        "spec": spec,
    }
    cluster.ask(lambda client: client.create(INFERENCE_SERVICES, body))


def find(cluster: Cluster, resource: Resource, name: str) -> Object | None:
    try:
        return cluster.ask(lambda client: client.get(resource, name, cluster.namespace))
    except NotFoundError:
        return None


def scaler_of(cluster: Cluster, name: str) -> Object | None:
    """Old servers know another version."""
    old = dataclasses.replace(HORIZONTAL_POD_AUTOSCALERS, version="v2beta2")
    return find(cluster, HORIZONTAL_POD_AUTOSCALERS, name) or find(cluster, old, name)


def until(cluster: Cluster, name: str, holds: Callable[[Object], Any], seconds: float = 120) -> Object:
    deadline, found = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        found = find(cluster, INFERENCE_SERVICES, name)
        if found is not None and holds(found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"{name} never was like that: {json.dumps((found or {}).get('status'))}")


def is_ready(isvc: Object) -> bool:
    is_newest = meta.status(isvc).get("observedGeneration") == meta.generation(isvc)
    return is_newest and conditions.is_true(isvc, "Ready")


def answer(server: ServerProcess, isvc: Object) -> str:
    host = meta.status(isvc)["url"].removeprefix("http://")
    request = urllib.request.Request(f"{server.url}/", headers={"Host": host})
    for _ in range(50):
        try:
            with urllib.request.urlopen(request, timeout=20) as found:
                text: str = found.read().decode()
                return text
        except urllib.error.HTTPError as error:
            with error:
                said = f"{error.code} {error.read().decode()}"
            time.sleep(0.2)
    raise AssertionError(said)


def test_a_service_runs_is_changed_and_goes(cluster: Cluster, server: ServerProcess) -> None:
    make(cluster, "echo", predictor=predictor("1", minReplicas=1, maxReplicas=2))
    isvc = until(cluster, "echo", is_ready)
    status = meta.status(isvc)
    assert status["deploymentMode"] == "Standard"
    assert status["address"]["url"] == f"http://echo-predictor.{cluster.namespace}.svc.cluster.local"
    assert status["modelStatus"]["transitionStatus"] == "UpToDate"
    scaler = scaler_of(cluster, "echo-predictor")
    assert scaler is not None
    assert scaler["spec"]["scaleTargetRef"]["name"] == "echo-predictor"
    assert answer(server, isvc) == "echo 1"
    change = {"spec": {"predictor": predictor("2")}}
    cluster.ask(lambda client: client.patch(INFERENCE_SERVICES, "echo", change, cluster.namespace))
    until(cluster, "echo", lambda isvc: is_ready(isvc) and answer(server, isvc) == "echo 2")
    # What is as it should be is not written again, whatever the API makes of it.
    deployment = find(cluster, DEPLOYMENTS, "echo-predictor")
    time.sleep(3)
    again = find(cluster, DEPLOYMENTS, "echo-predictor")
    assert deployment is not None
    assert again is not None
    assert meta.resource_version(deployment) == meta.resource_version(again)
    stop = {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}}
    cluster.ask(lambda client: client.patch(INFERENCE_SERVICES, "echo", stop, cluster.namespace))
    until(cluster, "echo", lambda isvc: conditions.is_true(isvc, "Stopped"))
    assert find(cluster, SERVICES, "echo-predictor") is None


def test_mode_knative_is_refused_with_what_to_do(cluster: Cluster, server: ServerProcess) -> None:
    make(cluster, "sleeper", {"serving.kserve.io/deploymentMode": "Knative"}, predictor=predictor("1"))
    isvc = until(cluster, "sleeper", lambda isvc: conditions.find(isvc, "PredictorReady"))
    told = conditions.find(isvc, "PredictorReady") or {}
    assert told["reason"] == "ServerlessModeRejected"
    assert "deploymentMode: Standard" in told["message"]
    assert server.url


def test_a_container_that_ends_is_told_of(cluster: Cluster, server: ServerProcess) -> None:
    failing = predictor("1")
    failing["containers"][0]["command"] = ["python", "-c", "raise ValueError('not a model')"]
    make(cluster, "broken", {"serving.kserve.io/autoscalerClass": "none"}, predictor=failing)
    isvc = until(
        cluster,
        "broken",
        lambda isvc: (meta.status(isvc).get("modelStatus") or {}).get("lastFailureInfo"),
    )
    failure = meta.status(isvc)["modelStatus"]["lastFailureInfo"]
    assert failure["reason"] == "ModelLoadFailed"
    assert "ValueError: not a model" in failure["message"]
    assert scaler_of(cluster, "broken-predictor") is None
    assert server.url
