"""The explainer's HTTP server: `/api/v1.0/explain`, `/v1/models/NAME:explain` and, for v2, `/v2/models/NAME/infer`.

Source: seldon-core 1.18.2 components/alibi-explain-server/alibiexplainer/{server,seldon_http}.py; SeldonIO/MLServer
1.3.5 runtimes/alibi-explain mlserver_alibi_explain/common.py.
"""

from __future__ import annotations

import asyncio
import json
import re
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.seldon_explainer.explaining import Explainer, ExplainError
from sampan.components.serving.engine.programs.seldon_explainer.options import V2, Options
from sampan.components.serving.engine.programs.seldon_explainer.predictors import PredictorError
from sampan.components.serving.engine.programs.wire.server import Request, Response

MOST_BYTES = 512 * 1024 * 1024
_EXPLAIN = re.compile(r"/api/v(0\.1|1\.0)/explain|/v1/models/[^/:]*:explain")
_INFER = re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?/(infer|explain)")
_READY = re.compile(r"/v2/health/(live|ready)|/v2/models/[^/]+/ready")
_KINDS = {"BYTES": object, "BOOL": bool, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64}


class Rest:
    """For one event loop; one explanation is made at a time."""

    def __init__(self, options: Options, explainer: Explainer) -> None:
        self._options, self._explainer = options, explainer
        self._lock = asyncio.Lock()

    async def handle(self, request: Request) -> Response:
        path, speaks_v2 = request.path, self._options.protocol == V2
        if speaks_v2 and request.method == "GET":
            if _READY.fullmatch(path):
                return Response(200)
            if path == f"/v2/models/{self._options.name}":
                return _json(200, self._metadata())
        explains, infers = _EXPLAIN.fullmatch(path), speaks_v2 and _INFER.fullmatch(path)
        if not explains and not infers:
            return _json(404, {"error": f"{path} is no path of an explainer's"})
        if request.method != "POST":
            return _json(405, {"error": "POST what is to be explained"})
        body = await request.read(MOST_BYTES)
        async with self._lock:
            return await self._answered(self._inferred if infers else self._explained, body)

    async def _answered(self, answer: Callable[[Any], Any], body: bytes) -> Response:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            return _json(400, {"error": f"Unrecognized request format: {error}"})
        try:
            return _json(200, await asyncio.to_thread(answer, document))
        except ExplainError as error:
            return _json(400, {"error": str(error)})
        except PredictorError as error:
            return _json(502, {"error": str(error)})
        except Exception as error:
            traceback.print_exc()
            return _json(500, {"error": f"{type(error).__name__}: {error}"})

    def _explained(self, document: Any) -> Any:
        return self._explainer.explain(inputs_of(document))

    def _inferred(self, document: Any) -> Any:
        parameters = document.get("parameters") if isinstance(document, dict) else None
        told = parameters.get("explain_parameters") if isinstance(parameters, dict) else None
        found = self._explainer.explain(tensor_of(document), told if isinstance(told, dict) else None)
        output = {
            "name": "explanation",
            "shape": [1, 1],
            "datatype": "BYTES",
            "parameters": {"content_type": "str"},
            "data": [json.dumps(found)],
        }
        named = {"model_name": self._options.name}
        return {**named, "id": str(document.get("id") or ""), "parameters": {}, "outputs": [output]}

    def _metadata(self) -> Any:
        return {"name": self._options.name, "platform": "alibi", "versions": [], "inputs": [], "outputs": []}


def inputs_of(document: Any) -> Any:
    """Of Seldon's message, or TensorFlow Serving's. Raises ExplainError."""
    if isinstance(document, dict) and "instances" in document:
        return document["instances"]
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise ExplainError('Expected key "data" in request body')
    try:
        if "tensor" in data:
            return np.array(data["tensor"]["values"]).reshape(data["tensor"]["shape"]).tolist()
        return data["ndarray"]
    except (KeyError, TypeError, ValueError) as error:
        raise ExplainError(f'"data" has to have a tensor or an ndarray: {error!r}') from error


def tensor_of(document: Any) -> Any:
    """The first input of an inference request; texts as a list. Raises ExplainError."""
    try:
        first = document["inputs"][0]
        datatype, shape = str(first["datatype"]), first["shape"]
        if datatype == "BYTES":
            return np.array(first["data"], dtype=object).ravel().tolist()
        dtype = _KINDS.get(datatype) or np.dtype(datatype.lower())
        return np.array(first["data"], dtype=dtype).reshape(shape)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ExplainError(f"the request has no input to explain: {error!r}") from error


def _json(status: int, document: Any) -> Response:
    return Response(status, [("Content-Type", "application/json")], json.dumps(document).encode())
