"""The package `seldon_core`, as far as users' classes need it, where the official one is not installed.

A class says `from seldon_core.user_model import SeldonComponent`; it is to run either way. What only the official
package has (its client, its Flask application) is missing, and Python says so by its name.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from types import ModuleType
from typing import Any

from sampan.components.serving.engine.programs.seldon_microservice import component, payloads
from sampan.components.serving.engine.programs.seldon_microservice.metrics import are_valid

_MESSAGES = "sampan.components.serving.engine.programs.seldon_microservice.messages"
_MESSAGE_NAMES = (
    *("SeldonMessage", "SeldonMessageList", "DefaultData", "Tensor", "Meta", "Metric", "Status"),
    *("Feedback", "RequestResponse", "SeldonModelMetadata", "SeldonMessageMetadata"),
    *("SeldonGraphMetadata", "SeldonModelMetadataRequest"),
)


class Storage:
    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:
        """The folder itself, which the pod has already. Raises RuntimeError for one that is elsewhere."""
        path = uri.removeprefix("file://")
        if os.path.exists(path):
            return path
        raise RuntimeError(f"{uri} is not here: give it as the graph's modelUri, and load /mnt/models")


def install() -> bool:
    """Whether the official package is there; if not, ours stands at its place from now on."""
    known = sys.modules.get("seldon_core")
    if known is not None:
        return not getattr(known, "__sampan__", False)
    if importlib.util.find_spec("seldon_core") is not None:
        return True
    for name, values in _modules().items():
        made = ModuleType(name)
        made.__dict__.update(values)
        made.__dict__["__path__"] = []
        sys.modules[name] = made
        outer, _, own = name.rpartition(".")
        if outer in sys.modules and own not in sys.modules[outer].__dict__:
            setattr(sys.modules[outer], own, made)
    return False


def _modules() -> dict[str, dict[str, Any]]:
    """Names of modules and what is in each, those above first."""
    models = {
        name: getattr(component, name)
        for name in ("SeldonComponent", "SeldonResponse", "SeldonNotImplementedError")
    }
    failure = {"SeldonMicroserviceException": component.SeldonMicroserviceException}
    metrics = {f"create_{kind.lower()}": _maker(kind) for kind in ("COUNTER", "GAUGE", "TIMER")} | {
        "validate_metrics": are_valid
    }
    found: dict[str, dict[str, Any]] = {
        "seldon_core": {"__sampan__": True, "__version__": "1.18.2", "Storage": Storage},
        "seldon_core.storage": {"Storage": Storage},
        "seldon_core.user_model": {**models, **failure},
        "seldon_core.flask_utils": failure,
        "seldon_core.metrics": metrics,
        "seldon_core.utils": {**failure, "extract_request_parts_json": _parts},
    }
    try:
        messages: Any = importlib.import_module(_MESSAGES)
    except ImportError:
        return found
    protos = {name: messages.message(name) for name in _MESSAGE_NAMES}
    found["seldon_core.proto"] = {}
    found["seldon_core.proto.prediction_pb2"] = protos
    found["seldon_core.utils"] |= {
        "get_data_from_proto": lambda given: payloads.parts_of(messages.to_json(given)).features,
        "json_to_seldon_message": lambda given: messages.from_json(given or {}),
        "seldon_message_to_json": messages.to_json,
        "array_to_grpc_datadef": lambda kind, array, names=(): (
            messages.from_json({"data": _datadef(kind, array, names)}).data
        ),
        "array_to_rest_datadef": _datadef,
        "grpc_datadef_to_array": lambda data: payloads.features_of(
            messages.to_json(protos["SeldonMessage"](data=data))["data"]
        ),
    }
    return found


def _maker(kind: str) -> Any:
    def make(key: str, value: float) -> dict[str, Any]:
        made = {"key": key, "type": kind, "value": value}
        if not are_valid([made]):
            raise TypeError(f"the value of a metric is a number, not {json.dumps(value, default=str)}")
        return made

    return make


def _parts(request: Any) -> tuple[Any, Any, Any, str]:
    parts = payloads.parts_of(request)
    kinds = ("data", "jsonData", "strData", "binData")
    return parts.features, parts.meta, request.get("data"), next(kind for kind in kinds if kind in request)


def _datadef(kind: str, array: Any, names: Any = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"names": list(names or ())}
    if kind == "tensor":
        found["tensor"] = {"shape": list(array.shape), "values": array.ravel().tolist()}
    else:
        found["ndarray"] = array.tolist()
    return found
