"""Requests for models of tables: rows of numbers, texts, or columns by name, and answers as tensors.

Called by the runtimes whose models take a matrix or a data frame. What a request means is upstream's, and pandas'
where columns have names; beside that, a row may be a plain object (`{"a": 1, "b": "x"}`), and V2 inputs of several
names are columns without being told so.
Source: kserve v0.20.0 python/kserve/kserve/utils/utils.py (get_predict_input, get_predict_response),
protocol/infer_type.py (as_dataframe).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    ModelError,
    Tensor,
    datatype_of,
)

INPUT = "input-0"
OUTPUT = "output-0"
_FRAME = {"content_type": "pd"}


def tensors_of_rows(instances: Any, columns: Sequence[str] | None = None) -> list[Tensor]:
    """V1's `instances`: a tensor of all, or one for each column. `columns` is what the model wants of a frame."""
    if isinstance(instances, Mapping):
        return _columns(instances)
    if isinstance(instances, np.ndarray):
        return [tensor(INPUT, instances)]
    if not isinstance(instances, (list, tuple)):
        raise ModelError('"instances" must be a list of rows')
    if len(instances) == 0:
        raise ModelError('"instances" is empty: send one row or more')
    first = instances[0]
    if isinstance(first, Mapping) or (
        isinstance(first, (list, tuple)) and first and isinstance(first[0], Mapping)
    ):
        return tensors_of_frame(_frame(instances, columns))
    return [tensor(INPUT, array_of(instances))]


def array_of(values: Any) -> Array:
    """Raises ModelError. Texts and bytes are objects: numpy's lose zeros at their end, and make texts of numbers."""
    try:
        made = np.array(values)
        return np.array(values, dtype=object) if made.dtype.kind in "US" else made
    except ValueError as error:
        raise ModelError("the rows are not all of one length: each must have as many values") from error


def tensor(name: str, data: Array, parameters: Mapping[str, Any] | None = None) -> Tensor:
    return Tensor(name, data, datatype_of(data.dtype), parameters or {})


def tensors_of_frame(frame: Any) -> list[Tensor]:
    return _of_frame({str(name): frame[name].to_numpy() for name in frame.columns})


def is_frame(inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> bool:
    told = parameters.get("content_type") == "pd"
    return told or len(inputs) > 1 or inputs[0].parameters.get("content_type") == "pd"


def frame_of(inputs: Sequence[Tensor], columns: Sequence[str] | None = None) -> Any:
    """A pandas.DataFrame of the inputs, in the order of `columns` where all those are there. Raises ModelError."""
    pandas = _pandas()
    series: dict[str, Any] = {}
    for each in inputs:
        data = texts(each.data)
        if data.ndim == 2 and data.shape[1] == 1:
            data = data[:, 0]
        if data.ndim != 1:
            raise ModelError(
                f"input {each.name!r} has the shape {list(each.data.shape)}: a column of a data frame has one "
                "value a row, so [rows] or [rows, 1]"
            )
        series[each.name] = data
    if len({len(data) for data in series.values()}) > 1:
        raise ModelError("the columns have different numbers of rows")
    frame = pandas.DataFrame(series)
    if columns is None:
        return frame
    missing = [name for name in columns if name not in series]
    if missing:
        raise ModelError(f"columns are missing: {', '.join(missing)}; the model wants {', '.join(columns)}")
    return frame[list(columns)]


def matrix_of(inputs: Sequence[Tensor]) -> Array:
    """The first input, texts in place of bytes."""
    return texts(inputs[0].data)


def texts(data: Array) -> Array:
    """Bytes that are UTF-8 as texts; anything else as it is."""
    if data.dtype.kind != "O":
        return data
    flat = [_text(each) for each in data.ravel()]
    made = np.empty(len(flat), dtype=object)
    made[:] = flat
    return made.reshape(data.shape)


def tensors_of_result(result: Any) -> list[Tensor]:
    """What a model answered, as tensors: one, or for a data frame one for each column."""
    if hasattr(result, "columns") and hasattr(result, "to_numpy"):
        return [tensor(str(name), as_bytes(result[name].to_numpy())) for name in result.columns]
    if hasattr(result, "to_numpy"):
        return [tensor(OUTPUT, as_bytes(result.to_numpy()))]
    if hasattr(result, "toarray"):
        return [tensor(OUTPUT, result.toarray())]
    if isinstance(result, (list, tuple)) and result and all(isinstance(each, np.ndarray) for each in result):
        return [tensor(f"output-{place}", as_bytes(each)) for place, each in enumerate(result)]
    return [tensor(OUTPUT, as_bytes(np.asarray(result)))]


def predictions(outputs: Sequence[Tensor]) -> Any:
    """V1's `predictions` of one output: its rows; of several: an object for each row."""
    if len(outputs) == 1:
        return as_json(outputs[0].data)
    named = {each.name: listed(each.data) for each in outputs}
    rows = min((len(values) for values in named.values()), default=0)
    return [{name: values[row] for name, values in named.items()} for row in range(rows)]


def listed(data: Array) -> list[Any]:
    """As JSON has it: bytes are texts."""
    found = texts(data).tolist()
    return found if isinstance(found, list) else [found]


def as_json(data: Array) -> Any:
    """Numbers as an array, which is written at once; of 32 bits as upstream's `tolist` has them."""
    if data.dtype.kind in "OUS" or data.ndim == 0:
        return texts(data).tolist()
    return data.astype(np.float64) if data.dtype in (np.float32, np.float16) else data


def as_bytes(data: Array) -> Array:
    """Texts as BYTES has them: an array of objects, each bytes. Numbers as they are."""
    if data.dtype.kind not in "OUSMm":
        return data
    flat = [each if isinstance(each, bytes) else str(each).encode() for each in data.ravel().tolist()]
    made = np.empty(len(flat), dtype=object)
    made[:] = flat
    return made.reshape(data.shape)


def _columns(named: Mapping[str, Any]) -> list[Tensor]:
    """Columns by name: `{"a": [1, 2], "b": ["x", "y"]}`."""
    if not named:
        raise ModelError("the inputs are empty: send one column or more by name")
    return _of_frame(
        {
            name: array_of(values if isinstance(values, (list, tuple)) else [values])
            for name, values in named.items()
        }
    )


def _of_frame(columns: Mapping[str, Array]) -> list[Tensor]:
    """Several columns are a frame anyway; and tensors without parameters may be joined with those of other requests."""
    told = _FRAME if len(columns) == 1 else None
    return [tensor(name, data, told) for name, data in columns.items()]


def _frame(instances: Sequence[Any], columns: Sequence[str] | None) -> Any:
    pandas = _pandas()
    try:
        frames = [_frame_of_instance(pandas, each, columns) for each in instances]
        return pandas.concat(frames, axis=0)
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"the rows are no data frame: {error}") from error


def _frame_of_instance(pandas: Any, instance: Any, columns: Sequence[str] | None) -> Any:
    is_row = isinstance(instance, Mapping) and not any(
        isinstance(value, (Mapping, list, tuple)) for value in instance.values()
    )
    return pandas.DataFrame([instance] if is_row else instance, columns=columns)


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError:
        raise ModelError(
            "columns by name need pandas, which this environment does not have: send rows of values"
        ) from None


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
