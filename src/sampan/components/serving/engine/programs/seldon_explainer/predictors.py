"""The model that is explained, asked for many inputs at once. Called by Alibi's explainers, from a thread.

Source: seldon-core 1.18.2 components/alibi-explain-server/alibiexplainer/utils.py (construct_predict_fn);
SeldonIO/MLServer 1.3.5 runtimes/alibi-explain mlserver_alibi_explain/explainers/black_box_runtime.py.
"""

from __future__ import annotations

import http.client
import importlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from sampan.components.serving.engine.programs.seldon_explainer.options import (
    SELDON_GRPC,
    SELDON_HTTP,
    TENSORFLOW_HTTP,
    Options,
)

_SECONDS = 600.0
_GRPC = "sampan.components.serving.engine.programs.seldon_explainer.grpc_predictor"
Predict = Callable[[Any], Any]


class PredictorError(Exception):
    """The model has no answer. The message is for whoever wants an explanation."""


class UnreachableError(PredictorError):
    """It is not there, yet."""


def predictor(options: Options) -> Predict:
    if options.protocol == SELDON_HTTP:
        return lambda data: _seldon(options.predictor, np.asarray(data))
    if options.protocol == TENSORFLOW_HTTP:
        return lambda data: _tensorflow(options, data)
    if options.protocol == SELDON_GRPC:
        made: Any = importlib.import_module(_GRPC)
        predict: Predict = made.predictor(options.predictor)
        return predict
    return lambda data: _inference(options.predictor, data)


def _seldon(host: str, data: Any) -> Any:
    answer = _posted(f"http://{host}/api/v0.1/predictions", {"data": {"ndarray": data.tolist()}})
    told = answer.get("data")
    if isinstance(told, dict) and "tensor" in told:
        return np.array(told["tensor"]["values"]).reshape(told["tensor"]["shape"])
    if isinstance(told, dict) and "ndarray" in told:
        return np.array(told["ndarray"])
    raise PredictorError("the model answers with no tensor or ndarray")


def _tensorflow(options: Options, data: Any) -> Any:
    instances = [each.tolist() if isinstance(each, np.ndarray) else each for each in data]
    url = f"http://{options.predictor}/v1/models/{options.name}:predict"
    return np.array(_posted(url, {"instances": instances}).get("predictions"))


def _inference(url: str, data: Any) -> Any:
    array = np.asarray(data)
    is_text = array.dtype.kind in "OU"
    tensor = {
        "name": "predict",
        "shape": list(array.shape),
        "datatype": "BYTES" if is_text else "FP64" if array.dtype == np.float64 else "FP32",
        "data": array.ravel().tolist(),
        "parameters": {"content_type": "str" if is_text else "np"},
    }
    request = {"parameters": {"content_type": "str" if is_text else "np"}, "inputs": [tensor]}
    outputs = _posted(url, request).get("outputs")
    if not isinstance(outputs, list) or not outputs:
        raise PredictorError("the model answers without outputs")
    return np.array(outputs[0]["data"]).reshape(outputs[0]["shape"])


def _posted(url: str, document: Any) -> dict[str, Any]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=_SECONDS)
    headers = {"Content-Type": "application/json", "Seldon-Skip-Logging": "true"}
    try:
        connection.request("POST", place.path, json.dumps(document).encode(), headers)
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"the model at {url} is not reached: {error!r}") from error
    finally:
        connection.close()
    if status in (502, 503, 504):
        raise UnreachableError(f"the model at {url} is not ready: it answers {status}")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if status != 200 or not isinstance(found, dict):
        said = text[:500].decode("utf-8", "replace")
        raise PredictorError(f"Failed to get response from model return_code:{status}: {said}")
    return found
