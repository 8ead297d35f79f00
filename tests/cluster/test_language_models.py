"""LLMInferenceServices on a real Kubernetes: what is made there, how it is reached, changed and gone.

A program stands at vLLM's place in the image, and tells how it was called: the configurations that come along, a
shell's words and all, are the cluster's to run.
"""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICE_CONFIGS, LLM_INFERENCE_SERVICES
from sampan.components.serving.api.labels import STOP
from sampan.kube import conditions, meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES, Resource
from sampan.kube.meta import Object
from sampan.testing.server import ServerProcess

from .conftest import Cluster, platform

_VLLM = """#!/usr/bin/env python3
import http.server, json, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer({"words": sys.argv[1:]})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = pathlib.Path("/mnt/models/model.txt").read_text()
        self.answer({"path": self.path, "asked": asked, "model": model, "pod": os.environ["HOSTNAME"]})
    def answer(self, told):
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("", port), Handler).serve_forever()
"""
_WRITES = "for n in 1 2; do mkdir -p /models/$n; printf 'model %s' $n > /models/$n/model.txt; done"
_LITTLE = {"requests": {"cpu": "10m", "memory": "30Mi"}}


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with platform(tmp_path_factory.mktemp("languages") / "home", cluster) as running:
        yield running


def create(cluster: Cluster, resource: Resource, name: str, **body: Any) -> None:
    metadata = {"name": name, "namespace": cluster.namespace, **body.pop("metadata", {})}
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **body}
    cluster.ask(lambda client: client.create(resource, obj))


def change(cluster: Cluster, name: str, patch: Object, resource: Resource = LLM_INFERENCE_SERVICES) -> None:
    cluster.ask(lambda client: client.patch(resource, name, patch, cluster.namespace))


def find(cluster: Cluster, resource: Resource, name: str) -> Object | None:
    try:
        return cluster.ask(lambda client: client.get(resource, name, cluster.namespace))
    except NotFoundError:
        return None


def until(cluster: Cluster, resource: Resource, name: str, holds: Callable[[Object], Any]) -> Object:
    deadline, found = time.monotonic() + 200, None
    while time.monotonic() < deadline:
        found = find(cluster, resource, name)
        if found is not None and holds(found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"{name} never was like that: {json.dumps((found or {}).get('status'))}")


def gone(cluster: Cluster, resource: Resource, name: str) -> None:
    deadline = time.monotonic() + 200
    while find(cluster, resource, name) is not None:
        assert time.monotonic() < deadline, f"{resource.kind} {name} is still there"
        time.sleep(0.5)


def says(cluster: Cluster, name: str, type_: str, status: str, part: str = "") -> Object:
    """The service, as soon as that condition says so of the newest spec."""

    def holds(service: Object) -> bool:
        told = conditions.find(service, type_) or {}
        is_newest = meta.status(service).get("observedGeneration") == meta.generation(service)
        words = f"{told.get('reason', '')}: {told.get('message', '')}"
        return is_newest and told.get("status") == status and part in words

    return until(cluster, LLM_INFERENCE_SERVICES, name, holds)


