"""Requests for models of tensors, whose inputs have names, datatypes and shapes.

Called by `onnx`, `tensorflow`, `pytorch`, `paddle` and `openvino`. V1's rows go to the one input, or are objects with a
value for each; V2's inputs are found by name, or by their order where the names are the protocol's rather than the
model's (`input-0`, `INPUT__0`). Numbers are converted within their kind, never from fractions to whole ones.
Source: tensorflow/serving tensorflow_serving/g3doc/api_rest.md (row and columnar format, base64);
kserve v0.20.0 python/paddleserver/paddleserver/model.py.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    ModelError,
    Tensor,
    TensorSpec,
    dtype_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import rows
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import wanted

ANY_SHAPE: tuple[int, ...] = (-2,)
"""Of an input about which the model's file says nothing."""
_BY_PLACE = re.compile(r"(?:input|output|in|out|x|data)?[-_.]*\d*\Z", re.IGNORECASE)


def tensors_of_instances(instances: Any, specs: Sequence[TensorSpec]) -> list[Tensor]:
    """V1's `instances`, or `inputs` by name, for a model that takes `specs`. Raises ModelError."""
    if isinstance(instances, np.ndarray):
        return [_cast(rows.INPUT, instances, _only(specs))]
    if isinstance(instances, Mapping):
        return _by_name({name: _plain(value) for name, value in instances.items()}, specs)
    if not isinstance(instances, (list, tuple)):
        raise ModelError('"instances" must be a list')
    if not instances:
        raise ModelError('"instances" is empty: send one or more')
    if isinstance(instances[0], Mapping) and "b64" not in instances[0]:
        return _by_name(_columns(instances), specs)
    only = _only(specs)
    return [_cast(only.name if only else rows.INPUT, rows.array_of(_plain(instances)), only)]


