"""Rows of texts and truths as a Parquet file: one group of rows, plain and unpacked. Pure; called by `storing`.

The agent has the standard library alone, and such a file needs little: the pages of each column, one after the other,
and what describes them, in Thrift's compact protocol.
Source: apache/parquet-format 2.12 README.md, src/main/thrift/parquet.thrift, Encodings.md (PLAIN);
apache/thrift doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MAGIC = b"PAR1"
_BOOLEAN, _BYTE_ARRAY = 0, 6
_REQUIRED, _UTF8, _PLAIN, _RLE, _UNPACKED, _DATA_PAGE = 0, 0, 0, 3, 0, 0
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_CREATED_BY = "sampan"

Fields = Mapping[int, Any]
"""Of a Thrift structure, by their numbers, in order."""


@dataclass(frozen=True, slots=True)
class Long:
    """A number of 64 bits; others have 32."""

    value: int


def written(columns: Mapping[str, Sequence[str] | Sequence[bool]]) -> bytes:
    """Columns of one length, each of one type; every value is there."""
    file = bytearray(_MAGIC)
    chunks: list[Fields] = []
    count = len(next(iter(columns.values())))
    for name, values in columns.items():
        kind, data = _page(values)
        header = _struct(
            {
                1: _DATA_PAGE,
                2: len(data),
                3: len(data),
                5: {1: count, 2: _PLAIN, 3: _RLE, 4: _RLE},
            }
        )
        offset, size = len(file), len(header) + len(data)
        file += header + data
        told = {
            1: kind,
            2: [_PLAIN],
            3: [name],
            4: _UNPACKED,
            5: Long(count),
            6: Long(size),
            7: Long(size),
            9: Long(offset),
        }
        chunks.append({2: Long(offset), 3: told})
    footer = _struct(_description(columns, chunks, count, len(file) - len(_MAGIC)))
    return bytes(file + footer + struct.pack("<I", len(footer)) + _MAGIC)


def _description(columns: Mapping[str, Sequence[Any]], chunks: list[Fields], count: int, size: int) -> Fields:
    schema: list[Fields] = [{4: "logRecord", 5: len(columns)}]
    for name, values in columns.items():
        if _is_text(values):
            schema.append({1: _BYTE_ARRAY, 3: _REQUIRED, 4: name, 6: _UTF8, 10: {1: {}}})
        else:
            schema.append({1: _BOOLEAN, 3: _REQUIRED, 4: name})
    group = {1: chunks, 2: Long(size), 3: Long(count)}
    return {1: 1, 2: schema, 3: Long(count), 4: [group], 6: _CREATED_BY}


def _is_text(values: Sequence[Any]) -> bool:
    return not values or isinstance(values[0], str)


def _page(values: Sequence[str] | Sequence[bool]) -> tuple[int, bytes]:
    if _is_text(values):
        texts = [str(each).encode("utf-8", "replace") for each in values]
        return _BYTE_ARRAY, b"".join(struct.pack("<I", len(each)) + each for each in texts)
    packed = bytearray((len(values) + 7) // 8)
    for at, value in enumerate(values):
        packed[at // 8] |= bool(value) << at % 8
    return _BOOLEAN, bytes(packed)


# Thrift


def _struct(fields: Fields) -> bytes:
    found, before = bytearray(), 0
    for number, value in fields.items():
        kind, data = _value(value)
        found += bytes([(number - before) << 4 | kind]) + data
        before = number
    return bytes(found) + b"\0"


def _value(value: Any) -> tuple[int, bytes]:
    if isinstance(value, Long):
        return _I64, _number(value.value)
    if isinstance(value, int):
        return _I32, _number(value)
    if isinstance(value, str):
        data = value.encode()
        return _BINARY, _varint(len(data)) + data
    if isinstance(value, Mapping):
        return _STRUCT, _struct(value)
    return _LIST, _listed(value)


def _listed(values: Iterable[Any]) -> bytes:
    """None of ours is empty."""
    found = [_value(each) for each in values]
    kind = found[0][0]
    size = bytes([len(found) << 4 | kind]) if len(found) < 15 else bytes([0xF0 | kind]) + _varint(len(found))
    return size + b"".join(data for _, data in found)


def _number(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
