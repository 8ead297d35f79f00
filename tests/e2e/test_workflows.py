"""Argo's objects on a real server, through the Kubernetes API: from their creation to their end, over a crash."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess

WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows"
ECHO = {
    "name": "echo",
    "inputs": {"parameters": [{"name": "text"}]},
    "container": {"image": "busybox", "command": ["echo", "{{inputs.parameters.text}}"]},
}
APPROVE = {
    "name": "approve",
    "suspend": {},
    "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


def step(name: str, template: str, **parameters: str) -> dict[str, Any]:
    listed = [{"name": key, "value": value} for key, value in parameters.items()]
    return {"name": name, "template": template, "arguments": {"parameters": listed}}


def create(server: ServerProcess, *groups: list[dict[str, Any]], **spec: Any) -> str:
    """The name of the new Workflow."""
    main = {"name": "main", "steps": list(groups)}
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "wf-"},
        "spec": {"entrypoint": "main", "templates": [main, ECHO, APPROVE], **spec},
    }
    name: str = server.call("POST", WORKFLOWS, body)["metadata"]["name"]
    return name


def shows(server: ServerProcess, name: str, phase: str, node: str = "") -> dict[str, Any]:
    """The Workflow once it is in that phase, or the node of that display name is."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found: dict[str, Any] = server.call("GET", f"{WORKFLOWS}/{name}")
        status = found.get("status") or {}
        said = {each["displayName"]: each["phase"] for each in (status.get("nodes") or {}).values()}
        if (said.get(node) if node else status.get("phase")) == phase:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{name} is not {phase}: {status}")


def patch(server: ServerProcess, name: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{server.url}{WORKFLOWS}/{name}",
        method="PATCH",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/merge-patch+json"},
    )
    with urllib.request.urlopen(request, timeout=60):
        pass


def test_a_workflow_waits_over_a_crash_and_goes_on_with_what_it_is_told(server: ServerProcess) -> None:
    name = create(
        server,
        [step("before", "echo", text="hello")],
        [{"name": "ask", "template": "approve"}],
        [step("after", "echo", text="{{steps.ask.outputs.parameters.answer}}")],
        suspend=True,
    )
    assert shows(server, name, "Running")["status"].get("progress", "0/0") == "0/0"
    patch(server, name, {"spec": {"suspend": None}})
    shows(server, name, "Running", node="ask")
    server.kill()
    server.start()
    waiting = shows(server, name, "Running", node="ask")
    nodes = waiting["status"]["nodes"]
    [key] = [key for key, node in nodes.items() if node["type"] == "Suspend"]
    outputs = {"parameters": [{"name": "answer", "value": "YES", "valueFrom": {"supplied": {}}}]}
    patch(server, name, {"status": {"nodes": {key: {"phase": "Succeeded", "outputs": outputs}}}})
    ended = shows(server, name, "Succeeded")
    after = {node["displayName"]: node for node in ended["status"]["nodes"].values()}["after"]
    assert after["inputs"]["parameters"] == [{"name": "text", "value": "YES"}]
    assert ended["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
    # The same run, as the pipelines' API has it: once, with the log of its steps.
    [run] = server.call("GET", "/apis/v2beta1/runs")["runs"]
    assert (run["display_name"], run["state"]) == (name, "SUCCEEDED")
    assert run["run_id"] == ended["metadata"]["uid"]
    assert server.text(f"/apis/v1alpha1/runs/{run['run_id']}/nodes/after/log") == "YES\n"

    server.call("DELETE", f"{WORKFLOWS}/{name}")
    deadline = time.monotonic() + 60
    while server.call("GET", "/api/v1/namespaces/default/pods")["items"]:
        assert time.monotonic() < deadline, "its pods remain"
        time.sleep(0.2)
    assert server.call("GET", "/apis/v2beta1/runs")["runs"][0]["run_id"] == run["run_id"]


def test_a_stopped_workflow_runs_its_exit_handler_and_its_run_takes_it_along(server: ServerProcess) -> None:
    sleep = {"name": "sleep", "container": {"image": "busybox", "command": ["sleep", "600"]}}
    main = {"name": "main", "steps": [[{"name": "long", "template": "sleep"}]]}
    bye = {"name": "bye", "container": {"image": "busybox", "command": ["echo", "bye"]}}
    name = create(server, [], templates=[main, sleep, bye], onExit="bye")
    shows(server, name, "Running", node="long")
    patch(server, name, {"spec": {"shutdown": "Stop"}})
    ended = shows(server, name, "Failed")
    phases = {node["displayName"]: node["phase"] for node in ended["status"]["nodes"].values()}
    assert phases[f"{name}.onExit"] == "Succeeded"
    server.call("DELETE", f"/apis/v2beta1/runs/{ended['metadata']['uid']}")
    with pytest.raises(HttpError, match="404"):
        server.call("GET", f"{WORKFLOWS}/{name}")


def test_what_cannot_run_is_refused_with_the_field(server: ServerProcess) -> None:
    with pytest.raises(HttpError) as caught:
        create(server, [step("a", "gone")])
    assert caught.value.code == 422
    [cause] = caught.value.body["details"]["causes"]
    assert cause["field"] == "spec.templates[0].steps[0][0].template"
    assert cause["message"] == "template name 'gone' undefined"
