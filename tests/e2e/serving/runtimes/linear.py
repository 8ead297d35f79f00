"""A runtime for tests of the server itself: y = x @ weights, of numpy alone.

`model.json` in the folder holds the weights, and what else the model is to do: `seconds` that it takes, `max_batch`.
Rows of zeros are refused, rows of which the first is -1 make it fail as no runtime should, -2 ends the process.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Metadata,
    ModelError,
    ModelMissingError,
    Source,
    Tensor,
    TensorSpec,
    datatype_of,
)


class Linear:
    def __init__(self, source: Source) -> None:
        try:
            told = json.loads(Path(source.folder, "model.json").read_text())
        except FileNotFoundError:
            raise ModelMissingError(f"there is no model.json in {source.folder}") from None
        self._weights = np.array(told["weights"], dtype=float)
        self._seconds = told.get("seconds", 0)
        self.max_batch = told.get("max_batch", 64)
        size = len(self._weights)
        self.metadata = Metadata(
            source.name,
            "linear",
            (TensorSpec("x", "FP64", (-1, size)),),
            (
                TensorSpec("y", "FP64", (-1,)),
                TensorSpec("rows", "INT64", (-1,)),
                TensorSpec("who", "BYTES", (-1,)),
            ),
            ("1",),
        )
        self._is_closed = False

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        try:
            data = np.array(instances, dtype=float)
        except (TypeError, ValueError):
            raise ModelError("instances have to be lists of numbers") from None
        return [Tensor("x", data, "FP64")]

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        assert not self._is_closed
        x = inputs[0].data
        if x.ndim != 2 or x.shape[1] != len(self._weights):
            raise ModelError(f"x has to have {len(self._weights)} columns")
        if len(x) and (x == 0).all(axis=1).any():
            raise ModelError("a row of zeros means nothing")
        if len(x) and x[0, 0] == -1:
            raise FileNotFoundError("/home/someone/secret/model.bin is missing")
        if len(x) and x[0, 0] == -2:
            os._exit(3)
        if self._seconds:
            print("at work", flush=True)
            time.sleep(self._seconds)
        y = x @ self._weights * float(parameters.get("factor", 1))
        # How many rows were predicted together: tests see batches by it.
        rows = np.full(len(x), len(x))
        who = np.array([b"pid %d" % os.getpid()] * len(x), dtype=object)
        return [
            Tensor("y", y, "FP64"),
            Tensor("rows", rows, datatype_of(rows.dtype)),
            Tensor("who", who, "BYTES"),
        ]

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        return outputs[0].data

    def close(self) -> None:
        self._is_closed = True


def load(source: Source) -> Linear:
    return Linear(source)
