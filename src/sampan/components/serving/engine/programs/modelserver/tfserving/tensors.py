"""TensorProtos to arrays and back, and the names of TensorFlow's types. Pure.

Source: tensorflow 2.19 core/framework/tensor.cc (FromProto: too few values repeat the last, none are zeros).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import Array, Tensor, datatype_of
from sampan.components.serving.engine.programs.modelserver.tensors import MAX_RANK, as_bytes
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import invalid
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import (
    message,
    name_of,
    number_of,
)

DTYPES: Mapping[str, str] = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_INT32": "int32",
    "DT_UINT8": "uint8",
    "DT_INT16": "int16",
    "DT_INT8": "int8",
    "DT_STRING": "object",
    "DT_INT64": "int64",
    "DT_BOOL": "bool",
    "DT_UINT16": "uint16",
    "DT_HALF": "float16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_FIELDS: Mapping[str, str] = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    **dict.fromkeys(("DT_INT32", "DT_UINT8", "DT_INT16", "DT_INT8", "DT_UINT16"), "int_val"),
    "DT_STRING": "string_val",
    "DT_INT64": "int64_val",
    "DT_BOOL": "bool_val",
    "DT_HALF": "half_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
}
_MAX_ELEMENTS = 1 << 28


def spoken(dtype: str) -> str:
    """DT_FLOAT as TensorFlow's messages have it: float."""
    return dtype.removeprefix("DT_").lower()


def name_of_dtype(array: Array) -> str:
    return _NAMES.get(array.dtype.name, "DT_STRING")


def from_proto(alias: str, proto: Any) -> Array:
    """Raises StatusError."""
    name = name_of("DataType", proto.dtype)
    if name not in DTYPES:
        raise invalid(f"tensor parsing error: {alias}: the type {name} is not supported")
    dtype = np.dtype(DTYPES[name])
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    size = math.prod(shape)
    is_shape = len(shape) <= MAX_RANK and min(shape, default=0) >= 0 and size <= _MAX_ELEMENTS
    if proto.tensor_shape.unknown_rank or not is_shape:
        raise invalid(f"tensor parsing error: {alias}: the shape is none of a tensor")
    if proto.tensor_content and dtype.kind != "O":
        content = proto.tensor_content
        if len(content) != size * dtype.itemsize:
            raise invalid(
                f"tensor parsing error: {alias}: its content has {len(content)} bytes, not {size * dtype.itemsize}"
            )
        return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)
    return _filled(_values(proto, name, dtype), dtype, size, alias).reshape(shape)


def to_proto(array: Array, *, as_content: bool = False) -> Any:
    name = name_of_dtype(array)
    proto = message("TensorProto")(dtype=number_of("DataType", name))
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if name == "DT_STRING":
        proto.string_val.extend([as_bytes(each) for each in array.ravel()])
    elif as_content:
        proto.tensor_content = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    else:
        flat = array.ravel()
        flat = flat.view(np.uint16) if name == "DT_HALF" else flat
        getattr(proto, _FIELDS[name]).extend(flat.tolist())
    return proto


def tensor(name: str, array: Array) -> Tensor:
    return Tensor(name, array, datatype_of(array.dtype))


def _values(proto: Any, name: str, dtype: np.dtype[Any]) -> Array:
    found = getattr(proto, _FIELDS[name])
    if dtype.kind == "O":
        array = np.empty(len(found), dtype=object)
        array[:] = list(found)
        return array
    if name == "DT_HALF":
        return np.array(found, np.uint32).astype(np.uint16).view(np.float16)
    # As TensorFlow does, whose smaller integers are cut from larger ones.
    return np.array(found).astype(dtype) if len(found) else np.zeros(0, dtype)


def _filled(values: Array, dtype: np.dtype[Any], size: int, alias: str) -> Array:
    if len(values) == size:
        return values
    if len(values) > size:
        raise invalid(f"tensor parsing error: {alias}: it has {len(values)} values, its shape {size}")
    if not len(values):
        return np.full(size, b"", object) if dtype.kind == "O" else np.zeros(size, dtype)
    filled = np.empty(size, dtype)
    filled[: len(values)] = values
    filled[len(values) :] = values[-1]
    return filled
