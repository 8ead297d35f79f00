"""Canaries, graphs, several models in one service, and SeldonDeployments, on a Kubernetes that others run.

Models lie in a claim of the cluster, and a ServingRuntime of the namespace reads them: nothing has to be fetched.
"""

from __future__ import annotations

import collections
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    SERVING_RUNTIMES,
    TRAINED_MODELS,
)
from sampan.kube import conditions, meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES, Resource
from sampan.kube.meta import Object
from sampan.testing.server import ServerProcess

from .conftest import Cluster, platform

_READS = """
import http.server, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if pathlib.Path("/mnt/models/model.txt").exists() else 503)
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.answer(200)
    def answer(self, code):
        body = pathlib.Path("/mnt/models/model.txt").read_bytes()
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
_SPEAKS_SELDON = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = {"data": {"ndarray": [[2 * each for each in row] for row in asked["data"]["ndarray"]]}}
        body = json.dumps({**said, "meta": {"tags": {"unit": os.environ["PREDICTIVE_UNIT_ID"]}}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
port = int(os.environ["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"])
http.server.ThreadingHTTPServer(("", port), Handler).serve_forever()
"""
_LITTLE = {"requests": {"cpu": "10m", "memory": "30Mi"}}
_WRITES = "for n in 1 2; do mkdir -p /models/$n; printf 'model %s' $n > /models/$n/model.txt; done"


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with platform(tmp_path_factory.mktemp("kinds") / "home", cluster) as running:
        yield running


def container(**more: Any) -> Object:
    return {"image": "python:3.11", "imagePullPolicy": "IfNotPresent", "resources": _LITTLE, **more}


def create(cluster: Cluster, resource: Resource, name: str, **body: Any) -> None:
    metadata = {"name": name, "namespace": cluster.namespace, **body.pop("metadata", {})}
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **body}
    cluster.ask(lambda client: client.create(resource, obj))


def find(cluster: Cluster, resource: Resource, name: str) -> Object | None:
    try:
        return cluster.ask(lambda client: client.get(resource, name, cluster.namespace))
    except NotFoundError:
        return None


def until(
    cluster: Cluster, resource: Resource, name: str, holds: Callable[[Object], Any], seconds: float = 120
) -> Object:
    deadline, found = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        found = find(cluster, resource, name)
        if found is not None and holds(found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"{name} never was like that: {json.dumps((found or {}).get('status'))}")


def is_ready(isvc: Object) -> bool:
    is_newest = meta.status(isvc).get("observedGeneration") == meta.generation(isvc)
    return is_newest and conditions.is_true(isvc, "Ready")


def ask(server: ServerProcess, path: str, body: Any = None, host: str = "") -> str:
    """What is answered, once something is."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", **({"host": host} if host else {})}
    said = ""
    for _ in range(50):
        request = urllib.request.Request(f"{server.url}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as found:
                answered: str = found.read().decode()
                return answered
        except urllib.error.HTTPError as error:
            with error:
                said = f"{error.code} {error.read().decode()}"
            time.sleep(0.2)
    raise AssertionError(said)


@pytest.fixture(scope="module")
def models(cluster: Cluster) -> str:
    """The URI of a claim that holds the models 1 and 2; the runtime that serves them is there."""
    create(
        cluster,
        PERSISTENT_VOLUME_CLAIMS,
        "models",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    )
    mount = {"name": "models", "mountPath": "/models"}
    volume = {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    writer = container(name="main", command=["sh", "-c", _WRITES], volumeMounts=[mount])
    pod = {"restartPolicy": "Never", "containers": [writer], "volumes": [volume]}
    create(cluster, PODS, "writer", spec=pod)
    until(cluster, PODS, "writer", lambda pod: meta.status(pod).get("phase") == "Succeeded")
    runtime = {
        "supportedModelFormats": [{"name": "text", "version": "1", "autoSelect": True}],
        "containers": [container(name="kserve-container", command=["python", "-c", _READS])],
    }
    create(cluster, SERVING_RUNTIMES, "texts", spec=runtime)
    return "pvc://models"


def model(uri: str, **more: Any) -> Object:
    return {"model": {"modelFormat": {"name": "text"}, "storageUri": uri}, **more}


def test_a_canary_beside_its_predictor_gets_its_share_and_is_taken_back(
    cluster: Cluster, server: ServerProcess, models: str
) -> None:
    annotations = {"serving.kserve.io/deploymentMode": "Standard"}
    canary = {"trafficPercent": 40, "predictor": model(f"{models}/2", name="second")}
    spec = {"predictor": model(f"{models}/1"), "canary": [canary]}
    create(cluster, INFERENCE_SERVICES, "split", metadata={"annotations": annotations}, spec=spec)
    isvc = until(cluster, INFERENCE_SERVICES, "split", is_ready)
    host = meta.status(isvc)["url"].removeprefix("http://")
    # Ready is the predictor: requests go to the canary too as soon as its own pod is.
    deadline = time.monotonic() + 60
    while ask(server, "/", host=host) != "model 2" and time.monotonic() < deadline:
        time.sleep(0.1)
    share = collections.Counter(ask(server, "/", host=host) for _ in range(200))
    assert set(share) == {"model 1", "model 2"}
    assert 70 <= share["model 2"] <= 90, share
    change = {"spec": {"canary": None}}
    cluster.ask(lambda client: client.patch(INFERENCE_SERVICES, "split", change, cluster.namespace))
    until(cluster, INFERENCE_SERVICES, "split", is_ready)
    deadline = time.monotonic() + 60
    while find(cluster, DEPLOYMENTS, "split-second-predictor") is not None and time.monotonic() < deadline:
        time.sleep(0.5)
    names = cluster.ask(lambda client: client.list(DEPLOYMENTS, cluster.namespace)).items
    assert [meta.name(each) for each in names if meta.name(each).startswith("split")] == ["split-predictor"]
    assert {ask(server, "/", host=host) for _ in range(20)} == {"model 1"}
    stop = {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}}
    cluster.ask(lambda client: client.patch(INFERENCE_SERVICES, "split", stop, cluster.namespace))
    until(cluster, INFERENCE_SERVICES, "split", lambda isvc: conditions.is_true(isvc, "Stopped"))
    assert find(cluster, SERVICES, "split-predictor") is None
    go_on = {"metadata": {"annotations": {"serving.kserve.io/stop": "false"}}}
    cluster.ask(lambda client: client.patch(INFERENCE_SERVICES, "split", go_on, cluster.namespace))
    until(cluster, INFERENCE_SERVICES, "split", is_ready)
    assert ask(server, "/", host=host) == "model 1"


def test_a_graph_is_made_of_what_the_cluster_has_and_says_what_it_waits_for(
    cluster: Cluster, server: ServerProcess, models: str
) -> None:
    """The router's image cannot be had on the cluster of the tests: what its pods say is told."""
    create(cluster, INFERENCE_SERVICES, "step", spec={"predictor": model(f"{models}/1")})
    until(cluster, INFERENCE_SERVICES, "step", is_ready)
    nodes = {"root": {"routerType": "Sequence", "steps": [{"serviceName": "step", "name": "one"}]}}
    create(cluster, INFERENCE_GRAPHS, "chain", spec={"nodes": nodes, "resources": _LITTLE})
    graph = until(
        cluster,
        INFERENCE_GRAPHS,
        "chain",
        lambda graph: "mage" in (conditions.find(graph, "Ready") or {}).get("message", ""),
    )
    assert not conditions.is_true(graph, "Ready")
    deployment = find(cluster, DEPLOYMENTS, "chain")
    assert deployment is not None
    (router,) = deployment["spec"]["template"]["spec"]["containers"]
    assert json.loads(router["args"][-1])["nodes"]["root"]["steps"][0]["serviceUrl"].startswith(
        f"http://step-predictor.{cluster.namespace}.svc.cluster.local"
    )
    assert find(cluster, SERVICES, "chain") is not None
    assert server.url


