"""Experiments: what is said of them, what is asked before something is lost, and how metrics went."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.ui.compare import model
from sampan.components.pipelines.ui.compare.model import ComparedRun
from sampan.components.pipelines.ui.experiments import history, rows

FOUND: dict[str, Any] = {
    "experiment_id": "e",
    "display_name": "rates",
    "created_at": "2026-01-01T00:00:00Z",
    "last_run_created_at": "1970-01-01T00:00:00Z",
    "run_count": 3,
    "run_states": {"SUCCEEDED": 1, "RUNNING": 2},
    "archived_run_count": 4,
    "recurring_run_count": 2,
    "enabled_recurring_run_count": 1,
    "trigger_count": 1,
    "last_runs": [{"run_id": "r", "display_name": "first", "state": "FAILED"}],
}


def test_a_row() -> None:
    cells = rows.experiment({**FOUND, "description": "why\nand how"}, lambda path: f"/ui{path}").cells
    assert (cells["name"]["href"], cells["name"]["second"]) == ("/ui/experiments/e", "why")
    assert cells["last"]["items"] == [
        {"tone": "bad", "icon": "", "title": "first: Failed", "href": "/ui/runs/r"}
    ]
    assert cells["recurring"] == "1 of 2 on"
    assert cells["latest"]["at"] == ""


def test_what_can_be_done() -> None:
    assert [name for name, _, _ in rows.actions(FOUND)] == ["run", "edit", "archive"]
    assert [name for name, _, _ in rows.actions({**FOUND, "storage_state": "ARCHIVED"})] == [
        "unarchive",
        "delete",
    ]


def test_how_its_runs_stand_begins_with_what_runs() -> None:
    assert [text for text, _, _ in rows.summary(FOUND)] == ["2 running", "1 succeeded"]
    assert rows.summary({}) == []


def test_archiving_names_what_is_lost() -> None:
    assert rows.lost_by_archiving(FOUND, ["nightly", "weekly"]) == [
        "All 3 of its runs are archived too: first and 2 more",
        "2 of them are not over yet: what runs goes on, out of sight",
        "Its 2 recurring runs are switched off: nightly, weekly",
        "Its trigger is switched off",
        "Unarchiving it brings back the experiment alone: runs are unarchived one by one",
    ]
    assert len(rows.lost_by_archiving({"display_name": "x"}, [])) == 1


def test_deleting_says_that_runs_stay() -> None:
    assert rows.lost_by_deleting(FOUND, ["nightly"]) == [
        "The experiment rates and its description",
        "Its 7 runs stay, in no experiment",
        "Its recurring run can start no more runs: nightly",
    ]


def test_the_filter_of_a_list() -> None:
    assert len(json.loads(rows.filter_of(" ", archived=False))["predicates"]) == 1
    assert json.loads(rows.filter_of("a", archived=True))["predicates"][0]["string_value"] == "ARCHIVED"


def _runs(*values: float | None) -> list[ComparedRun]:
    """The newest first, as lists of the API are."""
    answers = [
        {
            "run_id": str(index),
            "display_name": f"run {index}",
            "created_at": f"2026-01-0{index + 1}T00:00:00Z",
            "parameters": {"lr": index},
            "metrics": {} if value is None else {"m": value},
        }
        for index, value in enumerate(values)
    ]
    return model.read({"runs": answers}, [str(index) for index in reversed(range(len(values)))])


def test_the_best_so_far() -> None:
    runs = _runs(2, 1, None, 5, float("nan"), 4)
    drawn = history.figure(runs, "m", lower=False)
    values, best = drawn.options["series"]
    assert [each["value"][1] for each in values["data"]] == [2, 1, 5, 4]
    assert [each["value"][1] for each in best["data"]] == [2, 2, 5, 5]
    assert drawn.table.rows[0] == ["run 0", "2026-01-01T00:00:00Z", "2"]
    lowest = history.figure(runs, "m", lower=True).options["series"][1]["data"]
    assert [each["value"][1] for each in lowest] == [2, 1, 1, 1]


@pytest.mark.parametrize(("values", "lower", "best"), [((1, 3, 3), False, "1"), ((1, 3, 1), True, "0")])
def test_of_equals_the_first_is_best(values: tuple[float, ...], lower: bool, best: str) -> None:
    found = history.best(_runs(*values), "m", lower=lower)
    assert found is not None
    assert found.id == best


def test_nothing_to_draw() -> None:
    assert history.best(_runs(None), "m", lower=True) is None
    assert history.coordinates(_runs(1.0)) is None
    assert history.coordinates(_runs(1.0, 2.0)) is not None
