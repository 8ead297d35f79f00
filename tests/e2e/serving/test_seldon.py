"""SeldonDeployments in processes, by way of the gateway: what upstream's notebooks do, with the images of theirs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

pytestmark = pytest.mark.slow

PATH = "/apis/machinelearning.seldon.io/{}/namespaces/default/seldondeployments"
ROW = {"data": {"names": ["a", "b", "c"], "ndarray": [[1.0, 2.0, 5.0]]}}
MOCK, ECHO = "seldonio/mock_classifier:1.18.2", "seldonio/echo-model:0.1"
FIXED = ("seldonio/fixed-model:0.1", "seldonio/fixed-model:0.2")


class Cluster:
    def __init__(self, server: ServerProcess) -> None:
        self.server = server

    def make(self, name: str, *predictors: Any, version: str = "v1", **spec: Any) -> None:
        body = {
            "apiVersion": f"machinelearning.seldon.io/{version}",
            "kind": "SeldonDeployment",
            "metadata": {"name": name},
            "spec": {**spec, "predictors": list(predictors)},
        }
        self.server.call("POST", PATH.format(version), body)

    def state(self, name: str, wanted: str = "Available", seconds: float = 90) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            status = self.server.call("GET", f"{PATH.format('v1')}/{name}").get("status") or {}
            if status.get("state") == wanted:
                found: dict[str, Any] = status
                return found
            assert time.monotonic() < deadline, status
            time.sleep(0.1)

    def ask(self, name: str, path: str, value: Any = None, **headers: str) -> tuple[int, Any, Any]:
        url = f"{self.server.url}/seldon/default/{name}/api/v1.0/{path}"
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or "null"), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or "null"), error.headers

    def gone(self, name: str) -> None:
        self.server.call("DELETE", f"{PATH.format('v1')}/{name}")


def predictor(name: str, graph: Any, images: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    containers = [{"name": name_, "image": image} for name_, image in (images or {}).items()]
    pods = [{"spec": {"containers": containers}}] if containers else []
    return {"name": name, "graph": graph, "componentSpecs": pods, "replicas": 1, **more}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home: Path = home_with_frameworks(tmp_path_factory.mktemp("seldon") / "home")
    with ServerProcess(home) as server:
        made = Cluster(server)
        deadline = time.monotonic() + 60
        while True:
            try:
                server.call("GET", PATH.format("v1"))
                break
            except (HttpError, OSError):
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield made


@pytest.mark.parametrize("version", ["v1", "v1alpha2", "v1alpha3"])
def test_a_model_answers_in_every_version(cluster: Cluster, version: str) -> None:
    name = f"model-{version}"
    graph = {"name": "classifier", "type": "MODEL"}
    cluster.make(name, predictor("p", graph, {"classifier": MOCK}), version=version)
    # Whoever comes early waits.
    deadline = time.monotonic() + 60
    while (
        not cluster.server.call("GET", f"{PATH.format('v1')}/{name}").get("status", {}).get("serviceStatus")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status, found, headers = cluster.ask(name, "predictions", ROW, **{"Seldon-Puid": "mine"})
    assert status == 200
    assert found["data"]["names"] == ["proba"]
    assert found["data"]["ndarray"][0][0] == pytest.approx(0.43782349)
    assert found["meta"]["requestPath"] == {"classifier": MOCK}
    assert headers["Seldon-Puid"] == "mine"
    told = cluster.state(name)
    assert told["address"]["url"] == f"http://{name}-p.default.svc.cluster.local:8000/api/v1.0/predictions"
    assert told["deploymentStatus"][f"{name}-p-0-classifier"]["availableReplicas"] == 1
    assert cluster.ask(name, "status")[0] == 200
    assert cluster.ask(name, "metadata/classifier")[1]["name"] == "seldonio/mock_classifier"
    assert "openapi" in cluster.ask(name, "doc/seldon.json")[1]
    cluster.gone(name)


def test_a_graph_of_all_kinds_of_units(cluster: Cluster) -> None:
    leaves = [{"name": name, "type": "MODEL"} for name in ("one", "two")]
    router = {"name": "router", "implementation": "RANDOM_ABTEST", "children": leaves}
    router["parameters"] = [{"name": "ratioA", "type": "FLOAT", "value": "0.5"}]
    average = {
        "name": "average",
        "implementation": "AVERAGE_COMBINER",
        "children": [router, {"name": "simple", "type": "MODEL"}],
    }
    graph = {"name": "into", "type": "TRANSFORMER", "children": [average]}
    images = {"into": ECHO, "one": FIXED[0], "two": FIXED[1], "simple": FIXED[0]}
    env = [{"name": "SELDON_ENABLE_ROUTING_INJECTION", "value": "true"}]
    cluster.make("graph", predictor("p", graph, images, svcOrchSpec={"env": env}))
    cluster.state("graph")
    ways = Counter()
    for _ in range(40):
        status, found, _ = cluster.ask("graph", "predictions", ROW)
        assert status == 200, found
        route = found["meta"]["routing"]["router"]
        assert found["data"]["ndarray"] == [[1, 2, 3, 4], [3, 4, 5, 6]][route]
        ways[route] += 1
    assert set(ways) == {0, 1}
    feedback = {"request": ROW, "response": found, "reward": 1}
    assert cluster.ask("graph", "feedback", feedback)[0] == 200
    cluster.gone("graph")


def test_traffic_is_split_and_moved_without_new_pods(cluster: Cluster) -> None:
    def pair(first: int) -> list[dict[str, Any]]:
        graph = {"name": "classifier", "type": "MODEL"}
        return [
            predictor(name, graph, {"classifier": image}, traffic=traffic)
            for name, image, traffic in (("main", FIXED[0], first), ("canary", FIXED[1], 100 - first))
        ]

    cluster.make("canary", *pair(75))
    cluster.state("canary")
    pods = cluster.server.call(
        "GET", "/api/v1/namespaces/default/pods?labelSelector=seldon-deployment-id=canary"
    )
    answers = Counter(cluster.ask("canary", "predictions", ROW)[1]["data"]["ndarray"][0] for _ in range(100))
    assert 70 <= answers[1] <= 80
    place = f"{PATH.format('v1')}/canary"
    changed = {**cluster.server.call("GET", place), "spec": {"predictors": pair(0)}}
    cluster.server.call("PUT", place, changed)
    deadline = time.monotonic() + 60
    while {cluster.ask("canary", "predictions", ROW)[1]["data"]["ndarray"][0] for _ in range(10)} != {5}:
        assert time.monotonic() < deadline
    after = cluster.server.call(
        "GET", "/api/v1/namespaces/default/pods?labelSelector=seldon-deployment-id=canary"
    )
    assert {each["metadata"]["uid"] for each in after["items"]} == {
        each["metadata"]["uid"] for each in pods["items"]
    }
    cluster.gone("canary")


def test_what_cannot_run_says_why(cluster: Cluster) -> None:
    graph = {"name": "classifier", "type": "MODEL"}
    cluster.make("unknown", predictor("p", graph, {"classifier": "example.com/nobody/knows:1"}))
    told = cluster.state("unknown", "Failed")
    assert "example.com/nobody/knows:1" in told["description"]
    status, found, _ = cluster.ask("unknown", "predictions", ROW)
    assert status == 503
    assert "nobody/knows" in json.dumps(found)
    cluster.gone("unknown")


def test_a_model_of_scikit_learn_by_both_protocols(cluster: Cluster, tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.linear_model")
    joblib = pytest.importorskip("joblib")
    rows, classes = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 1, 1]
    model = sklearn.LogisticRegression().fit(rows, classes)
    folder = tmp_path / "model"
    folder.mkdir()
    joblib.dump(model, folder / "model.joblib")
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": f"file://{folder}"}
    cluster.make("iris", predictor("p", graph))
    cluster.state("iris", seconds=300)
    found = cluster.ask("iris", "predictions", {"data": {"ndarray": rows}})[1]
    expected = model.predict_proba(rows).tolist()
    assert found["data"]["ndarray"] == [pytest.approx(each) for each in expected]
    assert found["data"]["names"] == ["t:0", "t:1"]
    cluster.gone("iris")
