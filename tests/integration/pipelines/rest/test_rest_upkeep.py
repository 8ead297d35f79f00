"""Sampan's own paths for the cache, disk use and retention: what they answer, and what they refuse."""

from __future__ import annotations

import pytest

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.store import runs, tasks
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow

QUOTE = "x' OR '1'='1"


@pytest.fixture
def entry(api):
    def insert(connection):
        run = RunRow(
            "run-1", "e", "default", "a run", "{}", True, 1, state=RuntimeState.SUCCEEDED, pipeline_name="p"
        )
        runs.insert(connection, run)
        row = TaskRow(
            "task-1", "run-1", "", "make", "root/make", "make", TaskType.RUNTIME, RuntimeState.SUCCEEDED, 1
        )
        tasks.insert(connection, [row])
        connection.execute(
            tasks._TASKS.update().values(cache_fingerprint="f" * 64, finished_at=1_700_000_000_000_000)
        )

    api.write(insert)
    return "task-1"


def test_entries_are_listed_filtered_and_forgotten(api, entry):
    found = api.get("/v2/cache").json
    assert found["total_size"] == 1
    assert found["entries"][0]["task_id"] == entry
    assert found["entries"][0]["pipeline"] == "p"
    assert "last_hit_at" not in found["entries"][0]
    for query in ({"pipeline": QUOTE}, {"task": QUOTE}, {"older_than_seconds": 999_999_999}):
        assert "entries" not in api.get("/v2/cache", **query).json
        assert api.delete("/v2/cache", **query).json == {"removed": 0}
    assert api.get("/v2/cache", page_token=1).json == {"total_size": 1}
    for query in ({"page_token": "x"}, {"page_size": "1;"}, {"older_than_seconds": "1e9"}):
        assert api.get("/v2/cache", **query).status == 400
    assert api.delete(f"/v2/cache/{entry}").json == {"removed": 1}
    assert api.delete(f"/v2/cache/{entry}").status == 404
    assert api.delete("/v2/cache/none").status == 404
    assert api.delete("/v2/cache").json == {"removed": 0}


def test_usage(api, entry):
    for by in ("run", "experiment", "pipeline"):
        assert api.get("/v2/usage", by=by).json == {"size_bytes": 0, "items": []}
    (api.home / "artifacts").mkdir()
    (api.home / "artifacts" / "file").write_bytes(b"x" * 10)
    assert api.get("/v2/usage", disk="true").json["folders"] == {"artifacts": 10}
    refused = api.get("/v2/usage", by=QUOTE)
    assert refused.status == 400
    assert "by must be one of run, experiment, pipeline" in refused.json["message"]


def test_runs_are_pinned(api, entry):
    def pinned():
        return api.database.read_now(lambda connection: runs.get(connection, "run-1")).pinned

    assert api.post("/v2/runs/run-1:pin").status == 200
    assert pinned()
    assert api.post("/v2/runs/run-1:unpin").status == 200
    assert not pinned()
    assert api.post("/v2/runs/none:pin").status == 404