def test_several_models_are_listed_for_their_agent(cluster: Cluster, server: ServerProcess) -> None:
    runtime = {
        "multiModel": True,
        "supportedModelFormats": [{"name": "many", "version": "1", "autoSelect": True}],
        "containers": [container(name="kserve-container", command=["python", "-c", _READS])],
    }
    create(cluster, SERVING_RUNTIMES, "many", spec=runtime)
    predictor = {"model": {"modelFormat": {"name": "many"}, "resources": {"limits": {"memory": "100Mi"}}}}
    create(cluster, INFERENCE_SERVICES, "many", spec={"predictor": predictor})
    told = {"storageUri": "s3://models/one", "framework": "many", "memory": "50Mi"}
    create(cluster, TRAINED_MODELS, "one", spec={"inferenceService": "many", "model": told})

    def lists_it(config: Object) -> bool:
        return [each["modelName"] for each in json.loads(config["data"]["models.json"])] == ["one"]

    until(cluster, CONFIG_MAPS, "modelconfig-many-0", lists_it)
    trained = until(
        cluster, TRAINED_MODELS, "one", lambda model: conditions.find(model, "MemoryResourceAvailable")
    )
    assert conditions.is_true(trained, "MemoryResourceAvailable")
    cluster.ask(lambda client: client.delete(TRAINED_MODELS, "one", cluster.namespace))
    until(cluster, CONFIG_MAPS, "modelconfig-many-0", lambda config: config["data"]["models.json"] == "[]")
    assert server.url


def test_a_seldon_deployment_without_an_executor_answers(cluster: Cluster, server: ServerProcess) -> None:
    unit = container(name="double", command=["python", "-c", _SPEAKS_SELDON])
    predictor = {
        "name": "main",
        "graph": {"name": "double", "type": "MODEL"},
        "componentSpecs": [{"spec": {"containers": [unit], "terminationGracePeriodSeconds": 1}}],
        "annotations": {"seldon.io/no-engine": "true"},
    }
    create(cluster, SELDON_DEPLOYMENTS, "twice", spec={"predictors": [predictor]})
    until(cluster, SELDON_DEPLOYMENTS, "twice", lambda sdep: meta.status(sdep).get("state") == "Available")
    path = f"/seldon/{cluster.namespace}/twice/api/v1.0/predictions"
    said = json.loads(ask(server, path, {"data": {"ndarray": [[1, 2]]}}))
    assert said["data"]["ndarray"] == [[2, 4]]
    assert said["meta"]["tags"] == {"unit": "double"}
    cluster.ask(lambda client: client.delete(SELDON_DEPLOYMENTS, "twice", cluster.namespace))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        left = cluster.ask(lambda client: client.list(DEPLOYMENTS, cluster.namespace)).items
        if not any(meta.name(each).startswith("twice") for each in left):
            return
        time.sleep(0.5)
    raise AssertionError("its Deployments are still there")
