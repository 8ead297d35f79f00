"""Objects in protobuf, as Kubernetes' clients send them, read by the schema: no generated code.

A body is `k8s\\0`, then a runtime.Unknown: the object's apiVersion and kind, and its bytes. Called by the API server
for bodies of built-in kinds; nothing here answers in protobuf. What is read is what JSON would have said: a zero that
Go could not tell from an absent field is left out. Source: k8s.io/apimachinery/pkg/runtime/serializer/protobuf and
pkg/runtime/generated.proto, v1.34; the wire format is https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sampan.kube.meta import Object
from sampan.kube.schema import Field, Schema, Shape, Type

MAGIC = b"k8s\x00"
MAX_DEPTH = 100
"""Of messages within messages; deeper JSON schemas than this are nobody's."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Value = int | bytes


class WireError(ValueError):
    """Bytes that are no such message."""


def envelope(body: bytes) -> tuple[str, str, bytes]:
    """The apiVersion, the kind and the bytes of the object in a body. Raises WireError."""
    if not body.startswith(MAGIC):
        prefix = " ".join(str(byte) for byte in MAGIC)
        raise WireError(f"provided data does not appear to be a protobuf message, expected prefix [{prefix}]")
    version = kind = raw = encoding = content_type = b""
    for number, value in _messages(body[len(MAGIC) :]):
        if number == 1:
            for inner, text in _messages(value):
                version, kind = (text, kind) if inner == 1 else (version, text if inner == 2 else kind)
        elif number == 2:
            raw = value
        elif number == 3:
            encoding = value
        elif number == 4:
            content_type = value
    if encoding or content_type not in (b"", b"application/vnd.kubernetes.protobuf"):
        raise WireError("the object within the body is not in protobuf")
    if not (version and kind):
        raise WireError(f"Object '{'apiVersion' if kind else 'Kind'}' is missing")
    return _text(version), _text(kind), raw


def decode(schema: Schema, type_name: str, data: bytes) -> Object:
    """One object of a type, without its apiVersion and kind. Raises WireError."""
    return _Decoder(schema).message(schema.type(type_name), data, 0)


class _Decoder:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._members: dict[str, dict[int, tuple[str, Field]]] = {}

    def message(self, type_: Type, data: bytes, depth: int) -> Object:
        if depth > MAX_DEPTH:
            raise WireError(f"messages are nested more than {MAX_DEPTH} levels deep")
        members = self._numbered(type_)
        found: Object = {}
        for number, value in fields(data):
            member = members.get(number)
            if member is None:
                # Of a newer client.
                continue
            name, declared = member
            shape = declared.shape
            if name.startswith("+"):
                found |= self.message(self._schema.type(shape.kind), _as_bytes(value), depth + 1)
            elif shape.kind == "list":
                assert shape.item is not None
                found.setdefault(name, []).extend(self._items(shape.item, value, depth))
            elif shape.kind == "map":
                assert shape.item is not None
                key, item = self._entry(shape.item, _as_bytes(value), depth)
                found.setdefault(name, {})[key] = item
            else:
                read = self._value(shape, value, depth)
                if read is None or not (declared.pointer or declared.required or read not in _ZEROS):
                    found.pop(name, None)
                else:
                    found[name] = read
        return found

    def _numbered(self, type_: Type) -> dict[int, tuple[str, Field]]:
        found = self._members.get(type_.name)
        if found is None:
            found = {declared.number: (name, declared) for name, declared in type_.members.items()}
            self._members[type_.name] = found
        return found

    def _items(self, item: Shape, value: _Value, depth: int) -> list[Any]:
        """One item, or several numbers that are packed."""
        if isinstance(value, bytes) and item.kind in ("int32", "int64", "boolean"):
            packed, at = [], 0
            while at < len(value):
                number, at = _varint(value, at)
                packed.append(_SCALARS[item.kind](number))
            return packed
        read = self._value(item, value, depth)
        return [_absent(item) if read is None else read]

    def _entry(self, item: Shape, data: bytes, depth: int) -> tuple[str, Any]:
        key, value = "", None
        for number, each in fields(data):
            if number == 1:
                key = _text(_as_bytes(each))
            elif number == 2:
                value = self._value(item, each, depth)
        return key, _absent(item) if value is None else value

    def _value(self, shape: Shape, value: _Value, depth: int) -> Any:
        """None for what JSON would not have said at all: a time of zero, empty raw JSON."""
        scalar = _SCALARS.get(shape.kind)
        if scalar is not None:
            return scalar(value)
        if shape.kind == "list":
            # Only of a map: a message whose one field is repeated.
            assert shape.item is not None
            return [
                item
                for number, each in fields(_as_bytes(value))
                if number == 1
                for item in self._items(shape.item, each, depth + 1)
            ]
        type_ = self._schema.type(shape.kind)
        read = self.message(type_, _as_bytes(value), depth + 1)
        return _united(type_, read) if type_.union else read