def arrange(inputs: Sequence[Tensor], specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """V2's inputs under the model's own names, in its datatypes. Raises ModelError, which says what is wanted."""
    by_name = {each.name: each for each in inputs}
    known = {spec.name for spec in specs}
    if not by_name.keys() <= known:
        placed = len(inputs) == len(specs) and all(
            name in known or len(specs) == 1 or _BY_PLACE.match(name) for name in by_name
        )
        if not placed:
            strange = ", ".join(sorted(by_name.keys() - known))
            raise ModelError(f"the model has no input {strange}: {wanted(specs)}")
        by_name = {spec.name: each for spec, each in zip(specs, inputs, strict=True)}
    missing = [spec.name for spec in specs if spec.name not in by_name]
    if missing:
        raise ModelError(f"missing input {', '.join(missing)}: {wanted(specs)}")
    return {spec.name: _fit(by_name[spec.name].data, spec) for spec in specs}


def tensors_of_outputs(outputs: Mapping[str, Array]) -> list[Tensor]:
    return [rows.tensor(name, rows.as_bytes(np.asarray(data))) for name, data in outputs.items()]


def predictions(outputs: Sequence[Tensor]) -> Any:
    """V1's `predictions`: of one output its rows, of several an object for each row, or one where they have no rows."""
    if len(outputs) == 1:
        data = outputs[0].data
        return _listed(outputs[0]) if data.dtype.kind == "O" or data.ndim == 0 else rows.as_json(data)
    counts = {each.data.shape[0] if each.data.ndim else -1 for each in outputs}
    named = {each.name: _listed(each) for each in outputs}
    if len(counts) != 1 or counts == {-1}:
        return named
    return [{name: values[row] for name, values in named.items()} for row in range(counts.pop())]


def _listed(tensor: Tensor) -> Any:
    """Bytes that are no text, or said to be none by their name, go as base64."""
    if tensor.data.dtype.kind == "O" and (
        tensor.name.endswith("_bytes")
        or any(isinstance(each, bytes) for each in rows.texts(tensor.data).ravel())
    ):
        return _encoded(tensor.data.tolist())
    return rows.texts(tensor.data).tolist()


def _encoded(values: Any) -> Any:
    if isinstance(values, list):
        return [_encoded(each) for each in values]
    return {"b64": base64.b64encode(values).decode()}


def _only(specs: Sequence[TensorSpec]) -> TensorSpec | None:
    if len(specs) > 1:
        names = ", ".join(spec.name for spec in specs)
        raise ModelError(f"the model has several inputs: send each instance as an object with {names}")
    return specs[0] if specs else None


def _columns(instances: Sequence[Any]) -> dict[str, Any]:
    names = list(instances[0])
    if not all(isinstance(each, Mapping) and list(each) == names for each in instances):
        same = all(isinstance(each, Mapping) and set(each) == set(names) for each in instances)
        if not same:
            raise ModelError("the instances do not all have the same names")
    return {name: [_plain(each[name]) for each in instances] for name in names}


def _by_name(values: Mapping[str, Any], specs: Sequence[TensorSpec]) -> list[Tensor]:
    by_name = {spec.name: spec for spec in specs}
    if not specs:
        return [_cast(name, rows.array_of(value), None) for name, value in values.items()]
    if len(specs) == 1 and len(values) == 1 and next(iter(values)) not in by_name:
        return [_cast(specs[0].name, rows.array_of(next(iter(values.values()))), specs[0])]
    strange = [name for name in values if name not in by_name]
    if strange:
        raise ModelError(f"the model has no input {', '.join(strange)}: {wanted(specs)}")
    return [_cast(name, rows.array_of(value), by_name[name]) for name, value in values.items()]


def _cast(name: str, data: Array, spec: TensorSpec | None) -> Tensor:
    """JSON has one kind of number: it becomes what the model wants. Raises ModelError."""
    if spec is None:
        if data.dtype == np.float64:
            data = data.astype(np.float32)
        return rows.tensor(name, rows.as_bytes(data))
    if spec.datatype == "BYTES":
        return rows.tensor(name, _fit(rows.as_bytes(data), spec))
    if (
        data.dtype.kind == "f"
        and spec.datatype.startswith(("INT", "UINT"))
        and np.all(data == np.round(data))
    ):
        data = data.astype(dtype_of(spec.datatype))
    return rows.tensor(name, _fit(data, spec))


def _fit(data: Array, spec: TensorSpec) -> Array:
    """In the model's datatype and shape. Raises ModelError."""
    kind = dtype_of(spec.datatype)
    if data.dtype != kind:
        if not _converts(data.dtype, kind):
            raise ModelError(
                f"input {spec.name!r} has the datatype {rows.tensor('', data).datatype}: "
                f"the model wants {spec.datatype} of shape {list(spec.shape)}"
            )
        data = rows.as_bytes(data) if kind.kind == "O" else data.astype(kind)
    if len(spec.shape) == data.ndim + 1 and spec.shape[-1] == 1:
        # A column, sent as its values.
        data = data.reshape((*data.shape, 1))
    matches = len(spec.shape) == data.ndim and all(
        want < 0 or want == has for want, has in zip(spec.shape, data.shape, strict=True)
    )
    if spec.shape != ANY_SHAPE and not matches:
        raise ModelError(
            f"input {spec.name!r} has the shape {list(data.shape)}: "
            f"the model wants {list(spec.shape)} of datatype {spec.datatype}"
        )
    return data


def shown(specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """For metadata, which has no sign for any number of axes."""
    return tuple(
        TensorSpec(each.name, each.datatype, (-1,)) if each.shape == ANY_SHAPE else each for each in specs
    )


def _converts(one: np.dtype[Any], other: np.dtype[Any]) -> bool:
    if other.kind == "O" or one.kind == "O":
        return one.kind in "OUS" and other.kind == "O"
    if one.kind in "iu" and other.kind in "iu":
        return True
    return one.kind in "iufb" and other.kind == "f"


def _plain(value: Any) -> Any:
    """With `{"b64": …}` decoded, however deep. Raises ModelError."""
    if isinstance(value, Mapping):
        if set(value) != {"b64"}:
            raise ModelError('an object within a value can only be base64: {"b64": …}')
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise ModelError(f"b64 is no base64: {error}") from error
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (Mapping, list, tuple)):
        return [_plain(each) for each in value]
    return value
