"""Rows of a workflow as the nodes of its status."""

from __future__ import annotations

import json
from typing import Any

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.argo.manifest import manifest_of, status_of
from sampan.components.pipelines.engine.argo.nodes import node_id
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import InputsRow, OutputsRow, TaskRow

SECOND = 1_000_000
START = 1_772_323_200 * SECOND
POD = {"name": "echo", "container": {"image": "busybox"}}


def run(*templates: dict[str, Any], state: RuntimeState = RuntimeState.RUNNING, **more: Any) -> RunRow:
    spec = {"entrypoint": "main", "templates": [*templates, POD]}
    document = {"workflow": {"metadata": {"name": "wf"}, "spec": spec}}
    return RunRow("uid", "e", "default", "wf", json.dumps(document), True, START, state=state, **more)


class Rows:
    """A tree of rows; the root is there."""

    def __init__(self) -> None:
        self.rows = [self._row("root", "", "root", "Workflow", "Running")]

    def _row(self, key: str, parent: str, task_id: str, type_: str, phase: str, **more: Any) -> TaskRow:
        details = {"type": type_, "phase": phase, **more.pop("details", {})}
        return TaskRow(
            task_id=task_id,
            run_id="uid",
            parent_task_id=parent,
            name=key,
            scope_path=task_id,
            display_name=more.pop("shown", key),
            type=TaskType.RUNTIME,
            state=RuntimeState.RUNNING,
            created_at=START,
            started_at=START + SECOND,
            finished_at=START + 5 * SECOND if phase not in ("Running", "Pending") else 0,
            details=details,
            **more,
        )

    def add(
        self, parent: str, task_id: str, key: str, type_: str, phase: str = "Succeeded", **more: Any
    ) -> None:
        details: dict[str, Any] = {}
        if template := more.pop("template", ""):
            details["template"] = {"scope": "local", "name": template}
        for name in ("hook", "step", "index", "result", "exit_code", "message", "artifacts"):
            if name in more:
                details[name] = more.pop(name)
        self.rows.append(self._row(key, parent, task_id, type_, phase, details=details, **more))


def by_name(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in status["nodes"].values()}


def test_ids_are_argos() -> None:
    # FNV-1a of 32 bits: published test vectors of the empty text and of "a".
    assert node_id("wf", "wf") == "wf"
    assert node_id("wf", "") == f"wf-{0x811C9DC5}"
    assert node_id("wf", "a") == f"wf-{0xE40C292C}"


def test_steps_point_at_the_group_after_them() -> None:
    main = {
        "name": "main",
        "steps": [[{"name": "a", "template": "echo"}], [{"name": "b", "template": "echo"}]],
    }
    rows = Rows()
    rows.add("root", "1", "wf", "Steps", "Running", template="main")
    rows.add("1", "2", "[0]", "StepGroup")
    rows.add("2", "3", "a", "Pod", template="echo", step="a", result="hello", exit_code="0")
    rows.add("1", "4", "[1]", "StepGroup", "Running")
    rows.add("4", "5", "b(0:x)", "Pod", "Running", template="echo", step="b", index=0)
    status, tasks = status_of(run(main), rows.rows)
    nodes = by_name(status)
    assert list(nodes) == ["wf", "wf[0]", "wf[0].a", "wf[1]", "wf[1].b(0:x)"]
    assert nodes["wf"]["children"] == [nodes["wf[0]"]["id"]]
    assert nodes["wf[0]"]["children"] == [nodes["wf[0].a"]["id"]]
    assert nodes["wf[0].a"]["children"] == [nodes["wf[1]"]["id"]]
    assert nodes["wf[0].a"]["boundaryID"] == "wf"
    assert nodes["wf[0].a"]["outputs"] == {"result": "hello", "exitCode": "0"}
    assert nodes["wf[0].a"]["templateName"] == "echo"
    assert nodes["wf[0].a"]["finishedAt"] == "2026-03-01T00:00:05Z"
    assert nodes["wf[1].b(0:x)"]["displayName"] == "b(0:x)"
    assert status["progress"] == "1/2"
    assert status["conditions"] == [{"type": "PodRunning", "status": "True"}]
    assert tasks[nodes["wf[0].a"]["id"]] == "3"


