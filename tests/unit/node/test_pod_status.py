"""The status that the node writes."""

from __future__ import annotations

from typing import Any

from sampan.cluster.node import records
from sampan.cluster.node.runtimes.protocol import Exit
from sampan.cluster.node.status import PodState, Verdict, pod_status

NOW = "2026-01-01T00:00:10Z"
POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
    "spec": {"containers": [{"name": "main", "image": "busybox"}]},
    "status": {
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "mine", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ]
    },
}


def state() -> PodState:
    return PodState("Never", "2026-01-01T00:00:01Z", records.records_of(POD))


def condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in status["conditions"] if each["type"] == type_)
    return found


def test_a_pod_that_waits() -> None:
    status = pod_status(POD, state(), NOW)
    assert status["phase"] == "Pending"
    container = status["containerStatuses"][0]
    # What typed clients insist on.
    assert {"name", "image", "imageID", "ready", "restartCount"} <= set(container)
    assert container["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert condition(status, "Ready")["message"] == "containers with unready status: [main]"


def test_conditions_of_others_stay_and_times_change_only_with_the_status() -> None:
    status = pod_status(POD, state(), NOW)
    assert condition(status, "mine")["status"] == "True"
    assert condition(status, "PodScheduled")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert condition(status, "Ready")["lastTransitionTime"] == NOW


def test_a_pod_that_runs() -> None:
    pod_state = state()
    record = pod_state.records["main"]
    records.started(record, 0, "2026-01-01T00:00:02.123456789Z", 0)
    record.is_ready = record.is_started = True
    status = pod_status(POD, pod_state, NOW)
    assert status["phase"] == "Running"
    assert condition(status, "Ready")["status"] == "True"
    assert status["containerStatuses"][0]["containerID"] == "sampan://u/main/0"


def test_killed_for_memory() -> None:
    pod_state = state()
    record = pod_state.records["main"]
    records.started(record, 0, "2026-01-01T00:00:02Z", 0)
    records.ended(record, Exit(137, "2026-01-01T00:00:02.5Z", "2026-01-01T00:00:03.9Z", 9, oom=True), 0)
    status = pod_status(POD, pod_state, NOW)
    assert status["phase"] == "Failed"
    assert status["containerStatuses"][0]["state"]["terminated"] == {
        "exitCode": 137,
        "reason": "OOMKilled",
        "signal": 9,
        "startedAt": "2026-01-01T00:00:02Z",
        "finishedAt": "2026-01-01T00:00:03Z",
        "containerID": "sampan://u/main/0",
    }


def test_a_verdict_counts_when_all_has_ended() -> None:
    pod_state = state()
    record = pod_state.records["main"]
    records.started(record, 0, "2026-01-01T00:00:02Z", 0)
    pod_state.verdict = Verdict("DeadlineExceeded", "too long")
    assert pod_status(POD, pod_state, NOW)["phase"] == "Running"
    records.ended(record, Exit(0, "", "2026-01-01T00:00:03Z"), 0)
    status = pod_status(POD, pod_state, NOW)
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "DeadlineExceeded",
        "too long",
    )


def test_the_last_run_is_told_while_the_next_waits() -> None:
    pod_state = PodState("Always", "2026-01-01T00:00:01Z", records.records_of(POD))
    record = pod_state.records["main"]
    for _ in range(2):
        records.started(record, record.next_run, "2026-01-01T00:00:02Z", 0)
        records.ended(record, Exit(1, "", "2026-01-01T00:00:03Z"), 0)
        records.crash_loops(record, "p_ns(u)")
    container = pod_status(POD, pod_state, NOW)["containerStatuses"][0]
    assert container["restartCount"] == 1
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["containerID"] == "sampan://u/main/1"
