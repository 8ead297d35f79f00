"""ONNX, by onnxruntime: all inputs and outputs of the graph, texts among them. Loaded by `choosing`.

A sequence of maps, as classifiers of scikit-learn give their probabilities, is a matrix with a column for each key.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    LoadError,
    Metadata,
    ModelError,
    Source,
    Tensor,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import named, rows
from sampan.components.serving.engine.programs.modelserver.runtimes.independence import Evidence
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import model_file
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import MAX_BATCH

# Those of tensors; source: onnxruntime, onnxruntime_pybind, NodeArg.type.
_TYPES = {
    "bool": "BOOL",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "float16": "FP16", "float": "FP32", "double": "FP64", "string": "BYTES",
}  # fmt: skip


def load(source: Source) -> Onnx:
    file = model_file(source.folder, ((".onnx", ".ort"),), "ONNX")
    ort = importlib.import_module("onnxruntime")
    options = ort.SessionOptions()
    if told := source.options.get("nthread") or source.options.get("nthreads"):
        options.intra_op_num_threads = int(told) if told.isdigit() else 0
    try:
        session = ort.InferenceSession(str(file), options, providers=ort.get_available_providers())
    except Exception as error:
        raise LoadError(
            f"{file.name} is not a model that onnxruntime {ort.__version__} reads: {error}"
        ) from error
    return Onnx(source.name, session)


class Onnx:
    """A Runtime."""

    def __init__(self, name: str, session: Any) -> None:
        self._session = session
        inputs, outputs = _specs(session.get_inputs()), _specs(session.get_outputs())
        self.metadata = Metadata(name, "onnxruntime_onnx", inputs, outputs)
        self._rows_may_be_joined = _is_batched(session.get_inputs()) and _is_batched(session.get_outputs())
        self._evidence = Evidence(self._run)

    @property
    def max_batch(self) -> int:
        return MAX_BATCH if self._rows_may_be_joined and self._evidence.is_independent else 0

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        return named.tensors_of_instances(instances, self.metadata.inputs)

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        return self._evidence.predict(inputs) if self._rows_may_be_joined else self._run(inputs)

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        return named.predictions(outputs)

    def close(self) -> None:
        pass

    def _run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        feed = named.arrange(inputs, self.metadata.inputs)
        try:
            found = self._session.run(None, {name: _texts(data) for name, data in feed.items()})
        except Exception as error:
            raise ModelError(str(error)) from error
        outputs = zip(self.metadata.outputs, found, strict=True)
        return [_tensor(spec.name, value) for spec, value in outputs if value is not None]


def _specs(arguments: Sequence[Any]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(each.name, _datatype(each.type), _shape(each)) for each in arguments)


def _datatype(told: str) -> str:
    """Of `tensor(float)`, or of what a sequence of maps holds."""
    if told.startswith("tensor("):
        return _TYPES.get(told[7:-1], "BYTES")
    return _TYPES.get(told.rstrip(")").rpartition(",")[2].rpartition("(")[2], "FP32")


def _shape(argument: Any) -> tuple[int, ...]:
    if not argument.type.startswith("tensor("):
        return (-1, -1)
    return tuple(each if isinstance(each, int) and each > 0 else -1 for each in argument.shape)


def _is_batched(arguments: Sequence[Any]) -> bool:
    """Whether all have a first axis whose size is left open."""
    return all(
        not each.type.startswith("tensor(") or (each.shape and not isinstance(each.shape[0], int))
        for each in arguments
    )


def _texts(data: Array) -> Array:
    return rows.texts(data) if data.dtype.kind == "O" else data


def _tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, list):
        if value and isinstance(value[0], Mapping):
            keys = sorted(value[0])
            matrix = np.array([[each[key] for key in keys] for each in value], dtype=np.float32)
            return rows.tensor(name, matrix, {"columns": ",".join(map(str, keys))})
        value = np.asarray(value)
    return rows.tensor(name, rows.as_bytes(value))
