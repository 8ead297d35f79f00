"""Deployments, the pure parts: sizes of ReplicaSets, revisions, conditions, which pods go first."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.cluster.workloads.deployment import revisions
from sampan.cluster.workloads.deployment.plan import Situation, first_size, plan, wants_new
from sampan.cluster.workloads.deployment.spec import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    read_spec,
)
from sampan.cluster.workloads.deployment.status import News, look_again, status
from sampan.cluster.workloads.replicaset.ranking import deletion_cost, first_to_go
from sampan.kube import conditions, meta
from sampan.lib.clock import rfc3339

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "a"}]}}


def deployment(replicas: int = 10, surge: Any = 3, unavailable: Any = 2, **spec: Any) -> dict[str, Any]:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "team", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": TEMPLATE,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
            "progressDeadlineSeconds": 60,
            **spec,
        },
    }


def replica_set(
    name: str, size: int, available: int | None = None, image: str = "old", **sizes: int
) -> dict[str, Any]:
    template = deepcopy(TEMPLATE)
    template["metadata"]["labels"]["pod-template-hash"] = name
    template["spec"]["containers"][0]["image"] = image
    count = size if available is None else available
    keys = {"desired": DESIRED_REPLICAS, "most": MAX_REPLICAS, "revision": REVISION}
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": f"2026-01-01T00:00:0{sizes.pop('age', 0)}Z",
            "annotations": {keys[key]: str(value) for key, value in sizes.items()},
        },
        "spec": {"replicas": size, "template": template},
        "status": {"replicas": size, "readyReplicas": count, "availableReplicas": count},
    }


def situation(obj: dict[str, Any], *sets: dict[str, Any], pods: Any = ()) -> Situation:
    new, old = revisions.split(obj, sets)
    return Situation(obj, read_spec(obj), new, old, pods, NOW)


@pytest.mark.parametrize(
    ("surge", "unavailable", "expected"),
    [("25%", "25%", (3, 2)), (0, "1%", (0, 1)), ("0%", "0%", (0, 1)), (2, 20, (2, 10))],
)
def test_one_pod_at_least_may_move(surge, unavailable, expected):
    spec = read_spec(deployment(10, surge, unavailable))
    assert (spec.max_surge, spec.max_unavailable) == expected


def test_the_first_pods_of_a_rollout_fit_into_the_surge():
    before = situation(deployment(), replica_set("old", 10))
    assert wants_new(before)
    assert first_size(before) == 3


def test_old_pods_go_as_soon_as_they_may():
    # Ten are wanted, eight must be available: two old ones may go at once, though no new one is ready.
    begun = situation(deployment(), replica_set("old", 10), replica_set("new", 3, 0, "a"))
    assert plan(begun).sizes == {"new": 3, "old": 8}
    # The surge that has become free goes to the new set first.
    grown = situation(deployment(), replica_set("old", 8), replica_set("new", 3, 0, "a"))
    assert plan(grown).sizes == {"new": 5}


def test_unavailable_old_pods_go_first():
    stuck = situation(
        deployment(10, 3, 0), replica_set("bad", 3, 0), replica_set("good", 10), replica_set("new", 0, 0, "a")
    )
    assert plan(stuck).sizes == {"new": 0, "bad": 0, "good": 10}


def test_scaling_in_the_middle_of_a_rollout_is_shared():
    # The example of Kubernetes' documentation: of five more pods three go to the larger set, two to the smaller.
    sizes = {"desired": 10, "most": 13}
    sets = (replica_set("old", 8, **sizes), replica_set("new", 5, 0, "a", age=1, **sizes))
    assert plan(situation(deployment(15, 3, 2), *sets)).sizes == {"old": 11, "new": 7}
    assert plan(situation(deployment(0, 3, 2), *sets)).sizes == {"old": 0, "new": 0}


def test_recreate_ends_all_before_it_starts_any():
    recreate = {"strategy": {"type": "Recreate"}}
    going = situation(deployment(**recreate), replica_set("old", 10))
    assert not wants_new(going)
    assert plan(going).sizes == {"old": 0}
    owner = [{"kind": "ReplicaSet", "name": "old", "controller": True}]
    last = {"metadata": {"ownerReferences": owner}, "status": {"phase": "Running"}}
    gone = replica_set("old", 0)
    assert not wants_new(situation(deployment(**recreate), gone, pods=[last]))
    assert wants_new(situation(deployment(**recreate), gone))


def test_a_pause_keeps_the_template_and_follows_the_size():
    paused = situation(deployment(4, paused=True), replica_set("old", 3))
    assert not wants_new(paused)
    assert plan(paused).sizes == {"old": 4}


def test_the_same_template_is_the_same_whatever_is_empty():
    spec = read_spec(deployment())
    obj = deployment()
    obj["spec"]["template"] = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "creationTimestamp": None}}
    one, other = (revisions.desired(each, spec, [], 1) for each in (deployment(), obj))
    assert one["metadata"]["name"] == other["metadata"]["name"]
    assert revisions.split(obj, [one])[0] is one
    obj["status"] = {"collisionCount": 1}
    assert revisions.desired(obj, spec, [], 1)["metadata"]["name"] != one["metadata"]["name"]


def test_what_is_gone_back_to_becomes_the_newest_revision():
    obj = deployment()
    obj["metadata"]["annotations"] = {"kubernetes.io/change-cause": "back", REVISION: "7"}
    new, old = replica_set("new", 1, image="a", revision=2), [replica_set("old", 1, revision=7)]
    renewed = revisions.renewed_annotations(obj, new, old)
    assert (renewed[REVISION], renewed[REVISION_HISTORY]) == ("8", "2")
    assert renewed["kubernetes.io/change-cause"] == "back"


def test_progress_is_waited_for_and_then_missed():
    obj = deployment(1, 1, 0)
    obj["status"] = status(
        situation(obj, replica_set("new", 1, 0, "a")),
        resting=False,
        news=News("True", "NewReplicaSetCreated", ""),
    )
    waiting = situation(obj, replica_set("new", 1, 0, "a"))
    assert look_again(waiting, obj["status"]) == timedelta(seconds=61)
    late = Situation(
        waiting.deployment, waiting.spec, waiting.new, waiting.old, (), NOW + timedelta(seconds=61)
    )
    written = status(late, resting=False)
    found = conditions.find({"status": written}, "Progressing")
    assert (found["status"], found["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert written["unavailableReplicas"] == 1
    complete = situation({**obj, "status": written}, replica_set("new", 1, 1, "a"))
    found = conditions.find({"status": status(complete, resting=False)}, "Progressing")
    assert (found["status"], found["reason"]) == ("True", "NewReplicaSetAvailable")


def test_the_condition_that_changed_last_stands_last():
    obj = deployment(1, 1, 0)
    obj["status"] = status(
        situation(obj, replica_set("new", 1, 0, "a")),
        resting=False,
        news=News("True", "NewReplicaSetCreated", ""),
    )
    written = status(situation(obj, replica_set("new", 1, 1, "a")), resting=False)
    assert [(each["type"], each["reason"]) for each in written["conditions"]] == [
        ("Available", "MinimumReplicasAvailable"),
        ("Progressing", "NewReplicaSetAvailable"),
    ]


def pod(name: str, **fields: Any) -> dict[str, Any]:
    ready = [
        {"type": "Ready", "status": "True", "lastTransitionTime": fields.get("since", "2026-01-01T00:00:00Z")}
    ]
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": fields.get("created", "2026-01-01T00:00:00Z"),
            "annotations": {"controller.kubernetes.io/pod-deletion-cost": fields.get("cost", "0")},
        },
        "spec": {"nodeName": fields.get("node", "n")},
        "status": {
            "phase": fields.get("phase", "Running"),
            "conditions": ready if fields.get("ready", True) else [],
            "containerStatuses": [{"restartCount": fields.get("restarts", 0)}],
        },
    }


def test_pods_that_are_missed_least_go_first():
    found = [
        pod("keeper", cost="5"),
        pod("restarted", restarts=3),
        pod("young", created=rfc3339(NOW - timedelta(seconds=5)), since=rfc3339(NOW - timedelta(seconds=5))),
        pod("cheap", cost="-1"),
        pod("starting", ready=False),
        pod("pending", phase="Pending", ready=False),
        pod("homeless", node="", phase="Pending", ready=False),
    ]
    going = first_to_go(found, found, 6, NOW)
    assert [meta.name(each) for each in going] == [
        "homeless",
        "pending",
        "starting",
        "cheap",
        "young",
        "restarted",
    ]


def test_a_crowded_node_gives_first():
    found = [pod("a", node="x"), pod("b", node="y")]
    related = [*found, pod("c", node="y")]
    assert [meta.name(each) for each in first_to_go(found, related, 1, NOW)] == ["b"]


@pytest.mark.parametrize(("text", "cost"), [("-7", -7), ("+7", 0), ("07", 0), ("x", 0), (str(2**31), 0)])
def test_a_cost_is_a_number_of_32_bits(text, cost):
    assert deletion_cost(pod("a", cost=text)) == cost
