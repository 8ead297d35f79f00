"""Taints that evict, cordons, disruption budgets and the status of PodGroups, without an API."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.cluster.workloads.disruption.budget import status
from sampan.cluster.workloads.nodes.taints import stays_for, with_cordon
from sampan.cluster.workloads.podgroup.status import coscheduling, volcano

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = "2026-01-01T00:00:00Z"


def taint(key: str = "k", effect: str = "NoExecute") -> dict[str, str]:
    return {"key": key, "effect": effect}


def toleration(key: str = "k", seconds: int | None = None) -> dict[str, Any]:
    found = {"key": key, "operator": "Exists", "effect": "NoExecute"}
    return found if seconds is None else {**found, "tolerationSeconds": seconds}


@pytest.mark.parametrize(
    ("taints", "tolerations", "stays"),
    [
        ([], [], math.inf),
        ([taint(effect="NoSchedule")], [], math.inf),
        ([taint()], [], 0),
        ([taint()], [toleration("other")], 0),
        ([taint()], [toleration()], math.inf),
        ([taint()], [toleration(seconds=30)], 30),
        ([taint()], [toleration(seconds=-1)], 0),
        ([taint(), taint("l")], [toleration(seconds=30)], 0),
        ([taint(), taint("l")], [toleration(seconds=30), toleration("l", 20)], 20),
        ([taint()], [toleration(seconds=30), {"operator": "Exists"}], 30),
    ],
)
def test_how_long_a_pod_stays(taints, tolerations, stays):
    assert stays_for({"spec": {"tolerations": tolerations}}, {"spec": {"taints": taints}}) == stays


def test_a_cordon_is_a_taint():
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": TEXT}
    other = taint()
    assert with_cordon({"spec": {"unschedulable": True, "taints": [other]}}, TEXT) == [other, cordon]
    assert with_cordon({"spec": {"unschedulable": True, "taints": [cordon]}}, TEXT) is None
    assert with_cordon({"spec": {"taints": [cordon, other]}}, TEXT) == [other]
    assert with_cordon({"spec": {}}, TEXT) is None


def pod(name: str, phase: str = "Running", *, ready: bool = True, **metadata: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": str(ready)}
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"nodeName": "node"},
        "status": {"phase": phase, "conditions": [condition]},
    }


FOUR = [pod("a"), pod("b"), pod("c"), pod("d", ready=False)]


@pytest.mark.parametrize(
    ("spec", "scale", "healthy", "desired", "expected", "allowed"),
    [
        ({"minAvailable": 2}, 4, 3, 2, 4, 1),
        ({"minAvailable": 4}, 4, 3, 4, 4, 0),
        ({"minAvailable": "50%"}, 4, 3, 2, 4, 1),
        ({"minAvailable": "50%"}, 5, 3, 3, 5, 0),
        ({"maxUnavailable": 2}, 4, 3, 2, 4, 1),
        ({"maxUnavailable": "30%"}, 4, 3, 2, 4, 1),
        ({"maxUnavailable": 1}, 4, 3, 3, 4, 0),
        ({"maxUnavailable": 9}, 4, 3, 0, 4, 3),
        ({"minAvailable": 1}, None, 3, 1, 4, 2),
    ],
)
def test_a_budget(spec, scale, healthy, desired, expected, allowed):
    found = status({"metadata": {"generation": 3}, "spec": spec}, FOUR, scale, NOW).status
    counted = [
        found[key] for key in ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed")
    ]
    assert counted == [healthy, desired, expected, allowed]
    assert found["observedGeneration"] == 3
    (condition,) = found["conditions"]
    assert condition["status"] == str(allowed > 0)


def test_a_budget_counts_nobody_who_goes():
    leaving = pod("leaving", deletionTimestamp=TEXT)
    budget = {
        "spec": {"minAvailable": 1},
        "status": {"disruptedPods": {"a": "2025-12-31T23:59:00Z", "b": "2025-12-31T23:50:00Z", "gone": TEXT}},
    }
    judged = status(budget, [pod("a"), pod("b"), pod("over", "Succeeded"), leaving], None, NOW)
    assert (judged.status["currentHealthy"], judged.status["disruptionsAllowed"]) == (1, 0)
    assert judged.status["disruptedPods"] == {"a": "2025-12-31T23:59:00Z"}
    assert judged.again == timedelta(minutes=1)


def phases(*words: str) -> list[dict[str, Any]]:
    return [pod(f"p{n}", word) for n, word in enumerate(words)]


@pytest.mark.parametrize(
    ("members", "before", "phase"),
    [
        ((), "", "Pending"),
        (("Pending",), "Pending", "Pending"),
        (("Pending", "Pending"), "Pending", "Scheduling"),
        (("Running", "Pending"), "Scheduling", "Scheduling"),
        (("Running", "Running"), "Scheduling", "Running"),
        (("Running", "Succeeded"), "Running", "Running"),
        (("Succeeded", "Succeeded"), "Running", "Finished"),
        (("Running", "Failed"), "Running", "Failed"),
        (("Running", "Running"), "Finished", "Finished"),
    ],
)
def test_the_phase_of_a_coscheduling_group(members, before, phase):
    group = {"spec": {"minMember": 2}, "status": {"phase": before}}
    assert coscheduling(group, phases(*members), TEXT)["phase"] == phase


def test_the_counts_and_the_occupant():
    owner = {"kind": "Job", "name": "train", "controller": True}
    members = phases("Running", "Succeeded", "Failed")
    members[0]["metadata"] |= {"namespace": "team", "ownerReferences": [owner]}
    found = coscheduling({"spec": {"minMember": 3}}, members, TEXT)
    assert [found[key] for key in ("running", "succeeded", "failed")] == [1, 1, 1]
    assert found["occupiedBy"] == "team/train"


def test_volcano():
    group = {"spec": {"minMember": 2}}
    assert volcano(group, [], TEXT) == {"phase": "Pending"}
    waiting = phases("Pending", "Pending")
    for each in waiting:
        each["spec"] = {}
    found = volcano(group, waiting, TEXT)
    assert found["phase"] == "Inqueue"
    assert found["conditions"][0]["type"] == "Unschedulable"
    found = volcano({**group, "status": found}, phases("Running", "Pending"), TEXT)
    assert (found["phase"], found["running"]) == ("Running", 1)
    assert [each["type"] for each in found["conditions"]] == ["Scheduled"]
    found = volcano(group, phases("Succeeded", "Succeeded"), TEXT)
    assert (found["phase"], found["succeeded"]) == ("Completed", 2)
