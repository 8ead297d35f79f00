"""Artifacts: who wrote and uses them, what led to them and came of them, and what deleting one takes."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.states import ArtifactType, IOType, RuntimeState, TaskType
from sampan.components.pipelines.store import artifacts, garbage, runs, tasks
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow

NOW = 1_700_000_000_000_000


class World:
    """Two runs: `raw` is imported, `prepare` makes `data` of it, `train` a `model`; the second has `data` cached,
    and trains `model2`."""

    def __init__(self, api: Any, spec: Any) -> None:
        self.api = api
        self.runs = [
            api.post("/v2/runs", {"display_name": name, "pipeline_spec": spec()}).json["run_id"]
            for name in ("first", "second")
        ]
        first, second = self.runs
        self.end()
        rows = [
            self._task(first, "import", type=TaskType.IMPORTER),
            self._task(first, "prepare"),
            self._task(first, "train"),
            self._task(first, "dag", type=TaskType.DAG),
            self._task(second, "prepare", state=RuntimeState.CACHED),
            self._task(second, "train"),
        ]
        made = [
            self._artifact("raw", uri="hf://owner/raw", producer_run_id=""),
            self._artifact("data", producer_run_id=first, size_bytes=100, digest="ab" * 32, file_count=1),
            self._artifact("model", ArtifactType.Model, producer_run_id=first, metadata={"kind": "forest"}),
            self._artifact("model2", ArtifactType.Model, producer_run_id=second),
        ]
        read, wrote = IOType.TASK_OUTPUT_INPUT, IOType.OUTPUT
        linked = [
            (first, "import", "raw", wrote),
            (first, "prepare", "raw", read),
            (first, "prepare", "data", wrote),
            (first, "train", "data", read),
            (first, "train", "model", wrote),
            (first, "dag", "model", wrote),
            (second, "prepare", "data", wrote),
            (second, "train", "data", read),
            (second, "train", "model2", wrote),
        ]

        def insert(connection: Any) -> None:
            tasks.insert(connection, rows)
            artifacts.insert(connection, made)
            artifacts.link(
                connection,
                [
                    ArtifactLink(f"l{number}", name, run, f"{run}-{task}", how, name)
                    for number, (run, task, name, how) in enumerate(linked)
                ],
            )

        api.write(insert)

    def end(self, state: RuntimeState = RuntimeState.SUCCEEDED) -> None:
        for run in self.runs:
            self.api.write(lambda c, run=run: runs.set_state(c, run, state, NOW))

    def _task(self, run: str, name: str, **fields: Any) -> TaskRow:
        values: dict[str, Any] = {
            "task_id": f"{run}-{name}",
            "run_id": run,
            "parent_task_id": "",
            "name": name,
            "scope_path": f"root/{name}",
            "display_name": name,
            "type": TaskType.RUNTIME,
            "state": RuntimeState.SUCCEEDED,
            "created_at": NOW,
        }
        return TaskRow(**(values | fields))

    def _artifact(self, name: str, kind: ArtifactType = ArtifactType.Dataset, **fields: Any) -> ArtifactRow:
        uri = f"{self.api.home}/artifacts/default/p/{self.runs[0]}/x/{name}"
        values: dict[str, Any] = {"uri": uri, **fields}
        return ArtifactRow(name, "default", name, kind, values.pop("uri"), NOW, **values)


@pytest.fixture
def world(api: Any, spec: Any) -> World:
    return World(api, spec)


def _lineage(world: World, name: str, depth: int) -> tuple[set[str], set[str]]:
    found = world.api.get(f"/v2/artifacts/{name}/lineage", depth=depth).json
    names = dict(zip(world.runs, ("first", "second"), strict=True))
    tasks = {f"{names[each['run_id']]}/{each['name']}" for each in found["executions"]}
    return {each["artifact_id"] for each in found["artifacts"]}, tasks


def test_an_artifact_tells_who_wrote_it_and_who_uses_it(world: World) -> None:
    shown = world.api.get("/v2/artifacts/data", view="FULL").json
    assert (shown["produced_by"]["run"], shown["produced_by"]["name"]) == ("first", "prepare")
    assert (shown["size_bytes"], shown["file_count"], shown["digest"]) == (100, 1, "ab" * 32)
    assert [(each["run"], each["name"], each["how"]) for each in shown["used_by"]] == [
        *sorted(
            [("first", "train", "READ"), ("second", "prepare", "REUSED"), ("second", "train", "READ")],
            key=lambda each: world.runs[0 if each[0] == "first" else 1] + each[1],
        )
    ]
    assert "used_by" not in world.api.get("/v2/artifacts/data").json


def test_lineage_goes_both_ways_and_ends_at_the_cache(world: World) -> None:
    assert _lineage(world, "data", 1) == (
        {"raw", "data", "model", "model2"},
        {"first/prepare", "first/train", "second/prepare", "second/train"},
    )
    assert _lineage(world, "model", 1) == ({"model", "data"}, {"first/train"})
    assert _lineage(world, "model", 9) == (
        {"model", "data", "raw"},
        {"first/train", "first/prepare", "first/import"},
    )


def test_the_list_is_searched_in_names_addresses_and_metadata(world: World) -> None:
    def named(**query: Any) -> list[str]:
        found = world.api.get("/v2/artifacts", sort_by="name", **query).json
        return [each["name"] for each in found.get("artifacts", [])]

    assert named(search="forest") == ["model"]
    assert named(search="hf://") == ["raw"]
    assert named(search="MODEL") == ["model", "model2"]
    assert named(search="%") == []
    full = world.api.get("/v2/artifacts", view="FULL", search="model2").json["artifacts"][0]
    assert full["produced_by"]["run"] == "second"


def test_deleting_what_others_use_is_refused_and_can_be_forced(world: World) -> None:
    refused = world.api.delete("/v2/artifacts/data")
    assert (refused.status, "'second'" in refused.message) == (400, True)
    assert world.api.delete("/v2/artifacts/data", force="true").status == 200
    assert world.api.get("/v2/artifacts/data").status == 404
    assert world.api.get(f"/v2/runs/{world.runs[1]}", view="FULL").status == 200
    doomed = world.api.database.read_now(garbage.pending)
    assert [row.uri.rpartition("/")[2] for row in doomed] == ["data"]
    assert ("files", "") in world.api.engine.forgotten


def test_what_nobody_else_uses_goes_without_a_word(world: World) -> None:
    assert world.api.delete("/v2/artifacts/model").status == 200
    assert _lineage(world, "data", 3)[0] == {"raw", "data", "model2"}


def test_files_that_a_run_has_not_written_stay(world: World) -> None:
    assert world.api.delete("/v2/artifacts/raw", force="true").status == 200
    assert world.api.database.read_now(garbage.pending) == []


def test_a_run_that_goes_on_keeps_what_it_uses(world: World) -> None:
    world.end(RuntimeState.RUNNING)
    refused = world.api.delete("/v2/artifacts/model2", force="true")
    assert (refused.status, "have not ended" in refused.message) == (400, True)
    assert world.api.get("/v2/artifacts/model2").status == 200
