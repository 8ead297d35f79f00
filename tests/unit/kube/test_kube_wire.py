"""Protobuf bodies: what a client in Go writes is read back as the JSON it stands for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.cluster.apiserver.kinds import built_in_schema
from sampan.kube.fieldcheck import check
from sampan.kube.schema import Shape
from sampan.kube.wire import MAGIC, MAX_DEPTH, WireError, decode, envelope
from sampan.testing import protobuf

SCHEMA = built_in_schema()
_DEPTH = 4
_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
_times = st.datetimes(datetime(1, 1, 2), datetime(9999, 1, 1))  # noqa: DTZ001  as text only


def _iso(moment: datetime, spec: str) -> str:
    return moment.isoformat(timespec=spec) + "Z"


_SCALARS: dict[str, Any] = {
    "string": _texts,
    "boolean": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "quantity": st.sampled_from(["1", "250m", "1.5Gi"]),
    "time": _times.map(lambda moment: _iso(moment, "seconds")),
    "microTime": _times.map(lambda moment: _iso(moment, "microseconds")),
    "intOrString": st.one_of(st.integers(-(2**31), 2**31 - 1), _texts),
    "bytes": st.sampled_from(["aGk=", "AA=="]),
    "raw": st.dictionaries(_texts, st.integers(), max_size=2),
    "json": st.one_of(st.integers(), st.booleans(), _texts, st.lists(st.integers(), max_size=2)),
}


@st.composite
def _object(draw: Any, type_name: str, depth: int) -> dict[str, Any]:
    """Of any fields, but zeros only where absence says something else."""
    found = {}
    type_ = SCHEMA.type(type_name)
    for key, declared in type_.fields.items():
        if key in ("apiVersion", "kind") and declared.number == 0:
            continue
        if depth >= _DEPTH and declared.shape.kind not in _SCALARS and not declared.required:
            continue
        if not declared.required and draw(st.booleans()):
            continue
        value = draw(_value(declared.shape, depth))
        if value not in ("", 0, {}, []) or declared.pointer:
            found[key] = value
    return found


def _value(shape: Shape, depth: int) -> Any:
    if shape.kind in _SCALARS:
        return _SCALARS[shape.kind]
    if shape.item is not None:
        item = _value(shape.item, depth + 1)
        if depth > _DEPTH:
            return st.just([] if shape.kind == "list" else {})
        return (
            st.lists(item, max_size=2) if shape.kind == "list" else st.dictionaries(_texts, item, max_size=2)
        )
    if SCHEMA.type(shape.kind).union:
        allowed = [st.booleans()] if shape.kind == "JSONSchemaPropsOrBool" else []
        return st.one_of(*allowed, st.deferred(lambda: _object("JSONSchemaProps", depth + 1)))
    return st.deferred(lambda: _object(shape.kind, depth + 1))


_kinds = sorted(name for name in SCHEMA if SCHEMA.type(name).is_kind and SCHEMA.type(name).in_protobuf)


@given(st.data())
def test_what_go_writes_is_read_back(data: Any) -> None:
    name = data.draw(st.sampled_from(_kinds))
    obj = data.draw(_object(name, 0))
    found = decode(SCHEMA, name, protobuf.message(SCHEMA, name, obj))
    assert _without_zeros(name, found) == _without_zeros(name, obj)
    assert check(SCHEMA, name, found).mistyped == ""


def _without_zeros(type_name: str, obj: Any) -> Any:
    """Required fields that are zero or empty are left out: absent and zero are the same to Go there."""
    found = {}
    for key, value in obj.items():
        declared = SCHEMA.type(type_name).fields[key]
        reduced = _reduced(declared.shape, value)
        if declared.pointer or reduced not in ("", 0, {}, []):
            found[key] = reduced
    return found


def _reduced(shape: Shape, value: Any) -> Any:
    if shape.kind in _SCALARS:
        return value
    if shape.item is not None:
        if shape.kind == "list":
            return [_reduced(shape.item, each) for each in value]
        return {key: _reduced(shape.item, each) for key, each in value.items()}
    if SCHEMA.type(shape.kind).union:
        return _without_zeros("JSONSchemaProps", value) if isinstance(value, dict) else value
    return _without_zeros(shape.kind, value)


@given(st.binary(max_size=200), st.sampled_from(_kinds))
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    try:
        decode(SCHEMA, name, data)
        envelope(MAGIC + data)
    except WireError:
        pass


@given(st.data())
def test_truncated_bodies_are_read_or_refused(data: Any) -> None:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"a": "b"}}}
    whole = protobuf.body(SCHEMA, obj)
    cut = data.draw(st.integers(0, len(whole) - 1))
    try:
        _, _, raw = envelope(whole[:cut])
        decode(SCHEMA, "Pod", raw)
    except WireError:
        pass


def test_the_envelope() -> None:
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    version, kind, raw = envelope(protobuf.body(SCHEMA, obj))
    assert (version, kind) == ("apps/v1", "Deployment")
    assert decode(SCHEMA, "Deployment", raw)["metadata"] == {"name": "web"}
    with pytest.raises(WireError, match="expected prefix"):
        envelope(b"{}")


def test_zeros_that_mean_something_stay() -> None:
    obj = {"replicas": 0, "selector": {}, "template": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}}
    found = decode(SCHEMA, "DeploymentSpec", protobuf.message(SCHEMA, "DeploymentSpec", obj))
    assert found["replicas"] == 0
    assert found["selector"] == {}
    assert found["template"]["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert "paused" not in found
    assert "strategy" not in found


def test_a_body_of_messages_without_end_is_refused() -> None:
    data = b""
    for _ in range(MAX_DEPTH + 2):
        data = _nested(data)
    with pytest.raises(WireError, match="levels deep"):
        decode(SCHEMA, "JSONSchemaProps", data)


def _nested(data: bytes) -> bytes:
    """As field 28, `not`."""
    length, head = len(data), bytearray(b"\xe2\x01")
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(head) + bytes([length]) + data
