"""What a pod's containers do next."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.cluster.node import records
from sampan.cluster.node.decisions import decide, phase
from sampan.cluster.node.records import ContainerRecord, Running
from sampan.cluster.node.runtimes.protocol import Exit


def pod(main: int = 1, init: int = 0, sidecars: int = 0) -> dict[str, ContainerRecord]:
    spec: dict[str, Any] = {
        "initContainers": [{"name": f"side{i}", "restartPolicy": "Always"} for i in range(sidecars)]
        + [{"name": f"init{i}"} for i in range(init)],
        "containers": [{"name": f"main{i}"} for i in range(main)],
    }
    return records.records_of({"spec": spec})


def run(record: ContainerRecord) -> None:
    records.started(record, record.next_run, "2026-01-01T00:00:00Z", 0.0)
    record.is_ready = record.is_started = True


def end(record: ContainerRecord, code: int, now: float = 0.0) -> None:
    records.ended(record, Exit(code, "", "2026-01-01T00:00:00Z"), now)


def test_init_containers_come_first_and_one_by_one() -> None:
    pods = pod(main=2, init=2)
    assert decide("Never", pods, 0).start == ("init0",)
    run(pods["init0"])
    assert decide("Never", pods, 0).start == ()
    end(pods["init0"], 0)
    assert decide("Never", pods, 0).start == ("init1",)
    assert phase("Never", pods) == "Pending"
    run(pods["init1"])
    end(pods["init1"], 0)
    assert decide("Never", pods, 0).start == ("main0", "main1")


@pytest.mark.parametrize(("policy", "over"), [("Never", True), ("OnFailure", False), ("Always", False)])
def test_a_failing_init_container(policy: str, over: bool) -> None:
    pods = pod(init=1)
    run(pods["init0"])
    end(pods["init0"], 1)
    assert decide(policy, pods, 0).is_over is over
    assert phase(policy, pods) == ("Failed" if over else "Pending")


def test_a_sidecar_starts_before_and_is_stopped_after() -> None:
    pods = pod(sidecars=1)
    assert decide("Never", pods, 0).start == ("side0",)
    run(pods["side0"])
    assert decide("Never", pods, 0).start == ("main0",)
    run(pods["main0"])
    end(pods["main0"], 0)
    decision = decide("Never", pods, 0)
    assert decision.stop_sidecars
    assert not decision.is_over
    end(pods["side0"], 143)
    assert decide("Never", pods, 0).is_over
    assert phase("Never", pods) == "Succeeded"


def test_a_sidecar_that_ends_is_started_again() -> None:
    pods = pod(sidecars=1)
    run(pods["side0"])
    run(pods["main0"])
    end(pods["side0"], 0)
    assert decide("Never", pods, 0).start == ("side0",)


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "expected"),
    [
        ("Never", 0, False, "Succeeded"),
        ("Never", 1, False, "Failed"),
        ("OnFailure", 0, False, "Succeeded"),
        ("OnFailure", 1, True, "Running"),
        ("Always", 0, True, "Running"),
    ],
)
def test_restart_policies(policy: str, code: int, restarts: bool, expected: str) -> None:
    pods = pod()
    run(pods["main0"])
    end(pods["main0"], code)
    assert bool(decide(policy, pods, 0).start) is restarts
    assert phase(policy, pods) == expected


def test_the_pod_is_over_when_its_last_container_is() -> None:
    pods = pod(main=2)
    for record in pods.values():
        run(record)
    end(pods["main0"], 1)
    assert not decide("Never", pods, 0).is_over
    assert phase("Never", pods) == "Running"
    end(pods["main1"], 0)
    assert decide("Never", pods, 0).is_over
    assert phase("Never", pods) == "Failed"


def test_back_off_doubles_to_five_minutes_and_is_forgotten_after_ten() -> None:
    record = pod()["main0"]
    delays = []
    for _ in range(8):
        run(record)
        end(record, 1)
        delays.append(record.retry_at)
        records.crash_loops(record, "p")
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]
    assert isinstance(record.state, records.Waiting)
    assert record.state.message == "back-off 5m0s restarting failed container=main0 pod=p"
    run(record)
    end(record, 1, now=601.0)
    assert record.retry_at == 601.0


def test_who_backs_off_is_not_started() -> None:
    pods = pod()
    record = pods["main0"]
    run(record)
    end(record, 1)
    record.retry_at = 50.0
    decision = decide("Always", pods, 49.0)
    assert (decision.start, decision.again_at) == ((), 50.0)
    assert decide("Always", pods, 50.0).start == ("main0",)


def test_what_starts_or_runs_is_left_alone() -> None:
    pods = pod(main=2)
    pods["main0"].is_starting = True
    pods["main1"].state = Running("")
    assert decide("Always", pods, 0).start == ()
