"""`:predict` over REST: rows (`instances`) and columns (`inputs`) to arrays, and arrays to the answer. Pure.

Values that numpy takes as they are need no look at each; all others are read one by one, and every mistake is named as
TensorFlow Serving names it. Texts that are no UTF-8 are answered as base64, where upstream's answer is no JSON.
Source: tensorflow/serving 2.19 tensorflow_serving/util/json_tensor.cc, g3doc/api_rest.md.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from sampan.components.serving.engine.programs.modelserver.contract import Array, Tensor
from sampan.components.serving.engine.programs.modelserver.tensors import MAX_RANK
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError, invalid
from sampan.components.serving.engine.programs.modelserver.tfserving.json_values import (
    decoded,
    is_base64,
    kind_of,
    shown,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import DTYPES, spoken

_BITS = {
    **dict.fromkeys(("DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT8"), (-(2**31), 2**31 - 1)),
    "DT_UINT16": (-(2**31), 2**31 - 1),
    "DT_INT64": (-(2**63), 2**63 - 1),
    "DT_UINT32": (0, 2**32 - 1),
    "DT_UINT64": (0, 2**64 - 1),
}
_FLOATS = ("DT_FLOAT", "DT_DOUBLE", "DT_HALF")
_ONE_OF = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "


def signature_of(document: Mapping[str, Any]) -> str:
    """Raises StatusError."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def read(document: Mapping[str, Any], types: Mapping[str, str]) -> tuple[dict[str, Array], bool]:
    """The inputs by name, and whether they came as rows. `types` are the signature's, by name. Raises StatusError."""
    if "instances" in document:
        rows = document["instances"]
        if "inputs" in document:
            raise invalid(f"JSON Value: {shown(document)} {_ONE_OF}")
        if not isinstance(rows, list):
            raise invalid(f"JSON Value: {shown(document)} Expecting 'instances' to be an list/array")
        if not rows:
            raise invalid(f"JSON Value: {shown(document)} No values in 'instances' array")
        return _rows(rows, types), True
    if "inputs" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    return _columns(document["inputs"], types), False


def write(outputs: Sequence[Tensor], *, as_rows: bool) -> bytes:
    """The answer's body. Raises StatusError."""
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if as_rows:
        _check_rows(outputs)
    values = {each.name: _written(each) for each in outputs}
    found: Any = values
    if len(values) == 1:
        found = next(iter(values.values()))
    elif as_rows:
        count = outputs[0].data.shape[0]
        found = [{name: each[row] for name, each in values.items()} for row in range(count)]
    return dumped({"predictions" if as_rows else "outputs": found}, outputs)


def dumped(document: Any, outputs: Sequence[Tensor] = ()) -> bytes:
    """NaN and Infinity as the tokens that they are upstream, where there are any."""
    if all(each.data.dtype.kind != "f" or bool(np.isfinite(each.data).all()) for each in outputs):
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return tokens(document)


def tokens(document: Any) -> bytes:
    return json.dumps(document, default=_listed, ensure_ascii=False).encode()


def shortest(value: float) -> float:
    """A float32 in its own digits: 0.1, where as a double it has more."""
    return float(str(np.float32(value)))


def _listed(array: Array) -> Any:
    return array.tolist() if array.dtype != np.float32 else array.astype("U").astype(np.float64).tolist()


def _check_rows(outputs: Sequence[Tensor]) -> None:
    count = -1
    for each in outputs:
        if not each.data.ndim:
            raise invalid(f"Tensor name: {each.name} has no shape information ")
        if count not in (-1, each.data.shape[0]):
            raise invalid(
                f"Tensor name: {each.name} has inconsistent batch size: {each.data.shape[0]} expecting: {count}"
            )
        count = each.data.shape[0]


def _written(tensor: Tensor) -> Any:
    data = tensor.data
    if data.dtype.kind in "OSU":
        return _texts(data.tolist(), as_bytes=tensor.name.endswith("_bytes"))
    if data.dtype == np.float16:
        data = data.astype(np.float32)
    if not data.ndim:
        return shortest(data.item()) if data.dtype == np.float32 else data.item()
    return np.ascontiguousarray(data)


def _texts(value: Any, *, as_bytes: bool) -> Any:
    if isinstance(value, list):
        return [_texts(each, as_bytes=as_bytes) for each in value]
    raw = value if isinstance(value, bytes) else str(value).encode()
    try:
        return {"b64": base64.b64encode(raw).decode()} if as_bytes else raw.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(raw).decode()}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _rows(rows: Sequence[Any], types: Mapping[str, str]) -> dict[str, Array]:
    if not isinstance(rows[0], dict) and len(types) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if not _is_object(rows[0]):
        name, dtype = next(iter(types.items()))
        for place, each in enumerate(rows):
            if _is_object(each):
                raise invalid(f"Expecting value/list but got object at item {place} of input list")
        return {name: _batch(rows, dtype, "")}
    wanted = set(types)
    for place, each in enumerate(rows):
        if not _is_object(each):
            raise invalid(f"Expecting object but got list at item {place} of input list")
        strange = sorted(each.keys() - wanted)
        if strange:
            raise invalid(
                f"Failed to process element: {place} key: {strange[0]} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {strange[0]}"
            )
        if len(each) != len(wanted):
            raise invalid(
                f"Failed to process element: {place} of 'instances' list. JSON object: {shown(each)} "
                f"keys must be equal to: {','.join(sorted(wanted))}"
            )
    return {name: _batch([each[name] for each in rows], dtype, name) for name, dtype in types.items()}


