"""SeldonMessages as JSON: what a model gets of one, and what its answer becomes. Pure, but for variables that say who
the model is.

Numbers stay what they are (a protobuf would make floats of them), and the form of the request is the answer's. Source:
seldon-core 1.18.2 python/seldon_core/utils.py (extract_request_parts_json, construct_response_json).
"""

from __future__ import annotations

import base64
import binascii
import importlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonMicroserviceException,
    SeldonNotImplementedError,
)

Message = Mapping[str, Any]
_TFTENSORS = "sampan.components.serving.engine.programs.seldon_microservice.tftensors"


@dataclass(slots=True)
class Parts:
    features: Any
    """An array, or what `strData`, `binData` and `jsonData` hold."""
    names: list[Any] = field(default_factory=list)
    meta: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What goes into an answer's `meta`."""

    meta: Mapping[str, Any] | None = None
    """The request's."""
    metrics: list[Any] = field(default_factory=list)
    tags: Mapping[str, Any] = field(default_factory=dict)


def parts_of(request: Any) -> Parts:
    """Raises SeldonMicroserviceException."""
    if not isinstance(request, Mapping):
        raise SeldonMicroserviceException(f"Invalid request data type: {request}")
    meta = request.get("meta")
    meta = meta if isinstance(meta, Mapping) else None
    if "data" in request:
        data = request["data"]
        if not isinstance(data, Mapping):
            raise SeldonMicroserviceException(f"Invalid request data type: {request}")
        return Parts(features_of(data), list(data.get("names") or ()), meta)
    for key in ("jsonData", "strData"):
        if key in request:
            return Parts(request[key], [], meta)
    if "binData" in request:
        try:
            return Parts(base64.b64decode(request["binData"]), [], meta)
        except (binascii.Error, TypeError, ValueError) as error:
            raise SeldonMicroserviceException(f"binData is no base64: {error}") from error
    if "customData" in request:
        return Parts(request["customData"], [], meta)
    raise SeldonMicroserviceException(f"Invalid request data type: {request}")


def features_of(data: Mapping[str, Any]) -> Any:
    """The array of a message's `data`. Raises SeldonMicroserviceException."""
    if "tensor" in data:
        tensor = data["tensor"]
        try:
            values = np.array(tensor.get("values", []))
            return values.reshape(tensor["shape"]) if tensor.get("shape") else values
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise SeldonMicroserviceException(f"data.tensor has no such shape: {error}") from error
    if "ndarray" in data:
        return _array(data["ndarray"])
    if "tftensor" in data:
        return _tftensor(data["tftensor"])
    return np.array([])


def tftensor_of(array: Any) -> dict[str, Any]:
    found: dict[str, Any] = _tftensors().json_of(array)
    return found


def answer(model: Any, request: Message, result: Any, told: Told) -> dict[str, Any]:
    """A SeldonMessage with what a model's method gave back. Raises SeldonMicroserviceException."""
    found: dict[str, Any] = {}
    if isinstance(result, Mapping):
        found["jsonData"] = dict(result)
    elif isinstance(result, bytes | bytearray):
        found["binData"] = base64.b64encode(result).decode()
    elif isinstance(result, str):
        found["strData"] = result
    elif isinstance(result, list | np.ndarray):
        array = _array(result)
        given = request.get("data")
        found["data"] = _data(array, result, given if isinstance(given, Mapping) else None)
        found["data"]["names"] = list(class_names(model, array))
    elif _is_any(result):
        found["customData"] = result
    else:
        raise SeldonMicroserviceException(
            f"Unknown data type returned as payload (must be list or np array):{result}"
        )
    found["meta"] = _meta(model, request, told)
    return found


def class_names(model: Any, predictions: Any) -> Any:
    """Names of the columns of what a model predicts."""
    if predictions.ndim < 2:
        return []
    names = getattr(model, "class_names", None)
    if callable(names):
        try:
            return names()
        except SeldonNotImplementedError:
            pass
    elif names is not None:
        return names
    return [f"t:{column}" for column in range(predictions.shape[1])]


def request_path() -> dict[str, str]:
    name = os.environ.get("PREDICTIVE_UNIT_ID")
    return {name: os.environ.get("PREDICTIVE_UNIT_IMAGE", "NOT_IMPLEMENTED:NOT_IMPLEMENTED")} if name else {}


def merged(metas: list[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Of the messages that a combiner gets."""
    tags: dict[str, Any] = {}
    path: dict[str, Any] = {}
    metrics: list[Any] = []
    for meta in metas:
        tags.update((meta or {}).get("tags") or {})
        path.update((meta or {}).get("requestPath") or {})
        metrics.extend((meta or {}).get("metrics") or ())
    return {"tags": tags, "requestPath": path, "metrics": metrics}


def _tftensor(told: Any) -> Any:
    try:
        return _tftensors().array_of(told)
    except (TypeError, ValueError) as error:
        raise SeldonMicroserviceException(f"data.tftensor cannot be read: {error}") from error


def _tftensors() -> Any:
    try:
        return importlib.import_module(_TFTENSORS)
    except ImportError as error:
        raise SeldonMicroserviceException(
            f"tftensor needs protobuf, which the model's environment lacks: {error}", 500
        ) from error


def _is_any(value: Any) -> bool:
    """Whether it is protobuf's message that holds any other."""
    return getattr(getattr(value, "DESCRIPTOR", None), "full_name", "") == "google.protobuf.Any"


def _array(value: Any) -> Any:
    try:
        return np.array(value)
    except ValueError:
        # Rows of several lengths.
        return np.array(value, dtype=object)


def _data(array: Any, result: Any, given: Mapping[str, Any] | None) -> dict[str, Any]:
    listed = array.tolist() if isinstance(result, np.ndarray) else result
    is_number = np.issubdtype(array.dtype, np.number)
    if is_number and given is not None and "tftensor" in given:
        return {"tftensor": tftensor_of(array)}
    if is_number and (given is None or "tensor" in given):
        return {"tensor": {"shape": list(array.shape), "values": array.ravel().tolist()}}
    return {"ndarray": listed}


def _meta(model: Any, request: Message, told: Told) -> dict[str, Any]:
    before = told.meta or {}
    tags = dict(before.get("tags") or {})
    if callable(getattr(model, "tags", None)):
        with suppress(SeldonNotImplementedError):
            tags.update(model.tags() or {})
    tags.update(told.tags)
    metrics = [*(before.get("metrics") or ()), *told.metrics]
    given = request.get("meta")
    puid = given.get("puid") if isinstance(given, Mapping) else None
    path = {**request_path(), **(before.get("requestPath") or {})}
    found = {"tags": tags, "metrics": metrics, "puid": puid, "requestPath": path}
    return {key: value for key, value in found.items() if value}
