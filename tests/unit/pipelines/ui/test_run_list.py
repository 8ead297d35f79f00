"""The list of runs: its address, the API's question, rows, saved views."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.components.pipelines.api.wire_filter import parse_filter
from sampan.components.pipelines.ui.run_list import bulk, query, rows, views
from sampan.components.pipelines.ui.run_list.query import RunQuery
from sampan.ui.table.acting import summary

NOW = datetime(2026, 3, 1, 12, 30, 45, tzinfo=UTC)
WANTED = RunQuery(
    text="churn",
    states=("FAILED", "PAUSED"),
    experiment="e1",
    pipeline="p1",
    version="v1",
    recurring="r1",
    span="24h",
    sort="metric:accuracy",
    descending=False,
    metrics=("accuracy", "loss"),
)


@pytest.mark.parametrize("wanted", [RunQuery(), WANTED, RunQuery(sort="name", descending=False)])
def test_an_address_says_all_of_what_is_wanted(wanted: RunQuery) -> None:
    kept = {key: value for key, value in query.to_address(wanted).items() if value}
    assert query.from_address(kept) == wanted


def test_a_plain_list_has_a_plain_address() -> None:
    assert not any(query.to_address(RunQuery()).values())


@pytest.mark.parametrize(
    "address", [{"sort": "secrets desc"}, {"sort": "metric:"}, {"state": "NONSENSE"}, {"since": "ever"}]
)
def test_what_makes_no_sense_is_left_out(address: dict[str, str]) -> None:
    assert query.from_address(address) == RunQuery()


def test_the_api_understands_the_question() -> None:
    asked = query.to_api(WANTED, "team", NOW)
    found = {predicate.key: predicate for predicate in parse_filter(asked["filter"])}

    assert found["storage_state"].value == "AVAILABLE"
    assert found["name"].value == "churn"
    assert found["state"].value == ("FAILED", "PAUSED")
    assert {found[key].value for key in ("experiment_id", "pipeline_id", "recurring_run_id")} == {
        "e1",
        "p1",
        "r1",
    }
    assert found["created_at"].is_time
    assert asked["sort_by"] == "metric:accuracy asc"
    assert asked["namespace"] == "team"
    # Two tabs that ask within a minute ask the same.
    assert query.to_api(WANTED, "team", NOW.replace(second=1)) == asked
    assert parse_filter(query.to_api(RunQuery(), "team", NOW, archived=True)["filter"])[0].value == "ARCHIVED"


def run(**fields: Any) -> dict[str, Any]:
    return {
        "run_id": "r1",
        "display_name": "nightly",
        "state": "SUCCEEDED",
        "created_at": "2026-03-01T12:00:00Z",
        "finished_at": "1970-01-01T00:00:00Z",
    } | fields


def href(path: str) -> str:
    return f"/ui{path}"


def test_a_failed_run_says_why_in_its_row() -> None:
    failed = run(
        state="FAILED",
        error={"code": 2, "message": "train: exit code 1; the end of its log:\nTraceback\nValueError: no"},
    )
    cells = rows.row(failed, href).cells

    assert cells["name"]["second"] == cells["state"]["title"] == "train: exit code 1: ValueError: no"
    assert [item["name"] for item in cells["actions"]["items"]] == ["retry", "clone"]


def test_a_run_under_way_says_how_far_it_is_and_can_be_stopped() -> None:
    cells = rows.row(run(state="RUNNING", progress={"SUCCEEDED": 2, "CACHED": 1, "RUNNING": 4}), href).cells

    assert cells["state"]["text"] == "Running 3/7"
    assert cells["duration"]["end"] == ""
    assert [item["name"] for item in cells["actions"]["items"]] == ["stop", "clone"]


def test_a_run_that_waits_says_for_what() -> None:
    waiting = run(state="RUNNING", waiting={"step": "train", "message": "Unschedulable: no room\nmore"})
    assert rows.row(waiting, href).cells["name"]["second"] == "train waits: Unschedulable: no room"
    assert rows.explanation(run(state="SUCCEEDED", error={"message": "of an earlier try"})) == ""


def test_a_row_leads_to_where_the_run_came_from() -> None:
    reference = {"pipeline_id": "p1", "pipeline_version_id": "v1"}
    origin = {
        "pipeline": "Churn",
        "pipeline_version": "Seven",
        "experiment": "Default",
        "trigger": "data",
        "trigger_id": "t1",
    }
    cells = rows.row(run(pipeline_version_reference=reference, origin=origin, experiment_id="e1"), href).cells

    assert cells["pipeline"]["href"] == "/ui/pipelines/p1/versions/v1"
    assert cells["pipeline"]["second"] == "Seven"
    assert cells["started_by"]["href"] == "/ui/triggers/t1"
    assert rows.row(run(origin={"pipeline": "inline"}), href).cells["pipeline"] == "inline"
    assert rows.row(run(pipeline_version_reference=reference), href).cells["pipeline"] == "Deleted"
    gone = run(recurring_run_id="s1", origin={})
    assert rows.row(gone, href).cells["started_by"] == "Recurring run"


def test_metrics_have_cells_where_they_are_wanted() -> None:
    cells = rows.row(
        run(metrics={"accuracy": 0.912345678, "loss": 0}), href, ("accuracy", "loss", "f1")
    ).cells

    assert cells["metric:accuracy"]["text"] == "0.912346"
    assert cells["metric:loss"]["text"] == "0"
    assert cells["metric:f1"]["text"] == ""


def test_views_are_kept_and_come_back() -> None:
    kept = views.Views().saved("Mine", {"state": "FAILED", "q": ""}).saved("all of it", {"q": "x"})
    kept = kept.beginning_with("Mine")
    back = views.from_json(json.loads(json.dumps(kept.to_json())))

    assert back == kept
    assert [view.name for view in back.views] == ["all of it", "Mine"]
    assert back.of_address({"state": "FAILED", "q": "", "sort": ""}) == "Mine"
    renamed = back.renamed("Mine", "Ours")
    assert renamed.chosen == "Ours"
    assert renamed.find("Mine") is None
    assert renamed.without("Ours").chosen == ""
    assert renamed.without("Ours").without("all of it").to_json() is None


@pytest.mark.parametrize("kept", [None, 3, "x", {"views": 4}, {"views": [1, {"name": "a"}, {"address": {}}]}])
def test_views_that_are_not_as_they_should_be_are_left_out(kept: Any) -> None:
    assert views.from_json(kept) == views.Views()


def test_what_is_lost_is_named_before_many_are_deleted() -> None:
    delete = next(action for action in bulk.ACTIONS if action.name == "delete")
    picked = [run(display_name=f"run {number}") for number in range(12)]

    told = bulk.RUNS.question(delete, picked)
    assert told[:7] == [f"run {number}" for number in range(7)]
    assert told[7] == "and 5 more"
    assert any("files" in line for line in told)
    assert summary("run|runs", "deleted", 7, 8) == "7 of 8 runs deleted."
    assert summary("run|runs", "deleted", 1, 1) == "1 run deleted."
