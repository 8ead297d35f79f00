"""Scalars in TensorBoard's event files, read without TensorFlow or protobuf. Pure: bytes in, points out.

A file is a sequence of TFRecords: length (8 bytes), its checksum (4), data, its checksum (4); the data is an `Event`
message. Checksums are not looked at: a length that cannot be ends the reading. Source: tensorflow/tensorflow 2.17
tensorflow/core/lib/io/record_writer.h, core/util/event.proto, core/framework/summary.proto and tensor.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEAD = struct.Struct("<QI")
_FOOT_BYTES = 4
_MOST_RECORD_BYTES = 64 * 1024 * 1024
_FLOAT, _DOUBLE, _INT32, _INT64 = 1, 2, 3, 9
"""DataType of types.proto."""
_FORMATS = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _INT64: "<q"}


@dataclass(frozen=True, slots=True)
class Scalar:
    tag: str
    step: int
    value: float
    wall_time: float
    """Seconds since the epoch."""


class EventsError(ValueError):
    """This is no event file, or it is broken from here on."""


def scalars(data: bytes) -> tuple[list[Scalar], int]:
    """What whole records hold, and how many bytes these take: the rest is still being written. EventsError."""
    found: list[Scalar] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, _ = _HEAD.unpack_from(data, at)
        if length > _MOST_RECORD_BYTES:
            raise EventsError("a record is longer than any may be")
        end = at + _HEAD.size + length + _FOOT_BYTES
        if end > len(data):
            break
        try:
            found.extend(_event(data[at + _HEAD.size : end - _FOOT_BYTES]))
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise EventsError("a record is no event") from error
        at = end
    return found, at


def first_bytes(data: bytes) -> int:
    """How long the first record is, of which the head at least is there."""
    return _HEAD.size + int(_HEAD.unpack_from(data)[0]) + _FOOT_BYTES


def _event(data: bytes) -> Iterator[Scalar]:
    wall_time, step, summary = 0.0, 0, b""
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            (wall_time,) = struct.unpack("<d", value)
        elif number == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >= 1 << 63 else value
        elif number == 5 and isinstance(value, bytes):
            summary = value
    for number, value in _fields(summary):
        if number == 1 and isinstance(value, bytes):
            named = _value(value)
            if named is not None:
                yield Scalar(named[0], step, named[1], wall_time)


def _value(data: bytes) -> tuple[str, float] | None:
    """Of a Summary.Value: `simple_value`, or a `tensor` of one number."""
    tag, found = "", None
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            tag = value.decode()
        elif number == 2:
            (found,) = struct.unpack("<f", value)
        elif number == 8:
            found = _number(value)
    return (tag, float(found)) if tag and found is not None else None


def _number(tensor: bytes) -> float | None:
    kind, found, has_shape = 0, None, False
    content = b""
    for number, value in _fields(tensor):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 2 and isinstance(value, bytes):
            has_shape = any(field == 2 for field, _ in _fields(value))
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6) and isinstance(value, bytes):
            # Packed: one number only, else it is no scalar.
            width, form = (4, "<f") if number == 5 else (8, "<d")
            found = struct.unpack(form, value)[0] if len(value) == width else None
        elif number in (7, 10) and isinstance(value, int):
            found = value
    if has_shape:
        return None
    form = _FORMATS.get(kind, "")
    if content and form and len(content) == struct.calcsize(form):
        (found,) = struct.unpack(form, content)
    return None if found is None else float(found)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Of a protobuf message: field numbers with a number (varint) or bytes (all other wire types)."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise IndexError("an unknown wire type")
        if at + size > len(data):
            raise IndexError("a field is cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError("a number is too long")
