"""The data about the built-in kinds: whole, and in step with the kinds that are served."""

from __future__ import annotations

from sampan.cluster.apiserver.kinds import BUILT_IN, built_in_schema
from sampan.kube.schema import SCALARS, Shape

SCHEMA = built_in_schema()
# Custom resources upstream, which have no form in protobuf.
_CUSTOM = ("io.x-k8s.", "sh.volcano.")
# Kinds of the meta group are in every group.
_WITHOUT_METADATA = {"DeleteOptions", "ConversionReview", "Status"}


def test_every_type_is_readable_and_names_only_types_that_are_there() -> None:
    for name in SCHEMA:
        type_ = SCHEMA.type(name)
        assert type_.package, name
        assert not type_.is_kind or "metadata" in type_.fields or name in _WITHOUT_METADATA, name


def test_every_field_has_its_own_number_in_protobuf() -> None:
    for name in SCHEMA:
        if SCHEMA.type(name).package.startswith(_CUSTOM):
            continue
        # Words of ours in JSON schemas have no number upstream, and are not written in protobuf.
        numbers = [
            field.number
            for key, field in SCHEMA.type(name).members.items()
            if not key.startswith("x-sampan-")
        ]
        assert 0 not in numbers, name
        assert len(set(numbers)) == len(numbers), name


def test_lists_merged_by_keys_have_items_with_those_keys() -> None:
    for name in SCHEMA:
        for key, field in SCHEMA.type(name).fields.items():
            shape = field.shape
            wanted = {*(shape.keys or ()), *([shape.merge_key] if shape.merge_key else [])}
            if wanted:
                assert shape.item is not None
                assert wanted <= SCHEMA.type(shape.item.kind).fields.keys(), f"{name}.{key}"


def test_every_served_kind_has_a_type() -> None:
    missing = [
        strategy.resource.key
        for strategy in BUILT_IN
        if not SCHEMA.type_of(strategy.resource.api_version, strategy.resource.kind)
    ]
    assert missing == []


def test_kinds_of_one_name_in_two_groups() -> None:
    assert SCHEMA.type_of("v1", "Event") != SCHEMA.type_of("events.k8s.io/v1", "Event")
    assert (
        SCHEMA.type_of("autoscaling/v1", "HorizontalPodAutoscaler") == "autoscalingv1.HorizontalPodAutoscaler"
    )
    assert SCHEMA.type_of("authentication.k8s.io/v1", "TokenRequest") == "authentication.TokenRequest"
    assert SCHEMA.type_of("v1", "Deployment") == ""


def test_some_facts() -> None:
    pod = SCHEMA.type("PodSpec").fields
    assert pod["volumes"].shape == Shape("list", Shape("Volume"), "name", True, ("name",))
    assert pod["nodeSelector"].shape.atomic
    ports = SCHEMA.type("Container").fields["ports"].shape
    assert ports.keys == ("containerPort", "protocol")
    assert SCHEMA.list_keys(ports) == {"containerPort": None, "protocol": "TCP"}
    assert SCHEMA.type("Volume").fields["emptyDir"].pointer
    assert SCHEMA.type("LabelSelector").atomic
    assert SCHEMA.type("Secret").fields["data"].shape.item == Shape("bytes")
    assert all(Shape(name).kind == name for name in SCALARS)
