"""What a trainer may tell of its progress. Cases by upstream's tests (kubeflow/trainer 2.3 pkg/statusserver)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.training.api.reports import PayloadError, read_report

TIME = "2025-01-23T10:30:45Z"


def body(**status: Any) -> bytes:
    return json.dumps({"trainerStatus": {"lastUpdatedTime": TIME, **status}}).encode()


def test_a_whole_report_is_kept() -> None:
    status = {
        "progressPercentage": 45,
        "estimatedRemainingSeconds": 7,
        "metrics": [{"name": "loss", "value": "0.5"}],
    }
    assert read_report(body(**status)) == {**status, "lastUpdatedTime": TIME}


@pytest.mark.parametrize("text", [b"{}", b'{"trainerStatus": null}', b'{"other": 1}'])
def test_without_a_status_there_is_nothing_to_keep(text: bytes) -> None:
    assert read_report(text) is None


def test_what_nobody_knows_is_dropped_and_times_are_whole_seconds_of_utc() -> None:
    found = read_report(body(more=1, metrics=[], lastUpdatedTime="2025-01-23T12:30:45.678+02:00"))
    assert found == {"lastUpdatedTime": TIME}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no json",
        b"[]",
        b"[" * 100_000,
        b'{"trainerStatus": 1}',
        body(progressPercentage="45"),
        body(progressPercentage=4.5),
        body(progressPercentage=True),
        body(progressPercentage=2**40),
        body(metrics={"loss": "1"}),
        body(metrics=[{"name": "loss", "value": 0.5}]),
        body(lastUpdatedTime="yesterday"),
        body(lastUpdatedTime="2025-01-23T10:30:45"),
    ],
)
def test_what_has_another_form_is_an_invalid_payload(text: bytes) -> None:
    with pytest.raises(PayloadError, match=r"^Invalid payload$"):
        read_report(text)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"progressPercentage": 101}, "progressPercentage in body should be less than or equal to 100"),
        ({"progressPercentage": -1}, "progressPercentage in body should be greater than or equal to 0"),
        ({"estimatedRemainingSeconds": -1}, "should be greater than or equal to 0"),
        ({"metrics": [{"name": "a", "value": "1"}] * 257}, "Too many: 257: must have at most 256 items"),
        ({"metrics": [{"name": "", "value": "1"}]}, r"metrics\[0\].name in body should be at least 1 chars"),
        ({"metrics": [{"name": "a", "value": "1" * 65}]}, r"metrics\[0\].value: Too long"),
        ({"lastUpdatedTime": None}, "lastUpdatedTime is required when trainerStatus is present"),
    ],
)
def test_what_is_out_of_range_is_named(status: dict[str, Any], words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        read_report(body(**status))
