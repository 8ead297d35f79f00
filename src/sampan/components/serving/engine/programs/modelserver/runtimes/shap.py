"""Explanations by Shapley values: what each column adds to a row's answer. Of an explainer, or of a predictor too.

By SHAP's own algorithms. Trees and linear models exactly, from the model's file, which lies in the explainer's folder
as in the predictor's; anything else, and a model that only its predictor knows, by KernelSHAP, which asks it about
mixtures of the row and of background rows. Those are in the request (`background`), or in the folder
(`background.csv`, `.npy`, `.json`). With a model in the folder `:predict` is answered as well; otherwise it is passed
on to the predictor.
Lundberg and Lee, "A unified approach to interpreting model predictions" (NIPS 2017): eq. 8 is KernelSHAP.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    LoadError,
    Metadata,
    ModelError,
    ModelMissingError,
    Opaque,
    Runtime,
    Source,
    Tensor,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import rows
from sampan.components.serving.engine.programs.modelserver.runtimes.asking import (
    Predictor,
    predictor_of,
    whole_number,
)

_BACKGROUND = ("background.npy", "background.csv", "background.json")
_SAMPLES = 0
"""KernelSHAP's own choice."""


def load(source: Source) -> Explainer:
    try:
        importlib.import_module("shap")
    except ImportError as error:
        raise LoadError("This environment has no SHAP: use the image sampan/shap-explainer.") from error
    predictor = predictor_of(source)
    runtime: Runtime | Opaque | None = None
    options = {key: value for key, value in source.options.items() if key != "runtime"}
    try:
        choosing = importlib.import_module(f"{__name__.rpartition('.')[0]}.choosing")
        runtime = choosing.load(replace(source, options=options))
    except ModelMissingError:
        if predictor is None:
            raise
    return Explainer(source, runtime, predictor)


class Explainer:
    """An Opaque."""

    def __init__(self, source: Source, runtime: Runtime | Opaque | None, predictor: Predictor | None) -> None:
        self._runtime, self._predictor = runtime, predictor
        self._background = _background_of(source.folder)
        self._samples = whole_number(source, "nsamples", _SAMPLES)
        self.metadata = runtime.metadata if runtime is not None else Metadata(source.name, "shap")
        self._lock = asyncio.Lock()

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        if not isinstance(body, Mapping):
            raise ModelError("the body has to be an object with instances")
        async with self._lock:
            if verb == "explain":
                return {"explanations": await asyncio.to_thread(self._explain, body)}
            return await asyncio.to_thread(self._predict, body)

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]:
        async with self._lock:
            runtime: Any = self._runtime
            if not hasattr(runtime, "from_instances"):
                data = rows.matrix_of(inputs)
                return rows.tensors_of_result(await asyncio.to_thread(self._asked().predict, data))
            return await asyncio.to_thread(runtime.run, inputs, parameters)

    async def openai(
        self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        raise ModelError("the model is no language model")

    def close(self) -> None:
        if self._runtime is not None:
            self._runtime.close()

    def _asked(self) -> Predictor:
        if self._predictor is None:
            raise ModelError("the explainer knows no predictor: --predictor_host names it")
        return self._predictor

    def _predict(self, body: Mapping[str, Any]) -> Any:
        runtime: Any = self._runtime
        if not hasattr(runtime, "from_instances"):
            return self._asked().document("predict", body)
        outputs = runtime.run(runtime.from_instances(_instances(body)), {})
        return {"predictions": runtime.to_predictions(outputs)}

    def _explain(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        told = _instances(body)
        background = body.get("background", self._background)
        try:
            return self._explained(told, background)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"{type(error).__name__}: {error}"[:1000]) from error

    def _explained(self, told: Any, background: Any) -> Mapping[str, Any]:
        shap = importlib.import_module("shap")
        inputs = rows.tensors_of_rows(told)
        matrix = rows.frame_of(inputs) if rows.is_frame(inputs, {}) else rows.matrix_of(inputs)
        model = getattr(self._runtime, "model", None)
        method, explainer = self._explainer(shap, model, background)
        found = explainer(matrix)
        names = found.feature_names if found.feature_names is not None else getattr(matrix, "columns", None)
        return {
            "method": method,
            "values": np.asarray(found.values),
            "base_values": np.asarray(found.base_values),
            "data": np.asarray(found.data) if found.data is not None else np.asarray(matrix),
            "feature_names": [str(each) for each in names] if names is not None else None,
        }

    def _explainer(self, shap: Any, model: Any, background: Any) -> tuple[str, Callable[[Any], Any]]:
        if model is not None and _has_trees(model):
            return "tree", shap.TreeExplainer(model)
        if background is None:
            raise ModelError(
                'explaining this model needs rows to compare with: send them as "background", or have a file '
                "background.csv beside the model"
            )
        data = np.asarray(background)
        if data.ndim != 2 or data.dtype.kind not in "iufb":
            raise ModelError('"background" has to be a list of rows of numbers')
        if model is not None and hasattr(model, "coef_"):
            return "linear", shap.LinearExplainer(model, data)
        kernel = shap.KernelExplainer(self._function(model), data)
        more = {"nsamples": self._samples} if self._samples else {}
        return "kernel", lambda asked: _kernel(kernel, np.asarray(asked, dtype=float), more)

    def _function(self, model: Any) -> Callable[[Array], Any]:
        for name in ("predict_proba", "predict"):
            if callable(getattr(model, name, None)):
                asked: Callable[[Array], Any] = getattr(model, name)
                return asked
        runtime: Any = self._runtime
        if hasattr(runtime, "from_instances"):
            return lambda data: runtime.run(runtime.from_instances(data.tolist()), {})[0].data
        return self._asked().predict


def _kernel(kernel: Any, asked: Array, more: Mapping[str, int]) -> Any:
    values = kernel.shap_values(asked, silent=True, **more)
    explanation = importlib.import_module("shap").Explanation
    return explanation(np.asarray(values), base_values=kernel.expected_value, data=asked)


def _has_trees(model: Any) -> bool:
    """Whether it is a model of trees that SHAP reads: of the libraries of trees, or scikit-learn's own."""
    kind = type(model)
    library = kind.__module__.partition(".")[0]
    if library in ("xgboost", "lightgbm", "catboost"):
        return True
    return library == "sklearn" and (
        hasattr(model, "tree_") or _are_trees(getattr(model, "estimators_", None))
    )


def _are_trees(estimators: Any) -> bool:
    flat: Any = np.asarray(estimators, dtype=object).ravel() if estimators is not None else []
    return len(flat) > 0 and all(hasattr(each, "tree_") for each in flat)


def _instances(body: Mapping[str, Any]) -> Any:
    found = body.get("instances", body.get("inputs"))
    if not found:
        raise ModelError('"instances" must be a list of one row or more')
    return found


def _background_of(folder: str) -> Array | None:
    """Raises LoadError."""
    for name in _BACKGROUND:
        file = Path(folder) / name
        if not file.is_file():
            continue
        try:
            if name.endswith(".npy"):
                return np.asarray(np.load(file, allow_pickle=False))
            if name.endswith(".json"):
                return np.asarray(json.loads(file.read_bytes()), dtype=float)
            has_head = any(
                letter.isalpha() for letter in file.open(encoding="utf-8").readline().replace("e", "")
            )
            return np.loadtxt(file, delimiter=",", skiprows=int(has_head), ndmin=2)
        except (OSError, ValueError) as error:
            raise LoadError(f"{name} is no table of numbers: {error}") from error
    return None
