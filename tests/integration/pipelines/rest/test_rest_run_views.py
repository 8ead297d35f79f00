"""What pages ask of runs: how tasks stand, and what a list shows beside its runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.store import deliveries, runs, tasks
from sampan.components.pipelines.store.tasks import AttemptRow, InputsRow, TaskRow

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND


def task(run_id: str, name: str, **fields: Any) -> TaskRow:
    values: dict[str, Any] = {
        "task_id": f"{run_id}-{name}",
        "run_id": run_id,
        "parent_task_id": "" if name == "root" else f"{run_id}-root",
        "name": name,
        "scope_path": name if name == "root" else f"root/{name}",
        "display_name": name,
        "type": TaskType.ROOT if name == "root" else TaskType.RUNTIME,
        "state": RuntimeState.SUCCEEDED,
        "created_at": NOW,
    }
    return TaskRow(**(values | fields))


@pytest.fixture
def run_id(api: Any, spec: Any) -> str:
    made: str = api.post("/v2/runs", {"display_name": "r", "pipeline_spec": spec()}).json["run_id"]
    rows = [
        task(made, "root", state=RuntimeState.RUNNING),
        task(
            made,
            "train",
            state=RuntimeState.RUNNING,
            error="its image is being made ready",
            started_at=NOW + SECOND,
            inputs=InputsRow({"secret": "long" * 10}),
            attempts=[
                AttemptRow(
                    "train-0",
                    RuntimeState.FAILED,
                    "u0",
                    3,
                    "out of memory",
                    started_at=NOW,
                    finished_at=NOW + SECOND,
                    launched_at=NOW - 2 * SECOND,
                    scheduled_at=NOW - SECOND,
                ),
                AttemptRow("train-1", RuntimeState.RUNNING),
            ],
        ),
        task(made, "prepare"),
    ]
    api.write(lambda connection: tasks.insert(connection, rows))
    return made


def test_a_run_is_watched_without_what_went_in_and_came_out(api: Any, run_id: str) -> None:
    full = api.get(f"/v2/runs/{run_id}", view="FULL").json
    states = api.get(f"/v2/runs/{run_id}", view="STATES").json

    assert "pipeline_spec" in full
    assert "pipeline_spec" not in states
    assert "run_details" not in states
    assert states["task_count"] == 3
    by_name = {each["name"]: each for each in full["tasks"]}
    for each in states["tasks"]:
        attempts = each.get("attempts", [])
        assert each.items() <= by_name[each["name"]].items()
        assert "inputs" not in each
        if each["name"] == "train":
            assert each["status_metadata"] == {"message": "its image is being made ready"}
            assert attempts[0] == {
                "pod": "train-0",
                "state": "FAILED",
                "exit_code": 3,
                "message": "out of memory",
                "create_time": "2023-11-14T22:13:18Z",
                "schedule_time": "2023-11-14T22:13:19Z",
                "start_time": "2023-11-14T22:13:20Z",
                "end_time": "2023-11-14T22:13:21Z",
            }
            assert attempts[1] == {"pod": "train-1", "state": "RUNNING"}


def test_a_list_has_no_such_view(api: Any) -> None:
    assert api.get("/v2/runs", view="STATES").status == 400
    assert "STATES" in api.get("/v2/runs", view="nonsense").message


def test_one_task_is_shown_with_its_attempts_and_whose_result_it_took(api: Any, run_id: str) -> None:
    copied = task(run_id, "again", state=RuntimeState.CACHED, cached_from_task_id=f"{run_id}-prepare")
    api.write(lambda connection: tasks.insert(connection, [copied]))

    assert len(api.get(f"/v2/runs/{run_id}/tasks/{run_id}-train").json["attempts"]) == 2
    found = api.get(f"/v2/tasks/{run_id}-again").json
    assert found["cached_from"] == {"task_id": f"{run_id}-prepare", "run_id": run_id}


def test_a_list_says_where_runs_came_from(api: Any, spec: Any) -> None:
    package = json.dumps(spec()).encode()
    uploaded = api.upload("/v2/pipelines/upload", "p.json", package, name="churn", display_name="Churn").json
    pipeline = uploaded["pipeline_id"]
    [version] = api.get(f"/v2/pipelines/{pipeline}/versions").json["pipeline_versions"]
    version = version["pipeline_version_id"]
    reference = {"pipeline_id": pipeline, "pipeline_version_id": version}
    made = api.post("/v2/runs", {"display_name": "r", "pipeline_version_reference": reference}).json

    assert "pipeline_spec" not in api.get(f"/v2/runs/{made['run_id']}").json
    whole = api.get(f"/v2/runs/{made['run_id']}", view="SPEC").json
    assert whole["pipeline_spec"]["pipelineInfo"]["name"] == "hello"
    assert "task_count" not in whole
    [shown] = api.get("/v2/runs", include="origin").json["runs"]
    assert shown["origin"] == {"experiment": "Default", "pipeline": "Churn", "pipeline_version": "Churn"}
    assert api.get(f"/v2/runs/{made['run_id']}", include="origin").json["origin"] == shown["origin"]
    api.delete(f"/v2/pipelines/{pipeline}/versions/{version}")
    assert "pipeline_version" not in api.get("/v2/runs", include="origin").json["runs"][0]["origin"]
    assert "origin" not in api.get("/v2/runs").json["runs"][0]


def test_a_list_says_which_trigger_started_a_run(api: Any, spec: Any, run_id: str) -> None:
    given = {
        "display_name": "nightly data",
        "pipeline_spec": spec(),
        "webhook": {"secret": "abcdefghijklmnop"},
    }
    trigger = api.post("/v2/triggers", given)
    assert trigger.status == 200, trigger.content
    trigger_id = trigger.json["trigger_id"]
    row = {
        "delivery_id": "d1",
        "trigger_id": trigger_id,
        "event_key": "k",
        "namespace": "default",
        "event": "{}",
        "run_id": run_id,
        "state": "STARTED",
        "created_at": NOW,
    }
    api.write(lambda connection: connection.execute(deliveries._DELIVERIES.insert(), row))

    [shown] = api.get("/v2/runs", include="origin").json["runs"]
    assert (shown["origin"]["trigger"], shown["origin"]["trigger_id"]) == ("nightly data", trigger_id)


def test_a_list_says_what_runs_wait_for(api: Any, run_id: str) -> None:
    [shown] = api.get("/v2/runs", include="waiting").json["runs"]
    assert shown["waiting"] == {"step": "train", "message": "its image is being made ready", "steps": 1}
    api.write(lambda connection: runs.set_state(connection, run_id, RuntimeState.FAILED, NOW))
    assert "waiting" not in api.get("/v2/runs", include="waiting").json["runs"][0]


def test_a_list_has_metrics_and_how_far_runs_are(api: Any, run_id: str) -> None:
    for node, value in (("a", 0.5), ("b", 0.75)):
        metric = {"name": "accuracy", "node_id": node, "number_value": value}
        api.post(f"/apis/v1beta1/runs/{run_id}:reportMetrics", {"metrics": [metric]})

    [shown] = api.get("/v2/runs", include="metrics,progress").json["runs"]
    assert shown["metrics"] == {"accuracy": 0.75}
    assert shown["progress"] == {"SUCCEEDED": 1, "RUNNING": 1}
    api.write(lambda connection: runs.set_state(connection, run_id, RuntimeState.FAILED, NOW))
    assert "progress" not in api.get("/v2/runs", include="progress").json["runs"][0]
    assert "include" in api.get("/v2/runs", include="everything").message