def _batch(rows: Sequence[Any], dtype: str, key: str) -> Array:
    """Of one input. All rows have one shape. Raises StatusError."""
    quick = _quick(rows, dtype)
    if quick is not None:
        return quick
    made: list[Array] = []
    for place, each in enumerate(rows):
        try:
            array = _slow(each, dtype)
            if made and made[0].size != array.size:
                raise invalid(f"Expecting tensor size: {made[0].size} but got: {array.size}")
            if made and made[0].shape != array.shape:
                raise invalid(f"Expecting shape {_shape(made[0])} but got: {_shape(array)}")
        except StatusError as error:
            named = f" key: {key}" if key else ""
            raise invalid(
                f"Failed to process element: {place}{named} of 'instances' list. Error: {error.code}: {error.message}"
            ) from None
        made.append(array)
    return np.stack(made)


def _columns(found: Any, types: Mapping[str, str]) -> dict[str, Array]:
    if not _is_object(found):
        if len(types) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        name, dtype = next(iter(types.items()))
        return {name: _one(found, dtype)}
    made = {}
    for name, dtype in types.items():
        if name not in found:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        made[name] = _one(found[name], dtype)
    return made


def _one(value: Any, dtype: str) -> Array:
    quick = _quick(value, dtype)
    return _slow(value, dtype) if quick is None else quick


def _quick(value: Any, dtype: str) -> Array | None:
    """None where the values have to be looked at one by one."""
    if dtype not in DTYPES or dtype == "DT_STRING" or not isinstance(value, list):
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    kind = array.dtype.kind
    if dtype == "DT_BOOL":
        return array if kind == "b" else None
    if dtype in _FLOATS:
        with np.errstate(over="ignore"):
            return array.astype(DTYPES[dtype]) if kind in "iuf" and array.size else None
    if kind not in "iu" or not array.size:
        return None
    lowest, highest = _BITS[dtype]
    fits = lowest <= int(array.min()) and int(array.max()) <= highest
    return array.astype(DTYPES[dtype]) if fits else None


def _slow(value: Any, dtype: str) -> Array:
    """Each element for itself. Raises StatusError."""
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        if not first:
            break
        first = first[0]
    if len(shape) > MAX_RANK:
        raise invalid(f"Encountered list at unexpected level: {MAX_RANK} expected < {MAX_RANK}")
    flat: list[Any] = []
    _fill(value, 0, dtype, shape, flat)
    array = np.empty(math.prod(shape), dtype=object)
    array[:] = flat
    with np.errstate(over="ignore"):
        return array.reshape(shape) if dtype == "DT_STRING" else _numbers(array, dtype).reshape(shape)


def _numbers(array: Array, dtype: str) -> Array:
    if dtype in _BITS:
        # As TensorFlow does, whose smaller integers are cut from larger ones.
        wide = "uint64" if dtype.startswith("DT_UINT64") else "int64"
        return array.astype(wide).astype(DTYPES[dtype])
    return array.astype(DTYPES[dtype])


def _fill(value: Any, level: int, dtype: str, shape: Sequence[int], flat: list[Any]) -> None:
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            raise invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {rank}"
            )
        flat.append(_element(value, dtype))
        return
    if level >= rank:
        raise invalid(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for each in value:
        _fill(each, level + 1, dtype, shape, flat)


def _element(value: Any, dtype: str) -> Any:
    if isinstance(value, dict):
        if dtype == "DT_STRING":
            return decoded(value)
        raise _mismatch(value, dtype)
    if dtype == "DT_STRING":
        if not isinstance(value, str):
            raise _mismatch(value, dtype)
        return value.encode("utf-8", "surrogatepass")
    if dtype == "DT_BOOL":
        if not isinstance(value, bool):
            raise _mismatch(value, dtype)
    elif dtype in _FLOATS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _mismatch(value, dtype)
        return float(value) if abs(value) < 1e308 else value
    elif dtype in _BITS:
        lowest, highest = _BITS[dtype]
        if type(value) is not int or not lowest <= value <= highest:
            raise _mismatch(value, dtype)
    else:
        raise StatusError(
            "UNIMPLEMENTED", f"Conversion of JSON Value: {shown(value)} to type: {spoken(dtype)}"
        )
    return value


def _mismatch(value: Any, dtype: str) -> StatusError:
    return invalid(
        f"JSON Value: {shown(value)} Type: {kind_of(value)} is not of expected type: {spoken(dtype)}"
    )


def _shape(array: Array) -> str:
    return f"[{','.join(map(str, array.shape))}]"
