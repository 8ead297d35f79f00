"""StatefulSets, the pure parts: what is done next, and the owners of claims."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.cluster.workloads.statefulset.claims import owner_references
from sampan.cluster.workloads.statefulset.plan import Plan, Situation, plan
from sampan.cluster.workloads.statefulset.spec import read_spec
from sampan.cluster.workloads.statefulset.status import status
from sampan.kube import meta
from sampan.lib.clock import rfc3339

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def stateful_set(replicas: int = 3, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "db", "namespace": "team", "uid": "s", "generation": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {"replicas": replicas, **spec},
    }


def pod(
    ordinal: int, revision: str = "new", *, ready: bool = True, phase: str = "Running", ago: int = 60
) -> Any:
    name = f"db-{ordinal}"
    labels = {
        "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    since = rfc3339(NOW - timedelta(seconds=ago))
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}]
    return {
        "metadata": {"name": name, "uid": name, "labels": labels},
        "status": {"phase": phase, "conditions": conditions},
    }


def planned(obj: dict[str, Any], *found: Any) -> Plan:
    return plan(Situation(obj, read_spec(obj), found, "old", "new", NOW))


def names(pods: list[Any]) -> list[str]:
    return [meta.name(each) for each in pods]


def test_the_next_pod_waits_for_the_one_before():
    assert planned(stateful_set()).create == [0]
    assert planned(stateful_set(), pod(0, ready=False)).create == []
    assert planned(stateful_set(), pod(0)).create == [1]
    assert planned(stateful_set(podManagementPolicy="Parallel")).create == [0, 1, 2]


def test_a_pod_must_have_been_ready_for_long_enough():
    waiting = planned(stateful_set(minReadySeconds=60), pod(0, ago=20))
    assert (waiting.create, waiting.again) == ([], timedelta(seconds=40))


def test_pods_beyond_the_last_go_one_by_one_from_the_top():
    every = [pod(0), pod(1), pod(2)]
    assert names(planned(stateful_set(1), *every).condemned) == ["db-2"]
    # One that is not well is waited for, unless it is the first that is not.
    assert planned(stateful_set(1), pod(0), pod(1, ready=False), pod(2, ready=False)).condemned == []
    assert names(planned(stateful_set(1), pod(0), pod(1), pod(2, ready=False)).condemned) == ["db-2"]
    parallel = stateful_set(1, podManagementPolicy="Parallel")
    assert names(planned(parallel, *every).condemned) == ["db-2", "db-1"]


def test_an_update_goes_from_the_top_to_the_partition():
    old = [pod(0, "old"), pod(1, "old"), pod(2, "old")]
    assert names(planned(stateful_set(), *old).replace) == ["db-2"]
    assert names(planned(stateful_set(), *old[:2], pod(2)).replace) == ["db-1"]
    assert planned(stateful_set(), *old[:2], pod(2, ready=False)).replace == []
    partition = stateful_set(updateStrategy={"rollingUpdate": {"partition": 2}})
    assert planned(partition, *old[:2], pod(2)).replace == []
    assert planned(stateful_set(updateStrategy={"type": "OnDelete"}), *old).replace == []


def test_below_the_partition_a_lost_pod_comes_again_as_it_was():
    found = planned(stateful_set(updateStrategy={"rollingUpdate": {"partition": 1}}), pod(1, "old"))
    assert (found.create, found.old_revision) == ([0], {0})


def test_what_has_ended_is_replaced_before_anything_else():
    found = planned(stateful_set(), pod(0, phase="Failed"), pod(2, "old"))
    assert (names(found.recreate), found.create) == (["db-0"], [])


@pytest.mark.parametrize(("revisions", "current"), [(("new", "new"), "new"), (("old", "new"), "old")])
def test_the_set_is_at_the_new_revision_once_all_pods_are(revisions, current):
    obj = stateful_set(2)
    pods = [pod(ordinal, revision) for ordinal, revision in enumerate(revisions)]
    found = status(Situation(obj, read_spec(obj), pods, "old", "new", NOW), 0)
    assert (found["currentRevision"], found["updateRevision"]) == (current, "new")
    assert found["readyReplicas"] == found["availableReplicas"] == 2


@pytest.mark.parametrize(
    ("deleted", "scaled", "staying", "leaving"),
    [
        ("Retain", "Retain", [], []),
        ("Delete", "Retain", ["s"], ["s"]),
        ("Retain", "Delete", [], ["db-5"]),
        ("Delete", "Delete", ["s"], ["db-5"]),
    ],
)
def test_who_takes_a_claim_along(deleted, scaled, staying, leaving):
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    obj = stateful_set(2, persistentVolumeClaimRetentionPolicy=policy)
    other = {"kind": "Backup", "name": "b", "uid": "b"}
    for each, owners in ((pod(0), staying), (pod(5), leaving)):
        held = [other, {"kind": "StatefulSet", "uid": "s"}, {"kind": "Pod", "uid": meta.uid(each)}]
        found = owner_references(obj, read_spec(obj), each, held)
        assert [reference["uid"] for reference in found] == ["b", *owners]
