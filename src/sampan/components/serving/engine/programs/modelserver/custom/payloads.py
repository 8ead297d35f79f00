"""From a request's payload to what an estimator takes, and from its result to an answer, as kserve's servers have it.

Source: kserve 0.20 python/kserve/kserve/utils/utils.py (get_predict_input, get_predict_response).
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver import v2
from sampan.components.serving.engine.programs.modelserver.contract import datatype_of
from sampan.components.serving.engine.programs.modelserver.custom.inference import (
    InferOutput,
    InferRequest,
    InferResponse,
)
from sampan.components.serving.engine.programs.modelserver.custom.problems import InvalidInput


def get_predict_input(payload: Any, columns: list[str] | None = None) -> Any:
    """An array, a data frame where rows have names, or a list of texts. Raises InvalidInput."""
    if isinstance(payload, InferRequest):
        if (payload.parameters or {}).get("content_type") == "pd":
            return payload.as_dataframe()
        tensor = payload.inputs[0]
        return tensor.data if tensor.datatype == "BYTES" and _is_text(tensor.data) else tensor.as_numpy()
    if not isinstance(payload, dict):
        raise InvalidInput(f"unsupported payload type {type(payload)}")
    instances = payload["inputs"] if "inputs" in payload else payload.get("instances")
    if not isinstance(instances, list):
        raise InvalidInput('Expected "instances" to be a list')
    first = instances[0] if instances else None
    if isinstance(first, dict) or (isinstance(first, list) and first and isinstance(first[0], dict)):
        pandas: Any = importlib.import_module("pandas")
        return pandas.concat([pandas.DataFrame(each, columns=columns) for each in instances], axis=0)
    return instances if isinstance(first, str) else np.array(instances)


def get_predict_response(payload: Any, result: Any, model_name: str) -> Any:
    """Raises InvalidInput."""
    is_frame = hasattr(result, "to_dict") and hasattr(result, "columns")
    if isinstance(payload, dict):
        if is_frame:
            return {"predictions": result.to_dict("records")}
        return {"predictions": result.tolist() if isinstance(result, np.ndarray) else result}
    if not isinstance(payload, InferRequest):
        raise InvalidInput(f"unsupported payload type {type(payload)}")
    if is_frame:
        columns = {str(name): result[name].to_numpy() for name in result.columns}
    else:
        columns = {"output-0": np.array(result, dtype=object) if _is_text(result) else np.asarray(result)}
    outputs = []
    for name, array in columns.items():
        output = InferOutput(name, array.shape, datatype_of(array.dtype))
        output.set_data_from_numpy(array, binary_data=False)
        outputs.append(output)
    return InferResponse(payload.id or v2.new_id(), model_name, outputs)


def _is_text(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and isinstance(values[0], str)
