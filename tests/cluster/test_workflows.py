"""A Workflow object of a real cluster: our controller runs it there, and writes its status back."""

from __future__ import annotations

import time
from typing import Any

from sampan.components.pipelines.api.workflow_kinds import WORKFLOWS
from sampan.testing.server import ServerProcess

from .conftest import Cluster

_SAY = {
    "name": "say",
    "inputs": {"parameters": [{"name": "text"}]},
    "script": {
        "image": "python:3.11",
        "command": ["python"],
        "source": "open('/tmp/said', 'w').write('{{inputs.parameters.text}}'); print('{{inputs.parameters.text}}')",
    },
    "outputs": {"artifacts": [{"name": "said", "path": "/tmp/said"}]},
}


def call(name: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "template": "say",
        "arguments": {"parameters": [{"name": "text", "value": text}]},
    }


def ended(cluster: Cluster, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = cluster.ask(lambda client: client.get(WORKFLOWS, name, cluster.namespace))
        if found.get("status", {}).get("phase") in ("Succeeded", "Failed", "Error"):
            return found["status"]
        time.sleep(0.5)
    raise AssertionError(f"the workflow goes on: {found.get('status')}")


def test_a_workflow_runs_as_pods_of_the_cluster(server: ServerProcess, cluster: Cluster) -> None:
    steps = [[call("a", "hello")], [call("b", "<{{steps.a.outputs.result}}>")]]
    spec = {"entrypoint": "main", "templates": [{"name": "main", "steps": steps}, _SAY]}
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "hello", "namespace": cluster.namespace},
        "spec": spec,
    }
    cluster.ask(lambda client: client.create(WORKFLOWS, made))
    status = ended(cluster, "hello")
    assert status["phase"] == "Succeeded", status
    results = {
        node["displayName"]: node["outputs"]["result"]
        for node in status["nodes"].values()
        if node["type"] == "Pod"
    }
    assert results == {"a": "hello", "b": "<hello>"}


def test_what_cannot_run_says_so_in_its_status(server: ServerProcess, cluster: Cluster) -> None:
    """The cluster's API server asks nobody before it stores a Workflow."""
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "wrong", "namespace": cluster.namespace},
        "spec": {"entrypoint": "nowhere", "templates": [_SAY]},
    }
    cluster.ask(lambda client: client.create(WORKFLOWS, made))
    status = ended(cluster, "wrong")
    assert status["phase"] in ("Failed", "Error")
    assert "nowhere" in status["message"]
