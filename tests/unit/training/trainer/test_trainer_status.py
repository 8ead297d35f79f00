"""What a TrainJob says of itself. Cases by upstream's tests (kubeflow/trainer 2.3 pkg/controller)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.components.training.engine.trainer.status import REFUSED, Trouble, is_finished, judge

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = "2026-01-01T12:00:00Z"
EARLIER = "2026-01-01T11:59:00Z"


def train_job(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "j", "creationTimestamp": EARLIER}, "spec": spec, "status": status or {}}


def job_set(*conditions: tuple[str, str], jobs: Any = ()) -> dict[str, Any]:
    listed = [
        {"type": kind, "status": status, "reason": "Because", "message": "so", "lastTransitionTime": EARLIER}
        for kind, status in conditions
    ]
    return {"status": {"conditions": listed, "replicatedJobsStatus": list(jobs)}}


def condition(
    kind: str, status: str = "True", reason: str = "", time: str = LATER, message: str = "m"
) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason or kind,
        "message": message,
        "lastTransitionTime": time,
    }


def test_a_job_that_runs_has_no_condition_but_counts_of_its_jobs() -> None:
    found = judge(
        train_job(),
        job_set(("StartupPolicyCompleted", "True"), jobs=[{"name": "node", "active": 1}]),
        None,
        NOW,
    )
    counts = {"ready": 0, "succeeded": 0, "failed": 0, "active": 1, "suspended": 0}
    assert found.status == {"jobsStatus": [{"name": "node", **counts}]}
    assert found.look_again is None


@pytest.mark.parametrize(("theirs", "ours"), [("Completed", "Complete"), ("Failed", "Failed")])
def test_the_ends_are_the_job_sets(theirs: str, ours: str) -> None:
    found = judge(train_job(), job_set((theirs, "True")), None, NOW)
    assert found.status["conditions"] == [condition(ours, reason="Because", time=EARLIER, message="so")]
    assert found.news == [(ours, "so")]


def test_suspension_comes_and_goes() -> None:
    suspended = judge(train_job(suspend=True), None, None, NOW).status
    assert suspended["conditions"] == [condition("Suspended", message="TrainJob is suspended")]
    resumed = judge(train_job(suspended, suspend=False), None, None, NOW + timedelta(seconds=5)).status
    assert resumed["conditions"] == [
        condition("Suspended", "False", "Resumed", "2026-01-01T12:00:05Z", "TrainJob is resumed")
    ]
    assert judge(train_job(resumed, suspend=False), None, None, NOW + timedelta(seconds=9)).status == resumed


def test_what_keeps_it_from_starting_is_a_condition_until_it_starts() -> None:
    stuck = judge(train_job(), None, Trouble("quota"), NOW).status
    assert stuck["conditions"] == [
        condition("Created", "False", "TrainJobResourcesCreationFailed", message="quota")
    ]
    assert judge(train_job(stuck), job_set(), None, NOW).status == {}


@pytest.mark.parametrize("is_final", [False, True])
def test_trouble_that_lasts_changes_nothing(is_final: bool) -> None:
    trouble = Trouble("bad", REFUSED, is_final=is_final)
    first = judge(train_job(), None, trouble, NOW).status
    assert judge(train_job(first), None, trouble, NOW + timedelta(hours=1)).status == first


def test_a_failure_that_can_be_mended_is_not_the_end() -> None:
    refused = judge(train_job(), None, Trouble("bad", "TrainJobInvalid", is_final=True), NOW).status
    job = train_job(refused)
    assert refused["conditions"] == [condition("Failed", reason="TrainJobInvalid", message="bad")]
    assert not is_finished(job)
    assert judge(job, job_set(), None, NOW).status == {}


def test_a_job_that_has_failed_stays_so_when_its_job_set_is_gone() -> None:
    job = train_job(judge(train_job(), job_set(("Failed", "True")), None, NOW).status)
    assert is_finished(job)
    assert judge(job, None, None, NOW).status == job["status"]


def test_a_deadline_counts_from_the_start_and_from_each_resumption() -> None:
    due = judge(train_job(activeDeadlineSeconds=90), job_set(), None, NOW)
    assert (due.look_again, due.is_late) == (timedelta(seconds=30), False)
    late = judge(train_job(activeDeadlineSeconds=60), job_set(), None, NOW)
    assert late.is_late
    assert late.status["conditions"] == [
        condition("Failed", reason="DeadlineExceeded", message="TrainJob exceeded its active deadline")
    ]
    resumed = train_job(
        {"conditions": [condition("Suspended", "False", "Resumed")]}, activeDeadlineSeconds=60
    )
    assert judge(resumed, job_set(), None, NOW).look_again == timedelta(seconds=60)


@pytest.mark.parametrize("spec", [{"suspend": True}, {}])
def test_a_deadline_does_not_concern_what_is_suspended_or_over(spec: dict[str, Any]) -> None:
    end = () if spec else (("Completed", "True"),)
    found = judge(train_job(activeDeadlineSeconds=1, **spec), job_set(*end), None, NOW)
    assert not found.is_late
    assert found.look_again is None


def test_what_the_trainer_reported_stays() -> None:
    reported = {"trainerStatus": {"progressPercentage": 5}}
    assert judge(train_job(reported), job_set(("Completed", "True")), None, NOW).status["trainerStatus"] == {
        "progressPercentage": 5
    }
