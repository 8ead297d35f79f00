"""A run's tasks, artifacts and logs through the REST API."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sampan.client.protocol import LogOptions
from sampan.components.pipelines.api.states import ArtifactType, IOType, RuntimeState, TaskType
from sampan.components.pipelines.store import artifacts, tasks
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.tasks import (
    AttemptRow,
    InputsRow,
    OutputsRow,
    ParameterSource,
    StateRow,
    TaskRow,
)
from sampan.kube.errors import NotFoundError

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND


def task(run_id: str, path: str, parent: str = "", **fields: Any) -> TaskRow:
    name = path.rpartition("/")[2]
    values: dict[str, Any] = {
        "task_id": f"id-{path}",
        "run_id": run_id,
        "parent_task_id": parent and f"id-{parent}",
        "name": name,
        "scope_path": path,
        "display_name": name,
        "type": TaskType.RUNTIME,
        "state": RuntimeState.SUCCEEDED,
        "created_at": NOW,
    }
    return TaskRow(**(values | fields))


@pytest.fixture
def run_id(api: Any, spec: Any) -> str:
    """A run that has trained twice in a loop, the second time from the cache, after a step that failed once."""
    run_id: str = api.post("/v2/runs", {"display_name": "r", "pipeline_spec": spec()}).json["run_id"]
    model = api.home / "artifacts" / "model.bin"
    model.parent.mkdir()
    model.write_bytes(bytes(range(256)) * 2000)
    rows = [
        task(run_id, "root", type=TaskType.ROOT),
        task(
            run_id,
            "root/prepare",
            "root",
            started_at=NOW + SECOND,
            finished_at=NOW + 2 * SECOND,
            state_history=[StateRow("2023-11-14T22:13:20Z", RuntimeState.RUNNING)],
            attempts=[
                AttemptRow("prepare-0", RuntimeState.FAILED, exit_code=1),
                AttemptRow("prepare-1", RuntimeState.SUCCEEDED, uid="u1"),
            ],
            inputs=InputsRow(
                {"count": 3, "nothing": None}, {}, {"count": ParameterSource(IOType.RUNTIME_VALUE_INPUT)}
            ),
            outputs=OutputsRow({"Output": 7.5}, {"model": ["a1"]}),
        ),
        task(run_id, "root/loop", "root", type=TaskType.LOOP, iteration_count=2),
        task(run_id, "root/loop/0", "root/loop", type=TaskType.LOOP_ITERATION, iteration_index=0),
        task(run_id, "root/loop/1", "root/loop", type=TaskType.LOOP_ITERATION, iteration_index=1),
        task(
            run_id,
            "root/loop/0/train",
            "root/loop/0",
            attempts=[AttemptRow("train-0", RuntimeState.RUNNING)],
            state=RuntimeState.RUNNING,
            iteration_index=0,
        ),
        task(run_id, "root/loop/1/train", "root/loop/1", state=RuntimeState.CACHED, iteration_index=1),
        task(run_id, "root/broken", "root", state=RuntimeState.FAILED, error="exit code 1: no such file"),
    ]
    linked = [
        ArtifactLink("l1", "a1", run_id, "id-root/prepare", IOType.OUTPUT, "model", "prepare"),
        ArtifactLink("l2", "a1", run_id, "id-root/loop/0/train", IOType.TASK_OUTPUT_INPUT, "base", "prepare"),
        ArtifactLink("l3", "a2", run_id, "id-root/loop/0/train", IOType.OUTPUT, "loss", "train", 0),
    ]
    made = [
        ArtifactRow("a1", "default", "model", ArtifactType.Model, str(model), NOW, metadata={"k": [1]}),
        ArtifactRow("a2", "default", "loss", ArtifactType.Metric, "", NOW, number_value=0.0),
    ]

    def insert(connection: Any) -> None:
        tasks.insert(connection, rows)
        artifacts.insert(connection, made)
        artifacts.link(connection, linked)

    api.write(insert)
    return run_id


def test_tasks_are_listed_in_the_newest_shape(api: Any, run_id: str) -> None:
    listed = api.get(f"/v2/runs/{run_id}/tasks", page_size=200).json

    assert listed["total_size"] == 8
    by_path = {shown["scope_path"]: shown for shown in listed["tasks"]}
    prepare = by_path["root.prepare"]
    assert prepare == api.get("/v2/tasks/id-root%2Fprepare").json
    assert prepare["pods"] == [
        {"name": "prepare-0", "type": "EXECUTOR"},
        {"name": "prepare-1", "uid": "u1", "type": "EXECUTOR"},
    ]
    assert prepare["end_time"] == "2023-11-14T22:13:22Z"
    assert prepare["parent_task_id"] == by_path["root"]["task_id"]
    assert prepare["inputs"]["parameters"] == [
        {"value": 3, "parameter_key": "count", "type": "RUNTIME_VALUE_INPUT"},
        {"value": None, "parameter_key": "nothing"},
    ]
    assert prepare["outputs"]["parameters"] == [
        {"value": 7.5, "parameter_key": "Output", "type": "OUTPUT", "producer": {"task_name": "prepare"}}
    ]
    [model] = prepare["outputs"]["artifacts"]
    assert (model["artifact_key"], model["type"], model["producer"]) == (
        "model",
        "OUTPUT",
        {"task_name": "prepare"},
    )
    assert model["artifacts"] == [api.get("/v2/artifacts/a1").json]
    train = by_path["root.loop.0.train"]
    assert train["type_attributes"] == {"iteration_index": "0"}
    assert train["inputs"]["artifacts"][0]["artifact_key"] == "base"
    assert train["outputs"]["artifacts"][0]["producer"] == {"task_name": "train", "iteration": "0"}
    assert train["outputs"]["artifacts"][0]["artifacts"][0]["number_value"] == 0
    assert "end_time" not in train
    assert by_path["root.loop"]["type_attributes"] == {"iteration_count": "2"}
    assert [child["name"] for child in by_path["root.loop"]["child_tasks"]] == ["0", "1"]
    assert by_path["root.loop.1.train"]["state"] == "CACHED"
    assert by_path["root.broken"]["status_metadata"] == {"message": "exit code 1: no such file"}


def test_tasks_are_paged_filtered_and_taken_by_parent(api: Any, run_id: str) -> None:
    path = f"/v2/runs/{run_id}/tasks"
    below = api.get(path, parent_id="id-root/loop").json
    assert [shown["name"] for shown in below["tasks"]] == ["0", "1"]
    failed = {"predicates": [{"operation": "EQUALS", "key": "state", "string_value": "FAILED"}]}
    assert [shown["name"] for shown in api.get(path, filter=json.dumps(failed)).json["tasks"]] == ["broken"]
    first = api.get(path, page_size=3, order_by="name").json
    second = api.get(path, page_size=200, page_token=first["next_page_token"]).json
    assert len(first["tasks"]) + len(second["tasks"]) == 8


def test_a_run_shows_its_tasks_in_the_older_shape_and_in_full_view(api: Any, run_id: str) -> None:
    run = api.get(f"/v2/runs/{run_id}").json
    details = {shown["task_id"]: shown for shown in run["run_details"]["task_details"]}

    assert "tasks" not in run
    assert len(details) == 8
    prepare = details["id-root/prepare"]
    assert prepare["pod_name"] == "prepare-1"
    assert prepare["executor_detail"] == {"main_job": "prepare-1", "failed_main_jobs": ["prepare-0"]}
    assert prepare["outputs"] == {"model": {}}
    assert details["id-root/loop/1/train"]["state"] == "SKIPPED"
    assert details["id-root/broken"]["error"] == {"code": 2, "message": "exit code 1: no such file"}
    assert details["id-root/loop"]["child_tasks"] == [
        {"task_id": "id-root/loop/0"},
        {"task_id": "id-root/loop/1"},
    ]
    full = api.get(f"/v2/runs/{run_id}", view="FULL").json
    listed = api.get(f"/v2/runs/{run_id}/tasks", page_size=200).json["tasks"]
    assert sorted(full["tasks"], key=lambda t: t["task_id"]) == sorted(listed, key=lambda t: t["task_id"])
    assert api.get(f"/v2/runs/{run_id}", view="HALF").status == 400


def test_artifacts_and_their_links_are_listed(api: Any, run_id: str) -> None:
    listed = api.get("/v2/artifacts", sort_by="name").json
    assert [shown["name"] for shown in listed["artifacts"]] == ["loss", "model"]
    assert listed["artifacts"][1]["metadata"] == {"k": [1]}
    assert api.get("/v2/artifact_tasks", run_ids=run_id).json["total_size"] == 3
    assert api.get("/v2/artifact_tasks", artifact_ids=["a1"], type="OUTPUT").json["artifact_tasks"] == [
        {
            "id": "l1",
            "artifact_id": "a1",
            "run_id": run_id,
            "task_id": "id-root/prepare",
            "type": "OUTPUT",
            "producer": {"task_name": "prepare"},
            "key": "model",
        }
    ]
    assert api.get("/v2/artifact_tasks", task_ids="none").json == {}
    assert api.get("/v2/artifact_tasks", type="NOPE").status == 400


def test_an_artifact_is_read_as_base64_by_the_step_that_made_it(api: Any, run_id: str) -> None:
    for node in ("prepare", "prepare-1", "id-root%2Fprepare", "root%2Fprepare"):
        answer = api.get(f"/v2/runs/{run_id}/nodes/{node}/artifacts/model:read")
        assert base64.b64decode(answer.json["data"]) == bytes(range(256)) * 2000
    assert api.get(f"/v2/runs/{run_id}/nodes/prepare/artifacts/other:read").status == 404
    assert api.get(f"/v2/runs/{run_id}/nodes/nobody/artifacts/model:read").status == 404


def test_runs_sort_by_a_metric(api: Any, run_id: str, spec: Any) -> None:
    other = api.post("/v2/runs", {"display_name": "none", "pipeline_spec": spec()}).json["run_id"]

    listed = api.get("/v2/runs", sort_by="metric:loss desc", page_size=1).json
    assert listed["runs"][0]["run_id"] == run_id
    rest = api.get("/v2/runs", page_token=listed["next_page_token"]).json
    assert [run["run_id"] for run in rest["runs"]] == [other]


class Logs:
    """The pods' logs, in place of the node that would hold them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, LogOptions]] = []

    async def log(self, pod: str, namespace: str, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append((pod, options))
        if pod == "prepare-0":
            raise NotFoundError(f'pods "{pod}" not found')
        yield f"{namespace}/{pod} says\n".encode()
        yield "größer\n".encode()


@pytest.fixture
def logs(api: Any) -> Logs:
    logs = Logs()
    object.__setattr__(api.app._backend, "client", logs)
    return logs


def test_a_log_is_streamed_by_step_pod_or_attempt(api: Any, run_id: str, logs: Logs) -> None:
    path = f"/apis/v1alpha1/runs/{run_id}/nodes"
    answer = api.get(f"{path}/prepare/log", follow="true")

    assert answer.content.decode() == "default/prepare-1 says\ngrößer\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert logs.asked[-1][1].follow
    assert api.get(f"{path}/root%2Floop%2F0%2Ftrain/log").content.startswith(b"default/train-0")
    assert api.get("/k8s/pod/logs", podname="train-0", runid=run_id).status == 200
    gone = api.get(f"{path}/prepare/log", attempt=1)
    assert (gone.status, gone.json["code"]) == (404, 5)
    assert not logs.asked[-1][1].follow


def test_a_log_that_cannot_be_is_explained(api: Any, run_id: str, logs: Logs) -> None:
    path = f"/apis/v1alpha1/runs/{run_id}/nodes"

    assert "2 steps" in api.get(f"{path}/train/log").message
    assert "root/loop/0/train" in api.get(f"{path}/train/log").message
    assert "CACHED" in api.get(f"{path}/root%2Floop%2F1%2Ftrain/log").message
    assert api.get(f"{path}/prepare/log", attempt=3).status == 400
    assert api.get(f"{path}/another-pod/log").status == 404, "only pods of this run"
    assert api.get("/k8s/pod/logs", podname="x").status == 404
    assert logs.asked == []


def test_deleting_a_run_removes_its_tasks_and_the_artifacts_of_it_alone(api: Any, run_id: str) -> None:
    api.delete(f"/v2/runs/{run_id}")

    assert api.get("/v2/tasks/id-root%2Fprepare").status == 404
    assert api.get("/v2/artifact_tasks").json == {}
    assert api.get("/v2/artifacts/a1").status == 404
