"""Schemas of custom kinds that name built-in types."""

from __future__ import annotations

from typing import Any

from sampan.cluster.apiserver.custom.references import REFERENCE, References, written_out
from sampan.cluster.apiserver.custom.structural import Types, root
from sampan.cluster.apiserver.kinds import built_in_schema

SCHEMA = built_in_schema()
POD = "io.k8s.api.core.v1.PodTemplateSpec"


def place(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True, REFERENCE: name, **more}


def test_all_places_share_what_was_read_of_a_type() -> None:
    types = Types(References(SCHEMA))
    raw = {"type": "object", "properties": {"a": place(POD), "b": place(POD, description="another")}}
    one, other = (root(raw, types) for _ in range(2))
    assert one.child("a") is other.child("b")
    container = one.child("a")
    for step in ("spec", "containers"):
        assert container is not None
        container = container.child(step)
    assert container is not None
    assert (container.type, container.list_type, container.map_keys) == ("array", "map", ("name",))
    assert container.items is not None
    ports = container.items.child("ports")
    assert ports is not None
    assert ports.map_keys == ("containerPort", "protocol")
    assert ports.items is not None
    protocol = ports.items.child("protocol")
    assert protocol is not None
    assert protocol.default == "TCP"


def test_what_stands_beside_the_name_holds_too() -> None:
    types = Types(References(SCHEMA))
    rule = [{"rule": "self == oldSelf"}]
    more = {
        "required": ["value"],
        "properties": {"since": {"type": "string"}},
        "x-kubernetes-validations": rule,
    }
    node = types.node(place("io.k8s.api.core.v1.EnvVar", **more))
    assert node.raw["required"] == ["name", "value"]
    assert {"name", "value", "valueFrom", "since"} <= node.names
    assert node.has_rules
    assert not node.open
    assert not types.node(place("io.k8s.api.core.v1.EnvVar")).has_rules


def test_an_unknown_name_says_nothing() -> None:
    for name in ("io.k8s.api.core.v1.Nothing", "PodTemplateSpec", "", "io.k8s.api.core.v2.PodSpec"):
        node = Types(References(SCHEMA)).node(place(name))
        assert node.open
        assert not node.names


def test_a_type_is_written_out_for_servers_that_do_not_know_the_word() -> None:
    raw = {"type": "object", "properties": {"pods": {"type": "array", "items": place(POD)}}}
    made = written_out(raw, References(SCHEMA))
    assert REFERENCE not in str(made)
    pod = made["properties"]["pods"]["items"]["properties"]["spec"]["properties"]
    assert pod["containers"]["items"]["properties"]["resources"]["properties"]["limits"][
        "additionalProperties"
    ]["x-kubernetes-int-or-string"]
    assert pod["nodeSelector"]["x-kubernetes-map-type"] == "atomic"
    assert raw["properties"]["pods"]["items"] == place(POD)


def test_types_of_other_groups() -> None:
    assert SCHEMA.named("io.k8s.api.autoscaling.v2.MetricSpec") == "MetricSpec"
    assert SCHEMA.named("io.k8s.api.events.v1.Event") == "events.Event"
    assert SCHEMA.named("io.k8s.api.core.v1.Event") == "Event"
