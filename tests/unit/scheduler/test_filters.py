"""Which pods fit which nodes, and the words for why not."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.cluster.scheduler.demand import Demand, demand_of, requests_of
from sampan.cluster.scheduler.filters import fits
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.selection import select
from sampan.cluster.scheduler.world import world_of


def node(name: str = "node", *, allocatable: dict[str, str] | None = None, **fields: Any) -> Node:
    made = Node(name)
    made.update(
        {
            "metadata": {"name": name, "labels": fields.pop("labels", {})},
            "spec": fields,
            "status": {"allocatable": allocatable or {"cpu": "4", "memory": "8Gi", "pods": "10"}},
        }
    )
    return made


def pod(requests: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "resources": {"requests": requests or {}}}]
    return {"metadata": {"name": "pod", "namespace": "team"}, "spec": {"containers": containers, **spec}}


def against(the_pod: dict[str, Any], the_node: Node) -> list[str]:
    return list(fits(demand_of(the_pod), the_node, world_of(the_node)).reasons)


def tenant(the_pod: dict[str, Any], uid: str = "uid") -> Tenant:
    demand = demand_of(the_pod)
    return Tenant(uid, demand.namespace, uid, demand)


def took(uid: str, **requests: int) -> Tenant:
    return Tenant(uid, "team", uid, Demand(requests))


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    required = {"nodeSelectorTerms": list(terms)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("requests", "reasons"),
    [
        ({}, []),
        ({"cpu": "4"}, []),
        ({"cpu": "4001m"}, ["Insufficient cpu"]),
        ({"memory": "8Gi"}, []),
        ({"memory": "8193Mi"}, ["Insufficient memory"]),
        ({"cpu": "5", "memory": "9Gi"}, ["Insufficient cpu", "Insufficient memory"]),
        ({"nvidia.com/gpu": "1"}, ["Insufficient nvidia.com/gpu"]),
        ({"nvidia.com/gpu": "0"}, []),
    ],
)
def test_requests_against_what_is_allocatable(requests, reasons):
    assert against(pod(requests), node()) == reasons


def test_what_others_take_is_gone_and_comes_back():
    it = node()
    it.add(took("a", cpu=3000))
    it.add(took("a", cpu=3000))
    assert against(pod({"cpu": "2"}), it) == ["Insufficient cpu"]
    assert it.remove("a")
    assert not it.remove("a")
    assert against(pod({"cpu": "2"}), it) == []


def test_a_node_takes_so_many_pods():
    it = node(allocatable={"pods": "1"})
    assert against(pod(), it) == []
    it.add(took("a"))
    assert against(pod(), it) == ["Too many pods"]


def test_requests_of_init_containers_and_sidecars():
    def container(cpu: str, **fields: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **fields}

    spec = {
        "containers": [container("1"), container("500m")],
        "initContainers": [container("2"), container("100m", restartPolicy="Always"), container("3")],
        "overhead": {"cpu": "10m"},
    }
    # The last init container runs beside the sidecar: 3.1, more than the 1.6 of all that runs later.
    assert requests_of(spec) == {"cpu": 3110}


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({"requests": {"cpu": "3"}}, {"cpu": 3000}),
        ({"requests": {"cpu": "500m", "memory": "1Mi"}}, {"cpu": 500, "memory": 2**20}),
        ({"limits": {"cpu": "3", "memory": "1Mi"}}, {"cpu": 1000, "memory": 2**20}),
        ({"requests": {"nvidia.com/gpu": "1"}}, {"cpu": 1000}),
    ],
)
def test_what_a_pod_asks_for_as_a_whole(resources, wanted):
    containers = [{"resources": {"requests": {"cpu": "1"}}}]
    assert requests_of({"containers": containers, "resources": resources}) == wanted


def test_wishes_choose_among_nodes_and_refuse_none():
    weights = [(1, "a"), (9, "b")]
    preferred = [
        {"weight": weight, "preference": {"matchExpressions": [expression("name", "In", name)]}}
        for weight, name in weights
    ]
    wish = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    busy = node("b", labels={"name": "b"})
    busy.add(took("x", cpu=2000))
    world = world_of(node("a", labels={"name": "a"}), busy)
    assert select(tenant(pod({"cpu": "1"}, affinity=wish)), world).name == "b"
    avoided = node("a", taints=[{"key": "k", "effect": "PreferNoSchedule"}])
    assert select(tenant(pod({"cpu": "1"})), world_of(avoided, busy)).name == "b"


def test_a_limit_stands_in_for_a_missing_request():
    assert requests_of({"containers": [{"resources": {"limits": {"cpu": "1"}}}]}) == {"cpu": 1000}


@pytest.mark.parametrize(
    ("tolerations", "fit"),
    [
        ([], False),
        ([{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}], True),
        ([{"key": "gpu", "value": "yes"}], True),
        ([{"key": "gpu", "value": "no"}], False),
        ([{"key": "gpu", "operator": "Exists"}], True),
        ([{"operator": "Exists"}], True),
        ([{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}], False),
        ([{"operator": "Equal", "value": "yes"}], False),
    ],
)
def test_taints_and_tolerations(tolerations, fit):
    tainted = node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    expected = [] if fit else ["node(s) had untolerated taint {gpu: yes}"]
    assert against(pod(tolerations=tolerations), tainted) == expected


def test_a_preference_keeps_nobody_away():
    assert against(pod(), node(taints=[{"key": "k", "effect": "PreferNoSchedule"}])) == []


def test_a_cordoned_node_takes_none_but_the_tolerant():
    cordoned = node(unschedulable=True)
    assert against(pod(), cordoned) == ["node(s) were unschedulable"]
    toleration = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
    assert against(pod(tolerations=[toleration]), cordoned) == []


LABELS = {"disk": "ssd", "size": "7"}


@pytest.mark.parametrize(
    ("spec", "fit"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, True),
        ({"nodeSelector": {"disk": "hdd"}}, False),
        ({"nodeSelector": {"disk": "ssd", "other": "x"}}, False),
        ({"affinity": affinity({"matchExpressions": [expression("disk", "In", "ssd", "nvme")]})}, True),
        ({"affinity": affinity({"matchExpressions": [expression("disk", "NotIn", "ssd")]})}, False),
        ({"affinity": affinity({"matchExpressions": [expression("missing", "NotIn", "x")]})}, True),
        ({"affinity": affinity({"matchExpressions": [expression("disk", "Exists")]})}, True),
        ({"affinity": affinity({"matchExpressions": [expression("disk", "DoesNotExist")]})}, False),
        ({"affinity": affinity({"matchExpressions": [expression("size", "Gt", "6")]})}, True),
        ({"affinity": affinity({"matchExpressions": [expression("size", "Lt", "7")]})}, False),
        ({"affinity": affinity({"matchExpressions": [expression("disk", "Gt", "6")]})}, False),
        ({"affinity": affinity({"matchExpressions": [expression("size", "Gt")]})}, False),
        ({"affinity": affinity({"matchFields": [expression("metadata.name", "In", "node")]})}, True),
        ({"affinity": affinity({})}, False),
        ({"affinity": affinity()}, False),
        (
            {
                "affinity": affinity(
                    {"matchExpressions": [expression("disk", "In", "hdd")]},
                    {"matchExpressions": [expression("disk", "In", "ssd")]},
                )
            },
            True,
        ),
    ],
)
def test_selectors_and_affinity(spec, fit):
    expected = [] if fit else ["node(s) didn't match Pod's node affinity/selector"]
    assert against(pod(**spec), node(labels=LABELS)) == expected


def test_the_emptier_node_is_chosen():
    busy, idle = node("a"), node("b")
    busy.add(took("x", cpu=2000))
    assert select(tenant(pod({"cpu": "1"})), world_of(busy, idle)) is idle
    assert select(tenant(pod({"cpu": "1"})), world_of(node("b"), node("a"))).name == "a"


def test_the_message_counts_reasons_over_nodes():
    nodes = [
        node("a"),
        node("b", unschedulable=True),
        node("c", taints=[{"key": "k", "effect": "NoSchedule"}]),
    ]
    nodes[0].add(took("x", cpu=4000))
    choice = select(tenant(pod({"cpu": "1"})), world_of(*nodes))
    assert choice.curable == ("a",)
    assert choice.headline == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {k: }, "
        "1 node(s) were unschedulable."
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": 5},
        {"containers": ["x"]},
        {"containers": [{"resources": {"requests": {"cpu": "lots"}}}]},
        {"tolerations": 7},
        {"affinity": "near"},
        {"volumes": [None]},
        {"priority": "high"},
    ],
)
def test_a_spec_that_cannot_be_read_raises_what_the_scheduler_catches(spec):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        demand_of({"metadata": {}, "spec": spec})
