"""What runtimes of models of tables share: a matrix or a data frame in, a row of answers for each row.

Made by `sklearn`, `xgboost`, `lightgbm`, `catboost`, `pmml` and `mlflow`, each with the function that predicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import (
    Metadata,
    ModelError,
    Tensor,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import rows
from sampan.components.serving.engine.programs.modelserver.runtimes.independence import Evidence

MAX_BATCH = 1024
"""Rows at once: beyond, a tree or a matrix gains nothing more."""


class Table:
    """A Runtime. `predict` takes a matrix, a list of texts or a data frame, whichever was sent."""

    def __init__(
        self,
        metadata: Metadata,
        predict: Callable[[Any], Any],
        *,
        columns: Sequence[str] | None = None,
        fills: bool = False,
        independent: bool | None = True,
        model: Any = None,
    ) -> None:
        """`fills`: columns that a V1 frame lacks are missing values to the model. `independent`: whether rows are;
        None where that is to be seen. `model`: the library's own object, which explainers look at."""
        self.metadata = metadata
        self.model = model
        self._predict = predict
        self._columns = tuple(columns) if columns is not None else None
        self._fills = fills
        self._independent = independent
        self._evidence = Evidence(self._run) if independent is None else None

    @property
    def max_batch(self) -> int:
        known = self._independent if self._evidence is None else self._evidence.is_independent
        return MAX_BATCH if known else 0

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        return rows.tensors_of_rows(instances, self._columns if self._fills else None)

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        if not inputs:
            raise ModelError(f"no inputs: {self._wanted()}")
        if parameters.get("content_type") == "pd" and not rows.is_frame(inputs, {}):
            inputs = [Tensor(each.name, each.data, each.datatype, _AS_FRAME) for each in inputs]
        return self._run(inputs) if self._evidence is None else self._evidence.predict(inputs)

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        return rows.predictions(outputs)

    def close(self) -> None:
        pass

    def _run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        told = rows.frame_of(inputs, self._columns) if rows.is_frame(inputs, {}) else self._matrix(inputs)
        try:
            result = self._predict(told)
        except (ModelError, MemoryError):
            raise
        except Exception as error:
            raise ModelError(f"{_message(error)} ({self._wanted()})") from error
        return rows.tensors_of_result(result)

    def _matrix(self, inputs: Sequence[Tensor]) -> Any:
        data = rows.matrix_of(inputs)
        # A list of texts, as V1's, is what a text model takes; many clients send it as one column.
        takes_texts = not any(len(each.shape) == 2 for each in self.metadata.inputs)
        if data.dtype.kind == "O" and data.ndim == 2 and data.shape[1] == 1 and takes_texts:
            data = data[:, 0]
        return data.tolist() if data.dtype.kind == "O" and data.ndim == 1 else data

    def _wanted(self) -> str:
        return wanted(self.metadata.inputs)


def wanted(inputs: Sequence[TensorSpec]) -> str:
    """What to send, for a message."""
    if not inputs:
        return "send rows of values"
    return "the model wants " + ", ".join(
        f"{each.name} of shape {list(each.shape)} and datatype {each.datatype}" for each in inputs
    )


def column_specs(names: Sequence[str], datatype: str = "FP64") -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, datatype, (-1,)) for name in names)


def matrix_spec(features: int | None, datatype: str = "FP64") -> tuple[TensorSpec, ...]:
    return (TensorSpec(rows.INPUT, datatype, (-1, features if features else -1)),)


def _message(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text if len(text) <= 1000 else f"{text[:1000]} …"


_AS_FRAME: Mapping[str, Any] = {"content_type": "pd"}
