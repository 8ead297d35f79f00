"""Steps over all runs: the newest run's first, page by page, narrowed by name and state."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.store import executions, tasks
from sampan.components.pipelines.store.tasks import AttemptRow, TaskRow


def _row(run_id: str, number: int, **fields: Any) -> TaskRow:
    values: dict[str, Any] = {
        "task_id": f"{run_id[:8]}-{number}",
        "run_id": run_id,
        "parent_task_id": "",
        "name": f"step-{number}",
        "scope_path": f"root/step-{number}",
        "display_name": "",
        "type": TaskType.RUNTIME,
        "state": RuntimeState.SUCCEEDED,
        "created_at": 1_700_000_000_000_000 + number // 2,
    }
    return TaskRow(**(values | fields))


@pytest.fixture
def made(api: Any, spec: Any) -> list[str]:
    """Ids of three runs, the oldest first, of five tasks each."""
    ids = []
    for index in range(3):
        run_id = api.post("/v2/runs", {"display_name": f"run {index}", "pipeline_spec": spec()}).json[
            "run_id"
        ]
        failed = {"state": RuntimeState.FAILED, "error": "no luck"}
        rows = [
            _row(run_id, 0, type=TaskType.ROOT, name="root"),
            *(_row(run_id, number) for number in (1, 2, 3)),
            _row(run_id, 4, attempts=[AttemptRow("pod-4", RuntimeState.FAILED)], **failed),
        ]
        api.write(lambda connection, rows=rows: tasks.insert(connection, rows))
        ids.append(run_id)
    return ids


def _all(api: Any, **query: Any) -> list[str]:
    """Every page, as `run step`."""
    found, token = [], ""
    while True:
        answer = api.get("/v2/executions", page_token=token, **query).json
        found += [f"{each['run']} {each['name']}" for each in answer.get("executions", [])]
        token = answer.get("next_page_token", "")
        if not token:
            return found


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_pages_are_one_list_whatever_their_size(api: Any, made: list[str], size: int) -> None:
    wanted = [f"run {run} step-{step}" for run in (2, 1, 0) for step in (4, 3, 2, 1)]
    assert _all(api, page_size=size) == wanted


def test_what_failed_is_told_with_why_and_where(api: Any, made: list[str]) -> None:
    found = api.get("/v2/executions", state="FAILED,CANCELED").json["executions"]
    assert [each["run_id"] for each in found] == made[::-1]
    assert (found[0]["error"], found[0]["pod"], found[0]["attempts"]) == ("no luck", "pod-4", 1)


def test_a_search_is_in_names_and_takes_no_pattern(api: Any, made: list[str]) -> None:
    assert len(_all(api, search="STEP-3")) == 3
    assert _all(api, search="step%") == []


def test_what_holds_steps_together_comes_when_asked_for(api: Any, made: list[str]) -> None:
    assert "run 0 root" in _all(api, all_types="true")


def test_a_request_looks_at_so_many_runs_and_goes_on_in_the_next(
    api: Any, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions, "_MOST_RUNS", 1)
    monkeypatch.setattr(executions, "_RUNS_AT_ONCE", 1)
    first = api.get("/v2/executions", search="nothing").json
    assert "executions" not in first
    assert first["next_page_token"]
    assert len(_all(api, state="FAILED")) == 3


@pytest.mark.parametrize(
    "query", [{"state": "FINE"}, {"page_token": "W10="}, {"page_token": "bnVsbA=="}, {"page_token": "x"}]
)
def test_what_makes_no_sense_is_refused(api: Any, query: dict[str, str]) -> None:
    assert api.get("/v2/executions", **query).status == 400
