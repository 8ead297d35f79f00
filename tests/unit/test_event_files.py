"""Scalars in TensorBoard's event files."""

from __future__ import annotations

import struct

import pytest

from sampan.lib.tfevents import EventsError, Scalar, scalars


def varint(number: int) -> bytes:
    found = b""
    while True:
        number, low = number >> 7, number & 0x7F
        found += bytes([low | (0x80 if number else 0)])
        if not number:
            return found


def block(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def record(data: bytes) -> bytes:
    return struct.pack("<QI", len(data), 0) + data + b"\0\0\0\0"


def event(step: int, *values: bytes, wall_time: float = 5.0) -> bytes:
    summary = block(5, b"".join(block(1, value) for value in values))
    return record(varint(1 << 3 | 1) + struct.pack("<d", wall_time) + varint(2 << 3) + varint(step) + summary)


def simple(tag: str, value: float) -> bytes:
    return block(1, tag.encode()) + varint(2 << 3 | 5) + struct.pack("<f", value)


def tensor(tag: str, value: float, shape: bytes = b"") -> bytes:
    inner = varint(1 << 3) + varint(1) + block(2, shape) + block(4, struct.pack("<f", value))
    return block(1, tag.encode()) + block(8, inner)


def test_both_ways_to_write_a_scalar() -> None:
    data = event(3, simple("loss", 0.5), tensor("accuracy", 0.25))
    assert scalars(data) == ([Scalar("loss", 3, 0.5, 5.0), Scalar("accuracy", 3, 0.25, 5.0)], len(data))


def test_a_vector_is_no_scalar() -> None:
    assert scalars(event(1, tensor("vector", 1.0, block(2, b"\x08\x03"))))[0] == []


def test_a_record_that_is_still_being_written_is_read_later() -> None:
    first, second = event(1, simple("loss", 1.0)), event(2, simple("loss", 0.5))
    for cut in range(len(second)):
        found, used = scalars(first + second[:cut])
        assert [each.step for each in found] == [1]
        assert used == len(first)


@pytest.mark.parametrize("data", [b"\xff" * 64, record(b"\x0a\xff\xff\xff\xff"), record(b"\xff" * 30)])
def test_what_is_no_event_file_is_refused(data: bytes) -> None:
    with pytest.raises(EventsError):
        scalars(data)


def test_other_records_are_passed_over() -> None:
    # The first record of each file says its version (field 3).
    data = record(block(3, b"brain.Event:2")) + event(1, simple("loss", 1.0))
    assert [each.tag for each in scalars(data)[0]] == ["loss"]
