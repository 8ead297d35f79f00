"""Tasks and artifacts that clients record through the newest API v2beta1."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.store import runs, tasks
from sampan.components.pipelines.store.tasks import AttemptRow, OutputsRow, TaskRow

NOW = 1_700_000_000_000_000


@pytest.fixture
def run_id(api: Any, spec: Any) -> str:
    return str(api.post("/v2/runs", {"display_name": "r", "pipeline_spec": spec()}).json["run_id"])


@pytest.fixture
def task(api: Any, run_id: str) -> Any:
    body = {
        "name": "train",
        "type": 2,
        "state": "RUNNING",
        "scope_path": "root.train",
        "cache_fingerprint": "f",
    }
    return api.post(f"/v2/runs/{run_id}/tasks", body).json


def parameter(key: str, value: Any, kind: str = "OUTPUT", **producer: Any) -> dict[str, Any]:
    return {"parameter_key": key, "value": value, "type": kind} | ({"producer": producer} if producer else {})


class TestTasks:
    def test_a_task_is_recorded_and_listed_with_the_others(self, api: Any, run_id: str, task: Any) -> None:
        assert task["name"] == task["display_name"] == "train"
        assert task["type"] == "RUNTIME"
        assert task["scope_path"] == "root.train"
        assert [entry["state"] for entry in task["state_history"]] == ["RUNNING"]
        assert api.get(f"/v2/runs/{run_id}/tasks/{task['task_id']}").json == task
        assert api.get(f"/v2/tasks/{task['task_id']}").json == task
        assert api.get(f"/v2/runs/{run_id}/tasks").json == {"tasks": [task], "total_size": 1}
        assert api.get("/v2/tasks", run_id=run_id).json == {"tasks": [task], "total_size": 1}
        assert api.get(f"/v2/runs/{run_id}", view="FULL").json["tasks"] == [task]
        (listed,) = api.get("/v2/runs", view="FULL").json["runs"]
        assert listed["tasks"] == [task]
        assert api.get("/v2/runs").json["runs"][0]["task_count"] == 1

    def test_the_engine_does_not_see_it(self, api: Any, run_id: str, task: Any) -> None:
        assert api.database.read_now(lambda c: tasks.executed(c, run_id)) == []
        done = {"state": "SUCCEEDED"}
        assert api.patch(f"/v2/tasks/{task['task_id']}", done).status == 200
        assert api.database.read_now(lambda c: tasks.find_cached(c, "f")) == []

    def test_the_same_place_is_the_same_task(self, api: Any, run_id: str, task: Any) -> None:
        body = {"name": "train", "type": "RUNTIME", "scope_path": "root.train"}
        assert api.post(f"/v2/runs/{run_id}/tasks", body).json["task_id"] == task["task_id"]
        body["type_attributes"] = {"iteration_index": "1"}
        other = api.post(f"/v2/runs/{run_id}/tasks", body).json
        assert other["task_id"] != task["task_id"]
        assert other["type_attributes"] == {"iteration_index": "1"}

    def test_changes_are_merged(self, api: Any, run_id: str, task: Any) -> None:
        path = f"/v2/runs/{run_id}/tasks/{task['task_id']}"
        pods = [{"name": "p", "uid": "u", "type": "DRIVER"}]
        inputs = {
            "parameters": [parameter("a", 1, "COMPONENT_INPUT"), parameter("n", None, "COMPONENT_INPUT")]
        }
        first = api.patch(path, {"inputs": inputs, "pods": pods}).json
        assert first["inputs"]["parameters"] == inputs["parameters"]
        assert first["pods"] == pods
        outputs = [
            parameter("o", 1, task_name="train"),
            parameter("o", 2, "ITERATOR_OUTPUT", task_name="t", iteration="0"),
        ]
        api.patch(path, {"outputs": {"parameters": outputs}})
        changed = api.patch(
            path,
            {
                "state": "FAILED",
                "status_metadata": {"message": "too hot", "custom_properties": {"k": [1]}},
                "outputs": {"parameters": [parameter("o", 5, task_name="train")]},
                "end_time": "2026-01-31T12:00:00Z",
            },
        ).json
        assert changed["outputs"]["parameters"] == [parameter("o", 5, task_name="train"), outputs[1]]
        assert changed["inputs"] == first["inputs"]
        assert changed["status_metadata"] == {"message": "too hot", "custom_properties": {"k": [1]}}
        assert changed["end_time"] == "2026-01-31T12:00:00Z"
        assert [entry["state"] for entry in changed["state_history"]] == ["RUNNING", "FAILED"]
        assert api.get(path).json == changed

    def test_many_are_changed_or_none(self, api: Any, run_id: str, task: Any) -> None:
        other = api.post(f"/v2/runs/{run_id}/tasks", {"name": "b"}).json
        path = f"/v2/runs/{run_id}/tasks:batchUpdate"
        wanted = {task["task_id"]: {"state": "SUCCEEDED"}, "nowhere": {"state": "FAILED"}}
        assert api.post(path, {"tasks": wanted}).status == 404
        assert api.get(f"/v2/tasks/{task['task_id']}").json["state"] == "RUNNING"
        wanted = {key: {"state": 2, "task_id": key} for key in (task["task_id"], other["task_id"])}
        changed = api.post(path, {"tasks": wanted}).json["tasks"]
        assert {key: shown["state"] for key, shown in changed.items()} == dict.fromkeys(wanted, "SUCCEEDED")
        assert all("end_time" in shown for shown in changed.values())

    def test_the_newest_success_is_found_by_its_fingerprint(self, api: Any, run_id: str, task: Any) -> None:
        asked = {"cache_fingerprint": "f", "namespace": "default"}
        assert api.post("/v2/tasks:findCached", asked).json == {}
        done = api.patch(f"/v2/tasks/{task['task_id']}", {"state": "SUCCEEDED"}).json
        assert api.post("/v2/tasks:findCached", asked).json == {"task": done}
        assert api.post("/v2/tasks:findCached", {}).status == 400

    @pytest.mark.parametrize(
        ("body", "status", "word"),
        [
            ({}, 400, "task.name"),
            ({"name": "x", "run_id": "other"}, 400, "run_id"),
            ({"name": "x", "parent_task_id": "nowhere"}, 404, "parent"),
            ({"name": "x", "state": "DANCING"}, 400, "state"),
            ({"name": "x", "colour": 1}, 400, "colour"),
            ({"name": "x", "type_attributes": {"iteration_index": 1 << 40}}, 400, "iteration_index"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Any, run_id: str, body: Any, status: int, word: str) -> None:
        answer = api.post(f"/v2/runs/{run_id}/tasks", body)
        assert answer.status == status
        assert word in answer.message

    def test_tasks_of_other_runs_are_kept_apart(self, api: Any, spec: Any, task: Any) -> None:
        other = api.post("/v2/runs", {"display_name": "r", "pipeline_spec": spec()}).json["run_id"]
        path = f"/v2/runs/{other}/tasks/{task['task_id']}"
        assert api.get(path).status == 400
        assert api.patch(path, {"state": "FAILED"}).status == 400
        body = {"name": "x", "parent_task_id": task["task_id"]}
        assert "same run" in api.post(f"/v2/runs/{other}/tasks", body).message

    def test_an_executed_task_is_amended_once_its_run_has_ended(self, api: Any, run_id: str) -> None:
        row = TaskRow(
            task_id="t",
            run_id=run_id,
            parent_task_id="",
            name="say",
            scope_path="root/say",
            display_name="say",
            type=TaskType.RUNTIME,
            state=RuntimeState.SUCCEEDED,
            created_at=NOW,
            attempts=[AttemptRow("pod", RuntimeState.SUCCEEDED)],
            outputs=OutputsRow({"o": 1}, {}),
        )
        api.write(lambda c: tasks.insert(c, [row]))
        note = {
            "status_metadata": {"custom_properties": {"note": "seen"}},
            "outputs": {"parameters": [parameter("more", 2)]},
        }
        assert "PENDING" in api.patch("/v2/tasks/t", note).message
        api.write(lambda c: runs.set_state(c, run_id, RuntimeState.SUCCEEDED, NOW))
        changed = api.patch("/v2/tasks/t", note).json
        assert changed["status_metadata"]["custom_properties"] == {"note": "seen"}
        assert changed["outputs"]["parameters"] == [parameter("o", 1, task_name="say"), parameter("more", 2)]
        assert changed["pods"] == [{"name": "pod", "type": "EXECUTOR"}]
        assert "state" in api.patch("/v2/tasks/t", {"state": "FAILED"}).message
        stored = api.database.read_now(lambda c: tasks.get(c, "t"))
        assert stored.outputs == row.outputs


class TestArtifacts:
    @pytest.fixture
    def wanted(self, run_id: str, task: Any) -> dict[str, Any]:
        artifact = {"name": "model", "type": "Model", "uri": "minio://b/model", "metadata": {"k": [1]}}
        return {"artifact": artifact, "run_id": run_id, "task_id": task["task_id"], "producer_key": "out"}

    def test_an_artifact_is_an_output_of_its_task(
        self, api: Any, run_id: str, task: Any, wanted: Any
    ) -> None:
        made = api.post("/v2/artifacts", wanted).json
        assert made == wanted["artifact"] | {
            "artifact_id": made["artifact_id"],
            "created_at": made["created_at"],
        }
        assert api.get(f"/v2/artifacts/{made['artifact_id']}").json == made
        assert api.get("/v2/artifacts").json["artifacts"] == [made]
        shown = api.get(f"/v2/tasks/{task['task_id']}").json["outputs"]["artifacts"]
        producer = {"task_name": "train"}
        assert shown == [{"artifacts": [made], "artifact_key": "out", "type": "OUTPUT", "producer": producer}]
        (link,) = api.get("/v2/artifact_tasks", run_ids=run_id).json["artifact_tasks"]
        assert link["artifact_id"] == made["artifact_id"]
        assert link["key"] == "out"

    def test_iterations_are_told_apart(self, api: Any, task: Any, wanted: Any) -> None:
        api.post("/v2/artifacts", wanted | {"iteration_index": "3"})
        (shown,) = api.get(f"/v2/tasks/{task['task_id']}").json["outputs"]["artifacts"]
        assert shown["type"] == "ITERATOR_OUTPUT"
        assert shown["producer"] == {"task_name": "train", "iteration": "3"}

    def test_one_that_is_there_may_be_used_again(self, api: Any, wanted: Any) -> None:
        again = wanted | {"reuse_if_exists": True}
        first = api.post("/v2/artifacts", again).json
        assert api.post("/v2/artifacts", again).json == first
        assert api.post("/v2/artifacts", wanted).json["artifact_id"] != first["artifact_id"]
        other = {**again, "artifact": wanted["artifact"] | {"metadata": {}}}
        assert api.post("/v2/artifacts", other).json["artifact_id"] != first["artifact_id"]
        assert api.get("/v2/artifact_tasks").json["total_size"] == 4

    def test_many_are_recorded_or_none(self, api: Any, wanted: Any) -> None:
        bad = wanted | {"task_id": "nowhere"}
        assert api.post("/v2/artifacts:batchCreate", {"artifacts": [wanted, bad]}).status == 404
        assert api.get("/v2/artifacts").json == {}
        made = api.post("/v2/artifacts:batchCreate", {"artifacts": [wanted, wanted]}).json["artifacts"]
        assert len({each["artifact_id"] for each in made}) == 2

    def test_links(self, api: Any, run_id: str, task: Any, wanted: Any) -> None:
        made = api.post("/v2/artifacts", wanted).json
        link = {
            "artifact_id": made["artifact_id"],
            "run_id": run_id,
            "task_id": task["task_id"],
            "type": "TASK_OUTPUT_INPUT",
            "producer": {"task_name": "train"},
            "key": "in",
        }
        one = api.post("/v2/artifact_tasks", {"artifact_task": link}).json
        assert one == link | {"id": one["id"]}
        two = api.post("/v2/artifact_tasks:batchCreate", {"artifact_tasks": [link | {"type": 5}]}).json
        assert two["artifact_tasks"][0]["type"] == "COLLECTED_INPUTS"
        shown = api.get(f"/v2/tasks/{task['task_id']}").json["inputs"]["artifacts"]
        assert {each["type"] for each in shown} == {"TASK_OUTPUT_INPUT", "COLLECTED_INPUTS"}
        for field in ("artifact_id", "task_id", "run_id", "key", "type", "producer"):
            rest = {key: value for key, value in link.items() if key != field}
            answer = api.post("/v2/artifact_tasks", {"artifact_task": rest})
            assert answer.status == 400
            assert field in answer.message

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"artifact": {"name": "m"}}, "artifact.type"),
            ({"artifact": {"type": "Model"}}, "artifact.name"),
            ({"artifact": {"name": "m", "type": "Metric"}}, "number_value"),
            ({"artifact": {"name": "m", "type": "ClassificationMetric"}}, "metadata"),
            ({"artifact": {"name": "m", "type": "Model", "artifact_id": "x"}}, "artifact_id"),
            ({"artifact": {"name": "m", "type": "Model", "uri": "x" * 5000}}, "artifact.uri"),
            ({"producer_key": ""}, "producer_key"),
            ({"task_id": ""}, "task_id"),
            ({"run_id": ""}, "run_id"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Any, wanted: Any, change: Any, word: str) -> None:
        answer = api.post("/v2/artifacts", wanted | change)
        assert answer.status == 400
        assert word in answer.message

    def test_runs_are_sorted_by_recorded_metrics(self, api: Any, spec: Any) -> None:
        for name, value in (("a", 2.5), ("b", 7), ("c", -1)):
            key = api.post("/v2/runs", {"display_name": name, "pipeline_spec": spec()}).json["run_id"]
            task = api.post(f"/v2/runs/{key}/tasks", {"name": "t"}).json["task_id"]
            artifact = {"name": "loss", "type": "Metric", "number_value": value}
            body = {"artifact": artifact, "run_id": key, "task_id": task, "producer_key": "metrics"}
            assert api.post("/v2/artifacts", body).status == 200
        found = api.get("/v2/runs", sort_by="metric:loss desc").json["runs"]
        assert [run["display_name"] for run in found] == ["b", "a", "c"]
        shown = api.get("/apis/v1beta1/runs", sort_by="metric:loss").json["runs"]
        assert [run["metrics"][0]["number_value"] for run in shown] == [-1, 2.5, 7]

    def test_a_recorded_file_is_read_by_its_key(self, api: Any, run_id: str, task: Any, wanted: Any) -> None:
        file = api.home / "artifacts" / "minio" / "b" / "model"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"weights")
        api.post("/v2/artifacts", wanted)
        read = api.get(f"/v2/runs/{run_id}/nodes/{task['task_id']}/artifacts/out:read")
        assert read.json == {"data": "d2VpZ2h0cw=="}
        download = api.get("/artifacts/minio/b/model")
        assert download.content == b"weights"
        assert download.headers["content-disposition"] == "attachment"
        assert "sandbox" in download.headers["content-security-policy"]

    def test_an_artifact_is_read_by_its_id(self, api: Any, wanted: Any) -> None:
        file = api.home / "artifacts" / "minio" / "b" / "model"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"weights")
        path = f"/v2/artifacts/{api.post('/v2/artifacts', wanted).json['artifact_id']}"
        assert api.get(f"{path}:files").json == {"kind": "FILE", "size": "7"}
        read = api.get(f"{path}:read")
        assert read.content == b"weights"
        assert read.headers["content-disposition"].startswith('attachment; filename="model"')
        assert "sandbox" in read.headers["content-security-policy"]
        assert api.get(f"{path}:read", peek=3).content == b"wei"
        file.unlink()
        assert api.get(f"{path}:read").status == api.get(f"{path}:files").status == 404

    def test_of_a_folder_any_file_is_read_and_nothing_beside_it(self, api: Any, wanted: Any) -> None:
        folder = api.home / "artifacts" / "minio" / "b" / "model"
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "a b.txt").write_bytes(b"inner")
        (folder / "top").write_bytes(b"1")
        (folder.parent / "beside").write_bytes(b"secret")
        (folder / "link").symlink_to(folder.parent / "beside")
        path = f"/v2/artifacts/{api.post('/v2/artifacts', wanted).json['artifact_id']}"
        listed = api.get(f"{path}:files").json
        assert listed["kind"] == "FOLDER"
        assert [(each["name"], each["kind"]) for each in listed["files"]] == [
            ("sub", "FOLDER"),
            ("link", "FILE"),
            ("top", "FILE"),
        ]
        assert api.call("GET", f"{path}:files", {"path": "sub"}).json["files"] == [
            {"name": "a b.txt", "kind": "FILE", "size": "5"}
        ]
        read = api.call("GET", f"{path}:read", {"path": "sub/a b.txt"})
        assert read.content == b"inner"
        for bad in (
            "../beside",
            "sub/../../beside",
            "link",
            "/etc/passwd",
            "sub\\x",
            "sub//a",
            "a\0b",
            "none",
        ):
            for what in ("read", "files"):
                answer = api.call("GET", f"{path}:{what}", {"path": bad})
                assert answer.status in (400, 404), bad
                assert b"secret" not in answer.content
        assert api.get(f"{path}:read").status == 400
