"""Objects as a Kubernetes client in Go would write them in protobuf: for tests of a server that reads them.

Zeros of fields that are no pointers are written out, as Go's generated code does.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sampan.kube.schema import Field, Schema, Shape, Type
from sampan.kube.wire import MAGIC

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"


def body(schema: Schema, obj: Mapping[str, Any], type_name: str = "") -> bytes:
    """A whole request body: the envelope and the object."""
    version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    meta = _bytes(1, version.encode()) + _bytes(2, kind.encode())
    name = type_name or schema.type_of(version, kind)
    return MAGIC + _bytes(1, meta) + _bytes(2, message(schema, name, obj)) + _bytes(3, b"") + _bytes(4, b"")


def message(schema: Schema, type_name: str, obj: Mapping[str, Any]) -> bytes:
    type_ = schema.type(type_name)
    written = b""
    for name, declared in sorted(type_.members.items(), key=lambda member: member[1].number):
        if name.startswith("+"):
            written += _bytes(declared.number, message(schema, declared.shape.kind, obj))
        else:
            written += _field(schema, declared, obj.get(name))
    return written


def _field(schema: Schema, declared: Field, value: Any) -> bytes:
    shape, number = declared.shape, declared.number
    if shape.kind == "list":
        assert shape.item is not None
        return b"".join(_value(schema, number, shape.item, each) for each in value or ())
    if shape.kind == "map":
        assert shape.item is not None
        return b"".join(
            _bytes(number, _bytes(1, key.encode()) + _value(schema, 2, shape.item, each))
            for key, each in (value or {}).items()
        )
    if value is None and (declared.pointer or shape.kind in ("bytes", "any")):
        return b""
    return _value(schema, number, shape, value)


def _value(schema: Schema, number: int, shape: Shape, value: Any) -> bytes:
    if shape.kind in ("boolean", "int32", "int64"):
        return _varint(number << 3) + _varint(int(value or 0) & 0xFFFFFFFFFFFFFFFF)
    if shape.kind == "number":
        return _varint(number << 3 | 1) + struct.pack("<d", value or 0)
    scalar = _SCALARS.get(shape.kind)
    if scalar is not None:
        return _bytes(number, scalar(value))
    if shape.kind == "list":
        assert shape.item is not None
        items = b"".join(_value(schema, 1, shape.item, each) for each in value or ())
        return _bytes(number, items)
    type_ = schema.type(shape.kind)
    obj = _member_of(type_, value) if type_.union else value or {}
    return _bytes(number, message(schema, shape.kind, obj))


def _member_of(union: Type, value: Any) -> dict[str, Any]:
    wanted = {dict: "schema", bool: "boolean", list: "list"}[type(value)]
    return {
        name: value
        for name, declared in union.fields.items()
        if name == wanted or declared.shape.kind == wanted
    }


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _int_or_string(value: Any) -> bytes:
    text = isinstance(value, str)
    number = 0 if text else int(value or 0) & 0xFFFFFFFFFFFFFFFF
    return (
        _varint(1 << 3)
        + _varint(int(text))
        + _varint(2 << 3)
        + _varint(number)
        + _bytes(3, value.encode() if text else b"")
    )


def _moment(value: str | None) -> bytes:
    if not value:
        return b""
    moment = datetime.fromisoformat(value)
    whole = int(moment.replace(microsecond=0).timestamp()) & 0xFFFFFFFFFFFFFFFF
    return _varint(1 << 3) + _varint(whole) + _varint(2 << 3) + _varint(moment.microsecond * 1000)


def _raw(value: Any) -> bytes:
    return _bytes(1, json.dumps(value).encode()) if value is not None else b""


_SCALARS: dict[str, Callable[[Any], bytes]] = {
    "string": lambda value: (value or "").encode(),
    "bytes": lambda value: base64.b64decode(value),
    "quantity": lambda value: _bytes(1, (value or "").encode()),
    "intOrString": _int_or_string,
    "time": _moment,
    "microTime": _moment,
    "raw": _raw,
    "json": _raw,
}
