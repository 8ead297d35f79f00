"""The prepackaged servers of scikit-learn, XGBoost, LightGBM and MLflow, and the proxy of TENSORFLOW_SERVER.

They read models as the model server's runtimes do, in more formats than upstream's. Source: seldon-core 1.18.2 servers.
"""

from __future__ import annotations

import importlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonComponent,
    SeldonMicroserviceException,
    SeldonNotImplementedError,
)

_RUNTIMES = "sampan.components.serving.engine.programs.modelserver.runtimes"
_CONTRACT = "sampan.components.serving.engine.programs.modelserver.contract"
_PASSED_ON = 600.0
"""Seconds until TensorFlow Serving has to answer."""


class _Server(SeldonComponent):
    def __init__(self, model_uri: str) -> None:
        self.model_uri = model_uri.removeprefix("file://")

    def init_metadata(self) -> Any:
        """What lies beside the model in `metadata.yaml`."""
        file = Path(self.model_uri) / "metadata.yaml"
        if not file.is_file():
            return {}
        try:
            yaml: Any = importlib.import_module("yaml")
            return yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except Exception as error:
            print(f"metadata.yaml of the model cannot be read: {error}", flush=True)
            return {}


class SKLearnServer(_Server):
    """`method` is the estimator's own: `predict_proba`, where it has that, `decision_function` or `predict`."""

    def __init__(self, model_uri: str, method: str = "predict_proba") -> None:
        super().__init__(model_uri)
        self.method = method
        self._model: Any = None

    def load(self) -> None:
        files: Any = importlib.import_module(f"{_RUNTIMES}.model_files")
        pickles: Any = importlib.import_module(f"{_RUNTIMES}.pickles")
        file = files.model_file(self.model_uri, (pickles.SKOPS, pickles.PICKLES), "scikit-learn")
        self._model = pickles.read_object(file, dict(os.environ))
        if self.method == "predict_proba" and not hasattr(self._model, "predict_proba"):
            # Upstream's has no answer then, and most regressors are such.
            self.method = "predict"

    def predict(self, rows: Any, _names: Any, meta: Any = None) -> Any:
        known = ("predict_proba", "decision_function")
        return getattr(self._model, self.method if self.method in known else "predict")(rows)


class _Runtime(_Server):
    """By a runtime of the model server."""

    module = ""

    def __init__(self, model_uri: str, **options: Any) -> None:
        super().__init__(model_uri)
        self._options = options
        self._runtime: Any = None

    def load(self) -> None:
        contract: Any = importlib.import_module(_CONTRACT)
        runtime: Any = importlib.import_module(f"{_RUNTIMES}.{self.module}")
        name = os.environ.get("PREDICTIVE_UNIT_ID") or "model"
        self._runtime = runtime.load(contract.Source(name, self.model_uri, dict(os.environ)))

    def predict(self, rows: Any, names: Any, meta: Any = None) -> Any:
        return self._predicted(rows.tolist() if isinstance(rows, np.ndarray) else rows)

    def _predicted(self, instances: Any) -> Any:
        contract: Any = importlib.import_module(_CONTRACT)
        try:
            outputs = self._runtime.run(self._runtime.from_instances(instances), {})
        except contract.ModelError as error:
            raise SeldonMicroserviceException(str(error)) from error
        found = self._runtime.to_predictions(outputs)
        return np.array(found) if isinstance(found, list) else found


class XGBoostServer(_Runtime):
    module = "xgboost"


class LightGBMServer(_Runtime):
    module = "lightgbm"


class MLFlowServer(_Runtime):
    """With `xtype` `DataFrame` the model gets the columns' names."""

    module = "mlflow"

    def __init__(self, model_uri: str, xtype: str = "ndarray") -> None:
        super().__init__(model_uri)
        self._with_names = xtype != "ndarray"
        self._columns: list[str] | None = None

    def predict(self, rows: Any, names: Any, meta: Any = None) -> Any:
        listed = rows.tolist() if isinstance(rows, np.ndarray) else rows
        if self._with_names and names and isinstance(listed, list):
            listed = [dict(zip(names, row, strict=False)) if isinstance(row, list) else row for row in listed]
        found = self._predicted(listed)
        if isinstance(found, np.ndarray) and found.dtype == object and found.size and _are_rows(found):
            # A table: its columns are the classes.
            self._columns = [str(column) for column in found[0]]
            found = np.array([list(row.values()) for row in found])
        return found

    def class_names(self) -> Any:
        if self._columns is None:
            raise SeldonNotImplementedError("prediction result is not a dataframe")
        return self._columns


class TfServingProxy:
    """Asks TensorFlow Serving beside it. Messages with `jsonData` are passed on as they are."""

    def __init__(
        self,
        rest_endpoint: str = "http://0.0.0.0:2001",
        grpc_endpoint: str = "",
        model_name: str = "model",
        signature_name: str = "serving_default",
        model_input: str = "",
        model_output: str = "",
    ) -> None:
        self._url = f"{rest_endpoint.replace('//0.0.0.0', '//127.0.0.1')}/v1/models/{model_name}:predict"
        self._signature, self._output = signature_name, model_output

    def predict(self, rows: Any, _names: Any, meta: Any = None) -> Any:
        if isinstance(rows, Mapping):
            return self._asked(dict(rows))
        if not isinstance(rows, np.ndarray):
            raise SeldonMicroserviceException("strData and binData are not for TensorFlow Serving")
        answer = self._asked({"instances": rows.tolist(), "signature_name": self._signature})
        found = answer.get("predictions")
        if isinstance(found, list) and found and isinstance(found[0], dict):
            name = self._output or next(iter(found[0]))
            found = [row.get(name) for row in found]
        return np.array(found)

    def _asked(self, body: dict[str, Any]) -> dict[str, Any]:
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), head)  # noqa: S310 - beside it
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_PASSED_ON) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                told = error.read(10_000).decode("utf-8", "replace")
            raise SeldonMicroserviceException(f"TensorFlow Serving: {told}", error.code) from error
        except OSError as error:
            raise SeldonMicroserviceException(f"TensorFlow Serving is not there: {error}", 503) from error


def _are_rows(found: Any) -> bool:
    return all(isinstance(row, dict) for row in found)
