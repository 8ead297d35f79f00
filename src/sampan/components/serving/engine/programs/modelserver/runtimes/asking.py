"""The predictor that an explainer asks, many times for one explanation. Called by `shap` and `art`, in threads.

Plain http.client: an explainer's environment need have no other. The predictor speaks V1 or V2.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    LoadError,
    ModelError,
    Source,
)

_SECONDS = 600.0


class Predictor:
    """Of one model. For any thread, one at a time."""

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        told = options.get("predictor_host", "")
        host, slash, path = told.removeprefix("http://").removeprefix("https://").partition("/")
        self._host, self._base = host, f"/{path.rstrip('/')}" if slash and path else ""
        self._name = name
        self._is_v2 = options.get("predictor_protocol", "v1") == "v2"
        secure = options.get("predictor_use_ssl", "").lower() == "true"
        self._connection = http.client.HTTPSConnection if secure else http.client.HTTPConnection

    def predict(self, data: Array) -> Array:
        """Raises ModelError with what the predictor said."""
        if not self._is_v2:
            return np.asarray(self.document("predict", {"instances": data.tolist()}).get("predictions"))
        tensor = {
            "name": "input-0",
            "shape": list(data.shape),
            "datatype": "FP64",
            "data": data.ravel().tolist(),
        }
        answer = self._sent(f"/v2/models/{self._name}/infer", {"inputs": [tensor]})
        found = answer["outputs"][0]
        return np.asarray(found["data"]).reshape(found["shape"])

    def document(self, verb: str, body: Any) -> Mapping[str, Any]:
        """V1. Raises ModelError."""
        return self._sent(f"/v1/models/{self._name}:{verb}", body)

    def _sent(self, path: str, document: Any) -> Mapping[str, Any]:
        connection = self._connection(self._host, timeout=_SECONDS)
        try:
            body = json.dumps(document).encode()
            connection.request("POST", self._base + path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            found = json.loads(text)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ModelError(f"the predictor {self._host} is not reached: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status != 200 or not isinstance(found, dict):
            said = found.get("error", found) if isinstance(found, dict) else found
            raise ModelError(f"the predictor answered {answer.status}: {said}"[:1000])
        return found


def predictor_of(source: Source) -> Predictor | None:
    return Predictor(source.name, source.options) if source.options.get("predictor_host") else None


def whole_number(source: Source, key: str, otherwise: int) -> int:
    """Of the program's arguments. Raises LoadError."""
    told = source.options.get(key, "")
    if told and not told.isdecimal():
        raise LoadError(f"--{key}={told} is not a whole number")
    return int(told) if told else otherwise
