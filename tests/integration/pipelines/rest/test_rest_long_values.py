"""Parameters of many megabytes: whole where one thing is asked for, short in lists."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.store import tasks
from sampan.components.pipelines.store.long_values import MOST_CHARACTERS
from sampan.components.pipelines.store.tasks import InputsRow, OutputsRow, TaskRow

LONG = "é" * 3_000_000
TREE = {"items": list(range(100_000))}


@pytest.fixture
def run_id(api: Any, spec: Any) -> str:
    pipeline_spec = spec()
    pipeline_spec["root"]["inputDefinitions"] = {
        "parameters": {"text": {"parameterType": "STRING"}, "tree": {"parameterType": "STRUCT"}}
    }
    body = {
        "display_name": "r",
        "pipeline_spec": pipeline_spec,
        "runtime_config": {"parameters": {"text": LONG, "tree": TREE}},
    }
    run_id: str = api.post("/v2/runs", body).json["run_id"]
    row = TaskRow(
        "task", run_id, "", "train", "root/train", "train", TaskType.RUNTIME, RuntimeState.SUCCEEDED, 1,
        inputs=InputsRow({"text": LONG, "n": 1, "tree": TREE}), outputs=OutputsRow({"Output": LONG}),
    )  # fmt: skip
    api.write(lambda connection: tasks.insert(connection, [row]))
    return run_id


def values(task: Any) -> dict[str, Any]:
    return {entry["parameter_key"]: entry["value"] for entry in task["inputs"]["parameters"]}


def test_one_thing_is_whole(api: Any, run_id: str) -> None:
    assert api.get(f"/v2/runs/{run_id}").json["runtime_config"]["parameters"] == {"text": LONG, "tree": TREE}
    task = api.get("/v2/tasks/task").json
    assert values(task) == {"text": LONG, "n": 1, "tree": TREE}
    assert task["outputs"]["parameters"][0]["value"] == LONG


def test_lists_are_short(api: Any, run_id: str) -> None:
    answer = api.get("/v2/runs")
    assert len(answer.content) < 2 * MOST_CHARACTERS
    shown = answer.json["runs"][0]["runtime_config"]["parameters"]
    assert shown["text"].startswith("éé")
    assert "3000000 characters" in shown["text"]
    for answer in (api.get(f"/v2/runs/{run_id}/tasks"), api.get(f"/v2/runs/{run_id}", view="FULL")):
        (task,) = answer.json["tasks"]
        shown = values(task)
        assert shown["n"] == 1
        assert shown["tree"].startswith('{"items":[0,1,2')
        assert len(shown["text"]) < 2 * MOST_CHARACTERS


def test_a_runs_tasks_and_logs_are_found_beside_long_values(api: Any, run_id: str) -> None:
    details = api.get(f"/v2/runs/{run_id}").json["run_details"]["task_details"]
    assert [each["display_name"] for each in details] == ["train"]
