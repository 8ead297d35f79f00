"""How conditions drive each other out (training-operator v1.9.0 pkg/util/status_test.go)."""

from __future__ import annotations

from typing import Any

from sampan.components.training.engine.jobs.conditions import Change, put, reword

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def after(*types: str) -> dict[str, Any]:
    status: dict[str, Any] = {}
    for type_ in types:
        put(status, "TFJob", Change(type_, type_, f"it is {type_}"), NOW)
    return status


def said(status: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["type"], each["status"]) for each in status["conditions"]]


def test_running_and_restarting_replace_each_other():
    status = after("Created", "Running", "Restarting")
    assert said(status) == [("Created", "True"), ("Restarting", "True")]
    put(status, "TFJob", Change("Running", "Running", ""), NOW)
    assert said(status) == [("Created", "True"), ("Running", "True")]


def test_running_is_false_at_the_end_and_says_since_when():
    status = after("Created", "Running")
    put(status, "TFJob", Change("Failed", "Failed", "lost"), LATER)
    assert said(status) == [("Created", "True"), ("Running", "False"), ("Failed", "True")]
    assert [each["lastTransitionTime"] for each in status["conditions"]] == [NOW, LATER, LATER]
    assert status["conditions"][-1]["reason"] == "TFJobFailed"


def test_nothing_changes_after_an_end():
    for end in ("Succeeded", "Failed"):
        status = after("Created", "Running", end)
        before = said(status)
        for type_ in ("Running", "Restarting", "Suspended", "Succeeded", "Failed"):
            assert not put(status, "TFJob", Change(type_, type_, "later"), LATER)
        assert not reword(status, "Created", "other words", LATER)
        assert said(status) == before


def test_the_same_again_is_no_change_and_keeps_its_place():
    status = after("Created", "Running")
    assert not put(status, "TFJob", Change("Created", "Created", "other words"), LATER)
    assert [each["message"] for each in status["conditions"]] == ["it is Created", "it is Running"]


def test_another_reason_keeps_the_time_of_the_transition():
    status = after("Suspended")
    put(status, "TFJob", Change("Suspended", "Elsewhere", ""), LATER)
    condition = status["conditions"][0]
    assert (condition["lastTransitionTime"], condition["lastUpdateTime"]) == (NOW, LATER)


def test_other_words_stay_where_they_are():
    status = after("Created", "Running")
    assert reword(status, "Created", "it waits", LATER)
    assert not reword(status, "Created", "it waits", LATER)
    assert [each["message"] for each in status["conditions"]] == ["it waits", "it is Running"]