def ask(url: str, body: Any = None, host: str = "") -> Any:
    """What is answered, once something is."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", **({"host": host} if host else {})}
    deadline = time.monotonic() + 100
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as found:
                return json.loads(found.read())
        except urllib.error.HTTPError as error:
            with error:
                said = f"{error.code} {error.read().decode()}"
        assert time.monotonic() < deadline, said
        time.sleep(0.5)


@pytest.fixture(scope="module")
def models(cluster: Cluster) -> str:
    """The URI of a claim that holds the models 1 and 2; the program is there too."""
    create(
        cluster,
        PERSISTENT_VOLUME_CLAIMS,
        "models",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    )
    create(cluster, CONFIG_MAPS, "vllm", data={"vllm": _VLLM})
    writer = {
        "name": "main",
        "image": "python:3.11",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", _WRITES],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "resources": _LITTLE,
    }
    volume = {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    pod = {"restartPolicy": "Never", "containers": [writer], "volumes": [volume]}
    create(cluster, PODS, "writer", spec=pod)
    until(cluster, PODS, "writer", lambda pod: meta.status(pod).get("phase") == "Succeeded")
    return "pvc://models"


def template(*args: str, additional: str = "", **main: Any) -> Object:
    """What a user adds to the configurations where the image has no vLLM."""
    container = {
        "name": "main",
        "image": "python:3.11",
        "securityContext": {"runAsUser": 1000},
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", "1"]}}},
        "volumeMounts": [{"name": "vllm", "mountPath": "/usr/local/bin/vllm", "subPath": "vllm"}],
        "resources": _LITTLE,
        **({"env": [{"name": "VLLM_ADDITIONAL_ARGS", "value": additional}]} if additional else {}),
        **({"args": list(args)} if args else {}),
        **main,
    }
    volume = {"name": "vllm", "configMap": {"name": "vllm", "defaultMode": 0o755}}
    return {"containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 2}


def make(cluster: Cluster, name: str, uri: str, **spec: Any) -> None:
    whole = {"model": {"uri": uri}, "router": {"route": {}, "gateway": {}, "scheduler": {}}, **spec}
    create(cluster, LLM_INFERENCE_SERVICES, name, spec=whole)


def test_a_service_runs_is_changed_stopped_and_gone(
    cluster: Cluster, server: ServerProcess, models: str
) -> None:
    space = cluster.namespace
    told = template("--max-num-seqs", "4", additional="--max-model-len 64 --seed=7")
    make(cluster, "words", f"{models}/1", template=told)
    service = says(cluster, "words", "Ready", "True")
    status = meta.status(service)
    assert status["url"].endswith(f"/{space}/words")
    assert status["workloads"]["primary"]["name"] == "words-kserve"
    assert {each["type"] for each in status["conditions"] if each["status"] == "True"} >= {
        *("GatewaysReady", "HTTPRoutesReady", "InferencePoolReady", "SchedulerWorkloadReady"),
        *("MainWorkloadReady", "PresetsCombined", "Ready", "RouterReady", "WorkloadsReady"),
    }
    # A shell of the cluster has read the words of the configuration, the variable's and the user's.
    words = ask(f"{server.url}/{space}/words/v1/models")["words"]
    assert words[:2] == ["serve", "/mnt/models"]
    named = words.index("--served-model-name")
    assert words[named + 1 : named + 3] == ["words", f"publishers/{space}/models/words"]
    assert words[named + 3 :] == [
        *("--port", "8000", "--max-model-len", "64", "--seed=7", "--max-num-seqs", "4"),
    ]
    question = {"model": "words", "messages": [{"role": "user", "content": "hello"}]}
    host = next(
        each["url"].removeprefix("http://")
        for each in status["addresses"]
        if f"words-{space}." in each["url"]
    )
    for way in (
        (f"{server.url}/{space}/words/v1/chat/completions", ""),
        (f"{server.url}/publishers/{space}/models/words/v1/chat/completions", ""),
        (f"{server.url}/v1/chat/completions", host),
        (f"{server.url}/v1/chat/completions", f"words-kserve-workload-svc.{space}.svc.cluster.local:8000"),
    ):
        answer = ask(way[0], question, way[1])
        assert (answer["path"], answer["asked"], answer["model"]) == (
            "/v1/chat/completions",
            question,
            "model 1",
        )
    # What is as it should be is not written again, whatever the API makes of it.
    before = find(cluster, DEPLOYMENTS, "words-kserve") or {}
    time.sleep(3)
    assert meta.resource_version(find(cluster, DEPLOYMENTS, "words-kserve") or {}) == meta.resource_version(
        before
    )
    change(cluster, "words", {"spec": {"model": {"uri": f"{models}/2"}, "replicas": 2}})

    def is_rolled(deployment: Object) -> bool:
        seen = meta.status(deployment)
        is_newest = seen.get("observedGeneration") == meta.generation(deployment)
        return (
            is_newest
            and meta.spec(deployment)["replicas"] == seen.get("availableReplicas") == 2
            and (seen.get("updatedReplicas") == seen.get("replicas") == 2)
        )

    until(cluster, DEPLOYMENTS, "words-kserve", is_rolled)
    service = says(cluster, "words", "Ready", "True")
    pods = set()
    deadline = time.monotonic() + 60
    while len(pods) < 2 and time.monotonic() < deadline:
        answer = ask(f"{server.url}/{space}/words/v1/completions", question)
        assert answer["model"] == "model 2"
        pods.add(answer["pod"])
    assert len(pods) == 2
    change(cluster, "words", {"metadata": {"annotations": {STOP: "true"}}})
    service = says(cluster, "words", "Ready", "False", "Stopped")
    assert "url" not in meta.status(service)
    gone(cluster, DEPLOYMENTS, "words-kserve")
    gone(cluster, SERVICES, "words-kserve-workload-svc")
    change(cluster, "words", {"metadata": {"annotations": {STOP: None}}, "spec": {"replicas": 1}})
    says(cluster, "words", "Ready", "True")
    assert ask(f"{server.url}/{space}/words/v1/completions", question)["model"] == "model 2"
    cluster.ask(lambda client: client.delete(LLM_INFERENCE_SERVICES, "words", space))
    gone(cluster, LLM_INFERENCE_SERVICES, "words")
    gone(cluster, DEPLOYMENTS, "words-kserve")
    gone(cluster, SERVICES, "words-kserve-workload-svc")


def test_scaling_prefill_and_a_configuration_of_ones_own(
    cluster: Cluster, server: ServerProcess, models: str
) -> None:
    space = cluster.namespace
    create(cluster, LLM_INFERENCE_SERVICE_CONFIGS, "mine", spec={"template": template("--mine")})
    scaling = {"minReplicas": 1, "maxReplicas": 2, "wva": {"hpa": {}}}
    prefill = {"replicas": 1, "template": template()}
    make(cluster, "scaled", f"{models}/1", baseRefs=[{"name": "mine"}], scaling=scaling, prefill=prefill)
    service = says(cluster, "scaled", "Ready", "True")
    assert conditions.is_true(service, "ScalingReady")
    assert conditions.is_true(service, "PrefillWorkloadReady")
    assert meta.status(service)["workloads"]["prefill"]["name"] == "scaled-kserve-prefill"
    question = {"model": "scaled", "prompt": "hello"}
    answer = ask(f"{server.url}/{space}/scaled/v1/completions", question)
    assert answer["asked"] == question
    # A configuration that is used stays.
    cluster.ask(lambda client: client.delete(LLM_INFERENCE_SERVICE_CONFIGS, "mine", space))
    until(
        cluster,
        LLM_INFERENCE_SERVICE_CONFIGS,
        "mine",
        lambda config: (conditions.find(config, "ConfigInUse") or {}).get("reason") == "DeletionBlocked",
    )
    # Without prefill the pods have another role, which is part of a selector that cannot be changed.
    change(cluster, "scaled", {"spec": {"prefill": None}})
    gone(cluster, DEPLOYMENTS, "scaled-kserve-prefill")
    until(
        cluster,
        DEPLOYMENTS,
        "scaled-kserve",
        lambda made: meta.spec(made)["selector"]["matchLabels"]["llm-d.ai/role"] == "both",
    )
    says(cluster, "scaled", "Ready", "True")
    cluster.ask(lambda client: client.delete(LLM_INFERENCE_SERVICES, "scaled", space))
    gone(cluster, LLM_INFERENCE_SERVICE_CONFIGS, "mine")


def test_what_is_wrong_is_told_and_mended(cluster: Cluster, server: ServerProcess, models: str) -> None:
    assert server.url
    crashes = template(command=["python", "-c", "raise ValueError('not a model')"])
    missing = template(image="registry.invalid/vllm:1")
    waits = template()
    waits["volumes"].append({"name": "keys", "secret": {"secretName": "nobodys"}})
    # A volume that no container has is not waited for.
    waits["containers"][0]["volumeMounts"].append({"name": "keys", "mountPath": "/keys"})
    cases: list[tuple[str, Object, str, str]] = [
        ("waits", {"template": waits}, "MainWorkloadReady", 'secret "nobodys" not found'),
        ("crashes", {"template": crashes}, "MainWorkloadReady", "ValueError: not a model"),
        ("missing", {"template": missing}, "MainWorkloadReady", "registry.invalid/vllm:1"),
        ("nowhere", {"template": template(), "model": {"uri": "nowhere"}}, "MainWorkloadReady", "scheme"),
        ("refers", {"template": template(), "baseRefs": [{"name": "later"}]}, "PresetsCombined", "later"),
        (
            "wrong",
            {"template": template(), "scaling": {"minReplicas": 3, "maxReplicas": 2, "wva": {"hpa": {}}}},
            "PresetsCombined",
            "maxReplicas",
        ),
        (
            "nodes",
            {"template": template(), "worker": template(), "parallelism": {"data": 2, "dataLocal": 1}},
            "WorkerWorkloadReady",
            "MultiNodeNotServed",
        ),
    ]
    for name, spec, _, _ in cases:
        make(cluster, name, f"{models}/1", **spec)
    for name, _, type_, part in cases:
        service = says(cluster, name, type_, "False", part)
        assert not conditions.is_true(service, "Ready")
    change(cluster, "crashes", {"spec": {"template": template()}})
    create(cluster, LLM_INFERENCE_SERVICE_CONFIGS, "later", spec={"replicas": 1})
    for name in ("crashes", "refers"):
        says(cluster, name, "Ready", "True")


def test_adapters_come_to_the_pods(cluster: Cluster, server: ServerProcess, models: str) -> None:
    space = cluster.namespace
    adapters = [{"name": "polite", "uri": f"{models}/2"}]
    model = {"uri": f"{models}/1", "lora": {"adapters": adapters}}
    make(cluster, "adapted", f"{models}/1", model=model, template=template())
    service = says(cluster, "adapted", "Ready", "True")
    words = ask(f"{server.url}/{space}/adapted/v1/models")["words"]
    modules = words[words.index("--lora-modules") + 1 :]
    assert [json.loads(each) for each in modules] == [
        {"name": name, "path": "/mnt/lora/polite"} for name in ("polite", f"publishers/{space}/models/polite")
    ]
    told = {each["name"] for one in meta.status(service)["addresses"] for each in one["models"]}
    assert f"publishers/{space}/models/polite" in told
    answer = ask(f"{server.url}/publishers/{space}/models/polite/v1/completions", {"model": "polite"})
    assert answer["asked"]["model"].endswith("polite")


def test_objects_of_the_older_version_are_taken(cluster: Cluster, server: ServerProcess) -> None:
    """As upstream's older samples write them."""
    assert server.url
    older = dataclasses.replace(LLM_INFERENCE_SERVICES, version="v1alpha1")
    model = {"uri": "hf://a/b", "name": "b", "criticality": "Critical"}
    annotations = {"annotations": {STOP: "true"}}
    create(cluster, older, "older", metadata=annotations, spec={"model": model, "router": {"route": {}}})
    says(cluster, "older", "Ready", "False", "Stopped")
