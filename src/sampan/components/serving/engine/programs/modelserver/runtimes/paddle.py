"""Paddle's inference models: `.pdmodel` or `.json`, with `.pdiparams`. Loaded by `choosing`.

Upstream's server knows the first input and the first output; here all of them have their names.
Source: kserve v0.20.0 python/paddleserver/paddleserver/model.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    ModelError,
    Source,
    Tensor,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import named
from sampan.components.serving.engine.programs.modelserver.runtimes.independence import Evidence
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import model_file
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import MAX_BATCH

# Source: paddle 3.3, paddle.inference.DataType.
_TYPES = {"FLOAT32": "FP32", "FLOAT64": "FP64", "FLOAT16": "FP16", "INT64": "INT64", "INT32": "INT32",
          "INT8": "INT8", "UINT8": "UINT8", "BOOL": "BOOL"}  # fmt: skip


def load(source: Source) -> Paddle:
    program = model_file(source.folder, ((".pdmodel",), (".json",)), "Paddle")
    weights = model_file(source.folder, ((".pdiparams",),), "Paddle")
    try:
        predictor = _predictor(program, weights)
    except Exception as error:
        raise LoadError(f"{program.name} is not a model that this Paddle reads: {error}") from error
    return Paddle(source.name, predictor)


def _predictor(program: Path, weights: Path) -> Any:
    inference = importlib.import_module("paddle.inference")
    config = inference.Config(str(program), str(weights))
    config.disable_gpu()
    config.disable_glog_info()
    return inference.create_predictor(config)


class Paddle:
    """A Runtime."""

    def __init__(self, name: str, predictor: Any) -> None:
        self._predictor = predictor
        self._outputs = list(predictor.get_output_names())
        inputs = tuple(self._spec(each) for each in predictor.get_input_names())
        outputs = tuple(TensorSpec(each, "FP32", (-1,)) for each in self._outputs)
        self.metadata = Metadata(name, "paddle", named.shown(inputs), outputs)
        self._inputs = inputs
        self._evidence = Evidence(self._run)

    @property
    def max_batch(self) -> int:
        return MAX_BATCH if self._evidence.is_independent else 0

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        return named.tensors_of_instances(instances, self._inputs)

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        return self._evidence.predict(inputs)

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        return named.predictions(outputs)

    def close(self) -> None:
        self._predictor = None

    def _run(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        try:
            for name, data in named.arrange(inputs, self._inputs).items():
                self._predictor.get_input_handle(name).copy_from_cpu(data)
            self._predictor.run()
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(str(error)[:1000]) from error
        found = {name: self._predictor.get_output_handle(name).copy_to_cpu() for name in self._outputs}
        return named.tensors_of_outputs(found)

    def _spec(self, name: str) -> TensorSpec:
        handle = self._predictor.get_input_handle(name)
        kind = _TYPES.get(str(handle.type()).rpartition(".")[2], "FP32")
        # Before the first run a handle may know no shape.
        shape = tuple(size if size > 0 else -1 for size in handle.shape())
        return TensorSpec(name, kind, shape if any(size > 0 for size in shape) else named.ANY_SHAPE)
