"""Graphs, the logger and the batcher in processes, by way of the gateway: what KServe's test/e2e/{graph,logger,batcher}
expect, with the images of theirs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess

pytestmark = pytest.mark.slow

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
GRAPHS = "/apis/serving.kserve.io/v1alpha1/namespaces/default/inferencegraphs"
SUCCESS, ERROR = {"predictions": [{"message": "SUCCESS"}]}, {"detail": "Intentional 404 code"}
EVENTS = "gcr.io/knative-releases/knative.dev/eventing-contrib/cmd/event_display"


class Cluster:
    def __init__(self, server: ServerProcess) -> None:
        self.server = server

    def service(self, name: str, image: str, **predictor: Any) -> None:
        small = {"requests": {"cpu": "10m", "memory": "32Mi"}}
        container = {
            "name": "kserve-container",
            "image": image,
            "args": ["--model_name", name],
            "resources": small,
        }
        spec = {"predictor": {"containers": [container], **predictor}}
        self._make(SERVICES, "v1beta1", "InferenceService", name, spec)

    def graph(self, name: str, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        self._make(GRAPHS, "v1alpha1", "InferenceGraph", name, spec, annotations)

    def _make(
        self,
        path: str,
        version: str,
        kind: str,
        name: str,
        spec: Any,
        annotations: dict[str, str] | None = None,
    ) -> None:
        metadata = {"name": name, "annotations": annotations or {}}
        body = {
            "apiVersion": f"serving.kserve.io/{version}",
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }
        self.server.call("POST", path, body)

    def ready(self, path: str, name: str) -> None:
        def look() -> bool:
            nonlocal status
            status = self.server.call("GET", f"{path}/{name}").get("status") or {}
            return any(
                each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ())
            )

        status: Any = {}
        self.until(look, lambda: f"{name}: {status}")

    def until(self, condition: Callable[[], Any], told: Callable[[], str] = str, seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, told()
            time.sleep(0.1)
        return found

    def ask(self, name: str, value: Any, path: str = "/") -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "Host": f"{name}-default.localhost"}
        request = urllib.request.Request(self.server.url + path, json.dumps(value).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def log(self, service: str, container: str) -> str:
        selector = f"labelSelector=serving.kserve.io/inferenceservice={service}"
        pods = self.server.call("GET", f"/api/v1/namespaces/default/pods?{selector}")["items"]
        name = pods[0]["metadata"]["name"]
        return self.server.text(f"/api/v1/namespaces/default/pods/{name}/log?container={container}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home: Path = tmp_path_factory.mktemp("home")
    with ServerProcess(home) as server:
        made = Cluster(server)

        def is_served() -> bool:
            try:
                server.call("GET", SERVICES)
            except (HttpError, OSError):
                return False
            return True

        made.until(is_served)
        made.service("ok", "kserve/success-200-isvc:latest")
        made.service("bad", "kserve/error-404-isvc:latest")
        for name in ("ok", "bad"):
            made.ready(SERVICES, name)
        yield made


def node(kind: str, *steps: Any) -> Any:
    return {"routerType": kind, "steps": list(steps)}


PICKED = [
    {"name": "one", "serviceName": "bad", "condition": "[@this].#(decision_picker==ERROR)"},
    {"name": "two", "serviceName": "ok", "condition": "[@this].#(decision_picker==SUCCESS)"},
]
CASES: dict[str, tuple[Any, Any, int, Any]] = {
    "soft-soft": ({"root": node("Sequence", {"serviceName": "ok"}, {"serviceName": "bad"})}, {}, 404, ERROR),
    "soft-then-good": (
        {"root": node("Sequence", {"serviceName": "bad"}, {"serviceName": "ok"})},
        {},
        200,
        SUCCESS,
    ),
    "hard": (
        {"root": node("Sequence", {"serviceName": "bad", "dependency": "Hard"}, {"serviceName": "ok"})},
        {},
        404,
        ERROR,
    ),
    "switch": ({"root": node("Switch", *PICKED)}, {"decision_picker": "SUCCESS"}, 200, SUCCESS),
    "ensemble": (
        {"root": node("Ensemble", {"name": "a", "serviceName": "ok"}, {"name": "b", "serviceName": "bad"})},
        {},
        200,
        {"a": SUCCESS, "b": ERROR},
    ),
    "nested": (
        {
            "root": node("Sequence", {"nodeName": "split", "dependency": "Hard"}, {"serviceName": "ok"}),
            "split": node("Splitter", {"serviceName": "bad", "weight": 100}),
        },
        {},
        404,
        ERROR,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_graph_answers_as_upstreams(cluster: Cluster, name: str) -> None:
    nodes, asked, status, answer = CASES[name]
    cluster.graph(name, nodes=nodes)
    cluster.ready(GRAPHS, name)
    assert cluster.ask(name, asked) == (status, answer)


def test_a_graph_sleeps_and_the_request_that_wakes_it_is_answered(cluster: Cluster) -> None:
    short = {"autoscaling.knative.dev/window": "6s"}
    cluster.graph("sleeper", short, nodes={"root": node("Sequence", {"serviceName": "ok"})}, minReplicas=0)
    cluster.ready(GRAPHS, "sleeper")
    selector = "labelSelector=serving.kserve.io/inferencegraph=sleeper"
    pods = f"/api/v1/namespaces/default/pods?{selector}"
    cluster.until(lambda: not cluster.server.call("GET", pods)["items"])
    assert cluster.ask("sleeper", {"instances": [1]}) == (200, SUCCESS)


def test_requests_are_logged_and_batched(cluster: Cluster) -> None:
    cluster.service("events", EVENTS)
    cluster.ready(SERVICES, "events")
    logger = {"mode": "all", "url": "http://events.default.svc.cluster.local"}
    cluster.service("logged", "kserve/success-200-isvc:latest", logger=logger)
    cluster.ready(SERVICES, "logged")
    assert cluster.ask("logged", {"instances": [1]}, "/v1/models/logged:predict") == (200, SUCCESS)
    shown = cluster.until(
        lambda: "inference.response" in (log := cluster.log("events", "kserve-container")) and log
    )
    assert "type: org.kubeflow.serving.inference.request" in shown
    assert "inferenceservicename: logged" in shown
    # The model answers with one prediction, whatever it is asked: each of two that were joined is then asked alone.
    cluster.service(
        "joined", "kserve/success-200-isvc:latest", batcher={"maxBatchSize": 2, "maxLatency": 20_000}
    )
    cluster.ready(SERVICES, "joined")
    with ThreadPoolExecutor() as pool:
        two = list(
            pool.map(lambda n: cluster.ask("joined", {"instances": [n]}, "/v1/models/joined:predict"), (1, 2))
        )
    assert [status for status, _ in two] == [200, 200]
    assert [each["predictions"] for _, each in two] == [SUCCESS["predictions"]] * 2
    assert all(each["batchId"] for _, each in two)
