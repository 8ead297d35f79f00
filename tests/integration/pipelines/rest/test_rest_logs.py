"""Logs that outlive their pods, and the search in them, through the REST API."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.rest import log_search
from sampan.components.pipelines.store import tasks
from sampan.components.pipelines.store.tasks import AttemptRow, TaskRow

NOW = 1_700_000_000_000_000
SEARCH = "/v2/logs:search"


def log(api: Any, uid: str, *lines: str) -> None:
    file = api.home / "logs" / "default" / uid / "main.0.log"
    file.parent.mkdir(parents=True)
    file.write_text(
        "".join(
            f"2026-01-31T12:00:{second:02d}.000000000Z stdout F {line}\n" for second, line in enumerate(lines)
        )
    )


@pytest.fixture
def runs(api: Any, spec: Any) -> list[str]:
    """Two runs; in each `train` was tried twice in the second iteration of a loop. Their pods are gone."""
    made = []
    for number in range(2):
        run_id = api.post("/v2/runs", {"display_name": f"run-{number}", "pipeline_spec": spec()}).json[
            "run_id"
        ]
        attempts = [
            AttemptRow(
                f"pod-{number}-{attempt}", RuntimeState.FAILED, f"uid-{number}-{attempt}", 1, finished_at=NOW
            )
            for attempt in (1, 2)
        ]
        row = TaskRow(
            f"task-{number}", run_id, "", "train", "root/loop/1/train", "train", TaskType.RUNTIME,
            RuntimeState.FAILED, NOW, attempts=attempts,
        )  # fmt: skip
        api.write(lambda connection, row=row: tasks.insert(connection, [row]))
        log(api, f"uid-{number}-1", f"first of run {number}", "loss 0.5")
        log(api, f"uid-{number}-2", f"second of run {number}", "loss 0.25", "out of memory")
        made.append(run_id)
    return made


def test_a_log_is_there_without_its_pod(api: Any, runs: list[str]) -> None:
    path = f"/apis/v1alpha1/runs/{runs[1]}/nodes/train/log"
    assert api.get(path).content == b"second of run 1\nloss 0.25\nout of memory\n"
    assert api.get(path, attempt=1, follow="true").content == b"first of run 1\nloss 0.5\n"
    assert api.get(path, tail_lines=1).content == b"out of memory\n"
    assert api.get(path, tail_lines=0).content == b""
    assert api.get(path, since_time="2026-01-31T12:00:01Z").content == b"loss 0.25\nout of memory\n"
    shown = api.get(path, timestamps="true", tail_lines=1).content
    assert shown == b"2026-01-31T12:00:02.000000000Z out of memory\n"
    assert "tail_lines" in api.get(path, tail_lines=-1).message
    assert "since_time" in api.get(path, since_time="yesterday").message


def test_lines_are_found_in_the_newest_run_first(api: Any, runs: list[str]) -> None:
    found = api.get(SEARCH, text="loss").json["matches"]
    assert [(each["run_name"], each["attempt"], each["line_number"], each["text"]) for each in found] == [
        ("run-1", 1, 2, "loss 0.5"),
        ("run-1", 2, 2, "loss 0.25"),
        ("run-0", 1, 2, "loss 0.5"),
        ("run-0", 2, 2, "loss 0.25"),
    ]
    assert found[0] | {"run_id": runs[1], "task_id": "task-1", "step": "train"} == found[0]
    assert (found[0]["path"], found[0]["time"]) == ("root/loop/1/train", "2026-01-31T12:00:01.000000000Z")
    narrow = api.get(
        SEARCH, text="loss", run_id=runs[0], regex="true", since_time="2026-01-31T12:00:01Z"
    ).json
    assert {each["run_id"] for each in narrow["matches"]} == {runs[0]}
    assert api.get(SEARCH, text="loss", step="other").json["matches"] == []
    assert api.get(SEARCH, text="loss", pipeline_id="other").json["matches"] == []


@pytest.mark.parametrize("seconds", [log_search.SECONDS, -1.0])
def test_a_search_goes_on_page_by_page(api: Any, runs: list[str], seconds: float, monkeypatch: Any) -> None:
    # With no time at all, a request still comes further: no search turns on the spot.
    monkeypatch.setattr(log_search, "SECONDS", seconds)
    everything, token, pages = [], "", 0
    while pages < 60:
        page = api.get(SEARCH, text="o", page_size=2, page_token=token).json
        everything += [(each["run_name"], each["attempt"], each["line_number"]) for each in page["matches"]]
        pages += 1
        if not (token := page.get("next_page_token", "")):
            break
    expected = [
        (run, attempt, line)
        for run in ("run-1", "run-0")
        for attempt in (1, 2)
        for line in range(1, attempt + 2)
    ]
    assert everything == expected
    assert pages < 60


@pytest.mark.parametrize(
    "token", ["x", "W10=", "WzEsInIiLCJ0IiwxLC0xLDBd", "WzEsInIiLCJ0Iix0cnVlLDEsMF0=", "WzEsIiIsIiIsMSwwLDBd"]
)
def test_a_token_of_somebody_elses_making_is_refused(api: Any, token: str) -> None:
    answer = api.get(SEARCH, text="x", page_token=token)
    assert answer.status == 400
    assert "page_token" in answer.message


def test_a_deleted_run_takes_its_logs_along(api: Any, runs: list[str]) -> None:
    assert api.delete(f"/v2/runs/{runs[0]}").status == 200
    left = sorted(path.name for path in (api.home / "logs" / "default").iterdir())
    assert left == ["uid-1-1", "uid-1-2"]
