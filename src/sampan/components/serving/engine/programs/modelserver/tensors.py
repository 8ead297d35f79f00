"""Values of requests as arrays, and arrays as values: JSON's and the binary extension's. Pure.

Source: open-inference-protocol specification/protocol/inference_rest.md (tensor data);
triton-inference-server/server docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import Array, dtype_of
from sampan.components.serving.engine.programs.modelserver.errors import bad

MAX_RANK = 32
_LENGTH = struct.Struct("<I")
_INTEGERS = "iu"
_EXACT = 2.0**53
"""Below it a float is the whole number that was written."""


def from_values(name: str, datatype: str, shape: Sequence[int], values: Any) -> Array:
    """Of `data` in JSON, flat or nested. Raises RequestError or ModelError."""
    dtype = dtype_of(datatype)
    if not isinstance(values, list):
        raise bad(f"the data of input {name!r} has to be a list")
    array = _texts(name, values) if datatype == "BYTES" else _numbers(name, datatype, dtype, values)
    return shaped(name, array, shape)


def from_bytes(name: str, datatype: str, shape: Sequence[int], data: memoryview | bytes) -> Array:
    """Of the binary extension and of gRPC's raw contents; shares the memory. Raises RequestError or ModelError."""
    dtype = dtype_of(datatype)
    if datatype == "BYTES":
        return shaped(name, _elements(name, data), shape)
    if len(data) % dtype.itemsize:
        raise bad(
            f"input {name!r} has {len(data)} bytes, which is no multiple of {dtype.itemsize}, those of a {datatype}"
        )
    array = np.frombuffer(data, dtype=dtype.newbyteorder("<"))
    return shaped(name, array if array.dtype.isnative else array.astype(dtype), shape)


def to_bytes(array: Array) -> bytes:
    if array.dtype == object:
        parts: list[bytes] = []
        for each in array.ravel():
            element = as_bytes(each)
            parts += (_LENGTH.pack(len(element)), element)
        return b"".join(parts)
    if array.dtype.kind in "SU":
        return to_bytes(array.astype(object))
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()


def to_values(name: str, array: Array) -> Any:
    """What orjson writes as a flat list. Raises RequestError for bytes that are no text."""
    flat = array.ravel()
    if flat.dtype.kind in "OSU":
        try:
            return [each.decode() if isinstance(each, bytes) else _text(each) for each in flat]
        except UnicodeDecodeError:
            raise bad(f"output {name!r} holds bytes that are no UTF-8: ask for it with binary_data") from None
    return written(flat)


def written(array: Array) -> Any:
    """An array as orjson takes it, of any shape."""
    if array.dtype.kind in "OSU":
        return [_text(each) for each in array] if array.ndim == 1 else array.tolist()
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.ascontiguousarray(array) if array.ndim else array.item()


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def shaped(name: str, array: Array, shape: Sequence[int]) -> Array:
    """Raises RequestError where the shape has another number of elements."""
    if len(shape) > MAX_RANK or not all(type(size) is int and size >= 0 for size in shape):
        raise bad(
            f"the shape of input {name!r} has to be a list of at most {MAX_RANK} sizes, none below zero"
        )
    wanted = math.prod(shape)
    if array.size != wanted:
        raise bad(f"input {name!r} has {array.size} elements, its shape {list(shape)} has {wanted}")
    try:
        return array.reshape(shape)
    except ValueError:
        # Of nothing, with sizes beyond what an array may have.
        raise bad(f"the shape {list(shape)} of input {name!r} is too large") from None


def _texts(name: str, values: list[Any]) -> Array:
    flat: list[bytes] = []
    pending = [iter(values)]
    # Nested as deep as JSON may be, so by hand.
    while pending:
        for value in pending[-1]:
            if isinstance(value, list):
                pending.append(iter(value))
                break
            if not isinstance(value, str):
                raise bad(f"the data of input {name!r} has to be texts, as its datatype is BYTES")
            flat.append(value.encode("utf-8", "surrogatepass"))
        else:
            pending.pop()
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array


def _numbers(name: str, datatype: str, dtype: np.dtype[Any], values: list[Any]) -> Array:
    try:
        array = np.array(values)
    except (ValueError, OverflowError):
        raise bad(f"the data of input {name!r} is not rectangular") from None
    if not array.size:
        return array.astype(dtype).ravel()
    kind = array.dtype.kind
    if dtype.kind == "b":
        if kind in _INTEGERS and int(array.min()) >= 0 and int(array.max()) <= 1:
            return array.astype(bool).ravel()
        if kind != "b":
            raise bad(f"the data of input {name!r} has to be true and false, as its datatype is BOOL")
        return array.ravel()
    if kind not in _INTEGERS and datatype == "UINT64":
        # Of large and small ones numpy makes floats.
        array = _integers(values)
        kind = array.dtype.kind
    if kind == "f" and dtype.kind in _INTEGERS and bool(((array % 1 == 0) & (abs(array) < _EXACT)).all()):
        # Whole numbers that were written as 1.0.
        array = array.astype(np.int64)
        kind = "i"
    if kind not in "iuf" or (dtype.kind in _INTEGERS and kind not in _INTEGERS):
        raise bad(f"the data of input {name!r} does not fit its datatype {datatype}")
    if array.dtype == dtype:
        return array.ravel()
    if dtype.kind in _INTEGERS:
        allowed = np.iinfo(dtype)
        if int(array.min()) < allowed.min or int(array.max()) > allowed.max:
            raise bad(f"the data of input {name!r} does not fit its datatype {datatype}")
    with np.errstate(over="ignore"):
        return array.astype(dtype).ravel()


def _integers(values: list[Any]) -> Array:
    """As uint64, where that is what they are."""
    exact = np.array(values, dtype=object)
    if not all(type(each) is int and 0 <= each < 2**64 for each in exact.flat):
        return exact
    return exact.astype(np.uint64)


def _elements(name: str, data: memoryview | bytes) -> Array:
    found: list[bytes] = []
    position, end = 0, len(data)
    while position < end:
        if position + 4 > end:
            raise bad(f"input {name!r} ends within the length of an element")
        (length,) = _LENGTH.unpack_from(data, position)
        position += 4
        if position + length > end:
            raise bad(f"input {name!r} ends within an element")
        found.append(bytes(data[position : position + length]))
        position += length
    array = np.empty(len(found), dtype=object)
    array[:] = found
    return array


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value