def _united(type_: Type, read: Object) -> Any:
    """In JSON a union is its first pointer that is there, else its other field."""
    for name, declared in type_.fields.items():
        if declared.pointer and name in read:
            return read[name]
    other = next(name for name, declared in type_.fields.items() if not declared.pointer)
    return read.get(other, _absent(type_.fields[other].shape))


# The wire.


def fields(data: bytes) -> Iterator[tuple[int, _Value]]:
    """The fields of a message: their numbers, with an integer or with bytes. Raises WireError."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, form = tag >> 3, tag & 7
        if number == 0:
            raise WireError("a field has no number")
        if form == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if form == _BYTES:
            length, at = _varint(data, at)
        elif form in (_FIXED64, _FIXED32):
            length = 8 if form == _FIXED64 else 4
        else:
            raise WireError(f"a field is of the unknown wire type {form}")
        if length > end - at:
            raise WireError("unexpected EOF")
        yield number, data[at : at + length]
        at += length


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, value in fields(data):
        yield number, _as_bytes(value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(data):
            raise WireError("unexpected EOF")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift >= 70:
            raise WireError("integer overflow")


def _as_bytes(value: _Value) -> bytes:
    if isinstance(value, int):
        raise WireError("a field is a number where text or a message is expected")
    return value


def _as_int(value: _Value) -> int:
    if isinstance(value, bytes):
        raise WireError("a field is not a number where one is expected")
    return value


# Scalars.


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WireError("a text is not UTF-8") from error


def _string(value: _Value) -> str:
    return _text(_as_bytes(value))


def _boolean(value: _Value) -> bool:
    return _as_int(value) != 0


def _int64(value: _Value) -> int:
    number = _as_int(value)
    return number - (1 << 64) if number >> 63 else number


def _int32(value: _Value) -> int:
    number = _as_int(value) & 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number


def _number(value: _Value) -> float:
    data = _as_bytes(value)
    if len(data) != 8:
        raise WireError("a field is not a number where one is expected")
    (number,) = struct.unpack("<d", data)
    if not math.isfinite(number):
        raise WireError("a number is not finite")
    return float(number)


def _base64(value: _Value) -> str:
    return base64.b64encode(_as_bytes(value)).decode()


def _quantity(value: _Value) -> str | None:
    return next((_text(text) for number, text in _messages(_as_bytes(value)) if number == 1), "") or None


def _int_or_string(value: _Value) -> int | str:
    form, number, text = 0, 0, ""
    for field, each in fields(_as_bytes(value)):
        if field == 1:
            form = _as_int(each)
        elif field == 2:
            number = _int32(each)
        elif field == 3:
            text = _string(each)
    return text if form else number


def _moment(value: _Value) -> tuple[datetime, int] | None:
    data = _as_bytes(value)
    if not data:
        return None
    seconds = nanos = 0
    for field, each in fields(data):
        if field == 1:
            seconds = _int64(each)
        elif field == 2:
            nanos = _int32(each)
    try:
        return _EPOCH + timedelta(seconds=seconds), nanos
    except OverflowError as error:
        raise WireError("a time is out of range") from error


def _time(value: _Value) -> str | None:
    found = _moment(value)
    return None if found is None else f"{found[0]:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")


def _micro_time(value: _Value) -> str | None:
    found = _moment(value)
    if found is None:
        return None
    return f"{found[0]:%Y-%m-%dT%H:%M:%S}.{found[1] // 1000 % 1_000_000:06d}Z".rjust(27, "0")


def _raw(value: _Value) -> Any:
    text = next((text for number, text in _messages(_as_bytes(value)) if number == 1), b"")
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise WireError(f"JSON within the body cannot be read: {type(error).__name__}") from error


def _refuse(constant: str) -> None:
    raise WireError(f"{constant} is not JSON")


def _any(_: _Value) -> Any:
    return None


_SCALARS: dict[str, Callable[[_Value], Any]] = {
    "any": _any,
    "boolean": _boolean,
    "bytes": _base64,
    "int32": _int32,
    "int64": _int64,
    "intOrString": _int_or_string,
    "json": _raw,
    "microTime": _micro_time,
    "number": _number,
    "quantity": _quantity,
    "raw": _raw,
    "string": _string,
    "time": _time,
}
_ZEROS: tuple[Any, ...] = ("", 0, {})


def _absent(shape: Shape) -> Any:
    """What stands in a list or a map for an item of which nothing was written."""
    zeros: dict[str, Any] = {"boolean": False, "quantity": "0", "map": {}, "json": None, "any": None}
    if shape.kind in zeros:
        return zeros[shape.kind]
    if shape.kind in ("int32", "int64", "number", "intOrString"):
        return 0
    if shape.kind in _SCALARS:
        return "" if shape.kind != "raw" else {}
    return [] if shape.kind == "list" else {}