def test_tasks_point_at_those_that_depend_on_them() -> None:
    tasks = [
        {"name": "a", "template": "echo"},
        {"name": "b", "template": "echo", "dependencies": ["a"], "withItems": [1, 2]},
        {"name": "c", "template": "echo", "depends": "b && a"},
    ]
    rows = Rows()
    rows.add("root", "1", "wf", "DAG", template="main")
    rows.add("1", "2", "a", "Pod", template="echo", step="a")
    rows.add("1", "3", "b", "TaskGroup", step="b")
    for index in (0, 1):
        rows.add("3", f"4{index}", f"b({index}:{index + 1})", "Pod", template="echo", step="b", index=index)
    rows.add("1", "5", "c", "Pod", template="echo", step="c")
    nodes = by_name(status_of(run({"name": "main", "dag": {"tasks": tasks}}), rows.rows)[0])
    assert nodes["wf"]["children"] == [nodes["wf.a"]["id"]]
    items = [nodes["wf.b(0:1)"]["id"], nodes["wf.b(1:2)"]["id"]]
    assert nodes["wf.b"]["children"] == items
    assert set(nodes["wf.a"]["children"]) == {nodes["wf.b"]["id"], nodes["wf.c"]["id"]}
    assert nodes["wf.b(1:2)"]["children"] == [nodes["wf.c"]["id"]]
    assert nodes["wf.b(1:2)"]["boundaryID"] == "wf"
    assert nodes["wf"]["outboundNodes"] == [nodes["wf.c"]["id"]]


def test_retries_hooks_and_exit_handlers_have_their_names() -> None:
    rows = Rows()
    rows.add("root", "1", "wf", "Retry", template="echo")
    rows.add("1", "2", "0", "Pod", "Failed", template="echo", index=0, message="exit code 1")
    rows.add("1", "3", "1", "Pod", template="echo", index=1)
    rows.add("1", "4", "running", "Pod", template="echo", hook="running")
    rows.add("root", "5", "onExit", "Pod", template="echo", hook="exit")
    nodes = by_name(status_of(run(), rows.rows)[0])
    assert list(nodes) == ["wf", "wf(0)", "wf(1)", "wf.hooks.running", "wf.onExit"]
    assert nodes["wf(0)"]["message"] == "exit code 1"
    assert nodes["wf(0)"]["nodeFlag"] == {"retried": True}
    assert nodes["wf.hooks.running"]["nodeFlag"] == {"hooked": True}
    assert nodes["wf.onExit"]["displayName"] == "wf.onExit"


def test_inputs_and_outputs_are_shown_with_what_the_template_says_of_them() -> None:
    approve = {
        "name": "main",
        "suspend": {},
        "outputs": {"parameters": [{"name": "approve", "valueFrom": {"supplied": {}}}]},
    }
    rows = Rows()
    rows.add("root", "1", "wf", "Suspend", "Running", template="main", inputs=InputsRow({"n": "1"}))
    waiting = by_name(status_of(run(approve), rows.rows)[0])["wf"]
    assert waiting["inputs"] == {"parameters": [{"name": "n", "value": "1"}]}
    assert waiting["outputs"] == {"parameters": [{"name": "approve", "valueFrom": {"supplied": {}}}]}
    rows = Rows()
    rows.add("root", "1", "wf", "Suspend", template="main", outputs=OutputsRow({"approve": "YES"}))
    over = by_name(status_of(run(approve), rows.rows)[0])["wf"]
    assert over["outputs"]["parameters"][0]["value"] == "YES"


def test_the_end_of_a_run() -> None:
    error = json.dumps({"code": 9, "message": "child 'a' failed"})
    ended = run(state=RuntimeState.FAILED, error=error, finished_at=START + 9 * SECOND)
    rows = Rows()
    rows.add("root", "1", "wf", "Pod", "Failed", template="echo")
    status, _ = status_of(ended, rows.rows)
    assert (status["phase"], status["message"], status["finishedAt"]) == (
        "Failed",
        "child 'a' failed",
        "2026-03-01T00:00:09Z",
    )
    assert {"type": "Completed", "status": "True"} in status["conditions"]
    manifest = manifest_of(ended, rows.rows)
    assert manifest["metadata"]["uid"] == "uid"
    assert manifest["status"] == status
