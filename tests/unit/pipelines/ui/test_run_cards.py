"""Runs on home, in the search and in the feed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.components.pipelines.api.wire_filter import parse_filter
from sampan.components.pipelines.ui import run_cards, run_search

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def run(**fields: Any) -> dict[str, Any]:
    return {
        "run_id": "0a1b2c3d-1",
        "display_name": "nightly",
        "state": "RUNNING",
        "created_at": "2026-03-01T12:00:00Z",
        "finished_at": "1970-01-01T00:00:00Z",
    } | fields


def test_the_question_is_one_that_the_api_understands() -> None:
    asked = run_cards.question("team", ("FAILED",), NOW)
    keys = [predicate.key for predicate in parse_filter(asked["filter"])]
    assert keys == ["storage_state", "state", "created_at"]
    assert run_cards.question("team", ("FAILED",), NOW.replace(minute=1)) == asked, "tabs ask alike"


@pytest.mark.parametrize(
    ("fields", "waits"),
    [
        ({"progress": {"RUNNING": 2}, "waiting": {"step": "a", "message": "x", "steps": 2}}, True),
        ({"progress": {"RUNNING": 2}, "waiting": {"step": "a", "message": "x", "steps": 1}}, False),
        ({"progress": {"RUNNING": 1, "SUCCEEDED": 4}}, False),
        ({}, False),
        ({"state": "PAUSED"}, True),
        ({"error": {"message": "the disk is full"}}, True),
    ],
)
def test_a_run_waits_when_nothing_of_it_runs(fields: dict[str, Any], waits: bool) -> None:
    assert run_cards.is_waiting(run(**fields)) is waits


def test_what_looks_like_an_id_is_looked_for_as_one_too() -> None:
    assert [each["key"] for each in run_search.predicates("0A1B2")] == ["run_id", "name"]
    assert [each["key"] for each in run_search.predicates("0a1")] == ["name"]
    assert [each["key"] for each in run_search.predicates("nightly")] == ["name"]


def test_a_hit_says_what_tells_it_from_others() -> None:
    hit = run_search.hit(run(origin={"pipeline": "churn"}))
    assert (hit.name, hit.detail, hit.path) == ("nightly", "Running · churn · 0a1b2c3d", "/runs/0a1b2c3d-1")


def test_a_run_begins_and_ends_in_the_feed() -> None:
    assert [each.text for each in run_search.activities(run())] == ["Run nightly started"]
    failed = run(state="FAILED", finished_at="2026-03-01T12:01:00Z", error={"message": "train: exit code 1"})
    told = run_search.activities(failed)
    assert told[1].text == "Run nightly failed: train: exit code 1"
    assert (told[1].tone, told[1].at) == ("bad", "2026-03-01T12:01:00Z")
    assert run_search.activities(run(state="CANCELED", finished_at="2026-03-01T12:01:00Z"))[1].text.endswith(
        "was stopped"
    )
