"""What becomes of a CronWorkflow, from its Workflows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sampan.components.pipelines.controller import cron
from sampan.kube.meta import Object

TICK = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def cron_workflow(status: dict[str, Any] | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": "nightly", "namespace": "default", "uid": "c"},
        "spec": {"workflowSpec": {"entrypoint": "main"}, **spec},
        "status": status or {},
    }


def workflow(uid: str, phase: str = "Running", finished: str = "") -> Object:
    labels = {"workflows.argoproj.io/completed": "true"} if finished else {}
    return {
        "metadata": {"name": f"nightly-{uid}", "namespace": "default", "uid": uid, "labels": labels},
        "status": {"phase": phase, "finishedAt": finished},
    }


def test_the_workflow_of_a_tick_has_one_name_for_ever() -> None:
    given = cron_workflow(workflowMetadata={"labels": {"a": "b"}, "annotations": {"c": "d"}})
    made = cron.desired(given, TICK, UTC)
    metadata = made["metadata"]
    assert metadata["name"] == f"nightly-{int(TICK.timestamp())}"
    assert metadata["labels"] == {"a": "b", "workflows.argoproj.io/cron-workflow": "nightly"}
    assert metadata["annotations"] == {
        "c": "d",
        "workflows.argoproj.io/scheduled-time": "2026-03-01T12:30:00Z",
    }
    assert metadata["ownerReferences"][0]["uid"] == "c"
    assert made["spec"] == {"entrypoint": "main"}
    made["spec"]["entrypoint"] = "other"
    assert given["spec"]["workflowSpec"] == {"entrypoint": "main"}


def test_ends_are_counted_while_they_are_listed_and_never_again() -> None:
    listed = {"active": [{"uid": "1"}, {"uid": "2"}, {"uid": "3"}, {"uid": "gone"}], "succeeded": 4}
    workflows = [workflow("1", "Succeeded", "x"), workflow("2", "Error", "x"), workflow("3")]
    observed = cron.observe(cron_workflow(listed), workflows)
    assert [each["uid"] for each in observed.active] == ["3"]
    assert (observed.status["succeeded"], observed.status["failed"]) == (5, 1)
    again = cron.observe(cron_workflow(observed.status), workflows)
    assert again.status == observed.status


def test_only_so_many_ended_workflows_are_kept() -> None:
    ended = [workflow(str(each), "Succeeded", f"2026-03-0{each}") for each in range(1, 6)]
    ended += [workflow("f1", "Failed", "2026-03-01"), workflow("f2", "Error", "2026-03-02"), workflow("r")]

    def gone(**spec: Any) -> list[str]:
        return [each["metadata"]["uid"] for each in cron.surplus(cron_workflow(**spec), ended)]

    assert gone() == ["1", "2", "f1"]
    assert gone(successfulJobsHistoryLimit=0, failedJobsHistoryLimit=2) == ["1", "2", "3", "4", "5"]


def test_a_complaint_is_said_once_and_taken_back() -> None:
    observed = cron.observe(cron_workflow(), [])
    observed.complain(cron.SPEC_ERROR, "bad")
    observed.complain(cron.SPEC_ERROR, "worse")
    assert observed.status["conditions"] == [{"type": "SpecError", "status": "True", "message": "worse"}]
    observed.complain(cron.SPEC_ERROR, "")
    assert observed.status["conditions"] == []


def test_what_was_made_and_not_written_down_is_listed_with_its_tick() -> None:
    made = workflow("1")
    made["metadata"]["annotations"] = {"workflows.argoproj.io/scheduled-time": "2026-03-01T14:30:00+02:00"}
    observed = cron.observe(cron_workflow({"lastScheduledTime": "2026-03-01T12:00:00Z"}), [made])
    assert [each["uid"] for each in observed.active] == ["1"]
    assert observed.status["lastScheduledTime"] == "2026-03-01T12:30:00Z"
