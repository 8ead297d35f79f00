"""The classes of upstream's example images: `mock_classifier`, `fixed-model`, `echo-model`, `sklearn-iris` and others.

Written for the purpose, to answer as those do. Source: seldon-core 1.18.2 examples/models/mean_classifier,
testing/docker/{fixed-model,echo-model},
testing/s2i/python-features, examples/{models/sklearn_iris,transformers/mean_transformer}.
"""

from __future__ import annotations

import importlib
import math
import os
import secrets
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.seldon_microservice.component import SeldonComponent

_THRESHOLD = 35 / 12
"""The mean of the array that upstream's image has as its model."""


class MeanClassifier:
    def __init__(self, intValue: int = 0, delaySecs: int = 0) -> None:  # noqa: N803 - parameters' names
        if not isinstance(intValue, int) or not isinstance(delaySecs, int):
            raise TypeError("intValue and delaySecs parameters must be integers")
        self.class_names = ["proba"]
        self._threshold, self._delay = _THRESHOLD + intValue, delaySecs

    def predict(self, rows: Any, _names: Any) -> list[list[float]]:
        rows = np.array(rows)
        if rows.ndim != 2:
            raise ValueError("Incorrect shape: the rows of a matrix are classified")
        if self._delay:
            time.sleep(self._delay)
        return [[1 / (1 + math.exp(min(self._threshold - float(row.mean()), 700)))] for row in rows]

    def health_status(self) -> dict[str, str]:
        return {"status": "ok"}

    def metadata(self) -> dict[str, Any]:
        return {"metadata": {"modelName": "mean_classifier"}}


class MeanTransformer:
    """`mock_transformer`: all values between those that are the least and the greatest, from 0 to 1."""

    def transform_input(self, rows: Any, _names: Any) -> Any:
        rows = np.array(rows)
        least, greatest = rows.min(), rows.max()
        return np.zeros_like(rows) if least == greatest else (rows - least) / (greatest - least)


class IrisClassifier:
    """`sklearn-iris`: the model is fitted when it starts, to the data that scikit-learn brings along."""

    def __init__(self) -> None:
        data: Any = importlib.import_module("sklearn.datasets").load_iris()
        linear: Any = importlib.import_module("sklearn.linear_model").LogisticRegression(solver="liblinear")
        # As its `multi_class="ovr"` was.
        self._model = importlib.import_module("sklearn.multiclass").OneVsRestClassifier(linear)
        self._model.fit(data.data, data.target)

    def predict(self, rows: Any, _names: Any) -> Any:
        return self._model.predict_proba(rows)


class _Fixed:
    answer: Sequence[int] = ()

    def predict(self, _rows: Any, _names: Any) -> list[int]:
        return list(self.answer)

    def send_feedback(self, _rows: Any, _names: Any, _reward: float, _truth: Any) -> list[Any]:
        return []


class ModelV1(_Fixed):
    answer = (1, 2, 3, 4)


class ModelV2(_Fixed):
    answer = (5, 6, 7, 8)


class EchoModel(SeldonComponent):
    def predict(self, rows: Any, names: Any, meta: Any = None) -> Any:
        return rows

    def metrics(self) -> list[dict[str, Any]]:
        return [
            {"type": "COUNTER", "key": "mycounter", "value": 1},
            {"type": "GAUGE", "key": "mygauge", "value": 100},
            {"type": "TIMER", "key": "mytimer", "value": 20.2},
        ]


class Node:
    """Of every type, hands on what it gets: `metadata-generic-node`, whose metadata MODEL_METADATA says."""

    def predict(self, features: Any, _names: Any, meta: Any = None) -> Any:
        return features.tolist()

    transform_input = transform_output = predict

    def aggregate(self, features: Any, _names: Any, meta: Any = None) -> Any:
        return [each.tolist() for each in features]

    def route(self, _features: Any, _names: Any, meta: Any = None) -> int:
        return secrets.randbelow(int(os.environ.get("NUMBER_OF_ROUTES", "2")))


class ModelOne:
    """With the next two: `test_tags_one`, `_two` and `_combiner`."""

    name, common = "model-1", 1

    def predict(self, _rows: Any, _names: Any, meta: Any = None) -> list[str]:
        return [self.name]

    def tags(self) -> dict[str, Any]:
        return {self.name: "yes", "common": self.common}


class ModelTwo(ModelOne):
    name, common = "model-2", 2


class Combiner:
    def aggregate(self, features: Any, _names: Any) -> Any:
        return np.array(features).tolist()

    def tags(self) -> dict[str, Any]:
        return {"combiner": "yes"}


class ModelMetadata:
    """`test_metadata_modelmetadata`."""

    def predict(self, features: Any, _names: Any, meta: Any = None) -> Any:
        return features

    def init_metadata(self) -> dict[str, Any]:
        schema = {"names": ["a", "b", "c", "d"], "shape": [4]}
        return {
            "name": "my-model-name",
            "versions": ["my-model-version-01"],
            "platform": "seldon",
            "inputs": [{"messagetype": "tensor", "schema": schema}],
            "outputs": [{"messagetype": "tensor", "schema": {"shape": [1]}}],
            "custom": {"tag-key": "tag-value"},
        }
