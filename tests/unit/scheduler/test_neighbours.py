"""Pod affinity, anti-affinity, topology spread, host ports: what pods ask of their neighbours."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.scheduler.builders import node, pod

from sampan.cluster.scheduler import affinity
from sampan.cluster.scheduler.filters import fits
from sampan.cluster.scheduler.node import Node
from sampan.cluster.scheduler.world import World, world_of

ZONE, HOST = "zone", "kubernetes.io/hostname"


def near(app: str, key: str = HOST, kind: str = "podAffinity", **fields: Any) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **fields}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def apart(app: str, key: str = HOST, **fields: Any) -> dict[str, Any]:
    return near(app, key, "podAntiAffinity", **fields)


def place(name: str, zone: str, *tenants) -> Node:
    made = node(name, {ZONE: zone, HOST: name})
    for tenant in tenants:
        made.add(tenant)
    return made


def reasons(tenant, it: Node, world: World) -> list[str]:
    return list(fits(tenant.demand, it, world).reasons)


def test_near():
    web = pod("web", labels={"app": "web"})
    a, b, c = place("a", "1", web), place("b", "1"), place("c", "2")
    world = world_of(a, b, c)
    assert [reasons(pod(**near("web")), it, world) for it in (a, b)] == [[], [affinity.AFFINITY]]
    assert [reasons(pod(**near("web", ZONE)), it, world) for it in (b, c)] == [[], [affinity.AFFINITY]]
    assert reasons(pod(**near("web", "rack")), a, world) == [affinity.AFFINITY]
    assert reasons(pod(namespace="other", **near("web")), a, world) == [affinity.AFFINITY]
    assert reasons(pod(namespace="other", **near("web", namespaces=["team"])), a, world) == []


def test_the_first_of_a_group_that_wants_to_be_together_may_start():
    a = place("a", "1")
    assert reasons(pod(labels={"app": "web"}, **near("web")), a, world_of(a)) == []
    assert reasons(pod(labels={"app": "db"}, **near("web")), a, world_of(a)) == [affinity.AFFINITY]


def test_apart_in_both_directions():
    lonely = pod("lonely", labels={"app": "db"}, **apart("web", ZONE))
    a, b, c = place("a", "1", lonely), place("b", "1"), place("c", "2")
    world = world_of(a, b, c)
    web = pod("web", labels={"app": "web"})
    assert reasons(web, b, world) == [affinity.OTHERS_ANTI_AFFINITY]
    assert reasons(web, c, world) == []
    assert reasons(pod("db2", labels={"app": "db"}), a, world) == []
    c.add(web)
    assert reasons(pod("lonely2", **apart("web", ZONE)), c, world) == [affinity.ANTI_AFFINITY]
    a.remove("lonely")
    assert reasons(web, b, world) == []


def test_namespaces_by_their_labels():
    a = place("a", "1", pod("web", labels={"app": "web"}, namespace="prod"))
    world = World({"a": a}, {"prod": {"stage": "prod"}, "team": {}})
    selector = {"matchLabels": {"stage": "prod"}}
    assert reasons(pod(**near("web", namespaceSelector=selector)), a, world) == []
    assert reasons(pod(**near("web", namespaceSelector={})), a, world) == []
    assert reasons(pod(**near("web")), a, world) == [affinity.AFFINITY]


def test_match_label_keys():
    a = place("a", "1", pod("old", labels={"app": "web", "rev": "1"}))
    kept = apart("web", matchLabelKeys=["rev"])
    assert reasons(pod(labels={"app": "web", "rev": "2"}, **kept), a, world_of(a)) == []
    assert reasons(pod(labels={"app": "web", "rev": "1"}, **kept), a, world_of(a)) == [affinity.ANTI_AFFINITY]
    others = apart("web", mismatchLabelKeys=["rev"])
    assert reasons(pod(labels={"app": "web", "rev": "2"}, **others), a, world_of(a)) == [
        affinity.ANTI_AFFINITY
    ]


def test_preferences_of_neighbours_refuse_nobody():
    term = {"weight": 1, "podAffinityTerm": {"topologyKey": "nowhere", "labelSelector": {}}}
    wish = {"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}}
    a = place("a", "1")
    assert reasons(pod(**wish), a, world_of(a)) == []


def spread(skew: int = 1, **fields: Any) -> dict[str, Any]:
    constraint = {
        "maxSkew": skew,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
        **fields,
    }
    return {"labels": {"app": "web", "rev": "2"}, "topologySpreadConstraints": [constraint]}


@pytest.mark.parametrize(
    ("wanted", "in_a", "in_b"),
    [
        (spread(), [affinity.SPREAD], []),
        (spread(2), [], []),
        (spread(minDomains=3), [affinity.SPREAD], []),
        (spread(whenUnsatisfiable="ScheduleAnyway"), [], []),
        (spread(topologyKey="rack"), [affinity.SPREAD_LABEL], [affinity.SPREAD_LABEL]),
        (spread(matchLabelKeys=["rev"]), [], []),
    ],
)
def test_spread_over_zones(wanted, in_a, in_b):
    a, b = place("a", "1", pod("w", labels={"app": "web", "rev": "1"})), place("b", "2")
    world = world_of(a, b)
    assert (reasons(pod(**wanted), a, world), reasons(pod(**wanted), b, world)) == (in_a, in_b)


def test_spread_leaves_out_who_leaves_and_nodes_that_are_not_for_the_pod():
    leaving = place("a", "1", pod("w", labels={"app": "web"}, leaving=True))
    assert reasons(pod(**spread()), leaving, world_of(leaving, place("b", "2"))) == []
    busy, other = place("a", "1", pod("w", labels={"app": "web"})), place("b", "2")
    bound_to_a = pod(**spread(), nodeSelector={HOST: "a"})
    assert reasons(bound_to_a, busy, world_of(busy, other)) == []
    ignoring = pod(**spread(nodeAffinityPolicy="Ignore"), nodeSelector={HOST: "a"})
    assert reasons(ignoring, busy, world_of(busy, other)) == [affinity.SPREAD]


def ports(*ports_: dict[str, Any]) -> dict[str, Any]:
    return {"container": {"ports": list(ports_)}}


@pytest.mark.parametrize(
    ("wanted", "free"),
    [
        ({"hostPort": 80}, False),
        ({"hostPort": 81}, True),
        ({"hostPort": 80, "protocol": "UDP"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, False),
        ({"containerPort": 80}, True),
    ],
)
def test_ports_of_the_host(wanted, free):
    a = place("a", "1", pod("first", **ports({"containerPort": 8080, "hostPort": 80})))
    found = reasons(pod("second", **ports(wanted)), a, world_of(a))
    assert found == ([] if free else ["node(s) didn't have free ports for the requested pod ports"])


def test_different_addresses_of_the_host_do_not_meet():
    a = place("a", "1", pod("first", **ports({"hostPort": 80, "hostIP": "10.0.0.1"})))
    assert reasons(pod("second", **ports({"hostPort": 80, "hostIP": "10.0.0.2"})), a, world_of(a)) == []
    assert reasons(pod("third", **ports({"containerPort": 80}), hostNetwork=True), a, world_of(a)) != []
