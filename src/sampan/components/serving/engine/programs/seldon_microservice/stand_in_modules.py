"""What the modules of `seldon_core` hold for users' classes, under upstream's names. Called by `stand_in`.

Source: seldon-core 1.18.2 python/seldon_core/{env_utils,metadata,metrics,storage,user_model,utils}.py.
"""

from __future__ import annotations

import importlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.serving.engine.programs.seldon_microservice import component, metadata, payloads
from sampan.components.serving.engine.programs.seldon_microservice.metrics import are_valid

_MESSAGES = "sampan.components.serving.engine.programs.seldon_microservice.messages"
_MESSAGE_NAMES = (
    *("SeldonMessage", "SeldonMessageList", "DefaultData", "Tensor", "Meta", "Metric", "Status"),
    *("Feedback", "RequestResponse", "SeldonModelMetadata", "SeldonMessageMetadata"),
    *("SeldonGraphMetadata", "SeldonModelMetadataRequest"),
)
_NONE = "NOT_IMPLEMENTED"
_VARIABLES = {
    "ENV_MODEL_NAME": "PREDICTIVE_UNIT_ID",
    "ENV_MODEL_IMAGE": "PREDICTIVE_UNIT_IMAGE",
    "ENV_SELDON_DEPLOYMENT_NAME": "SELDON_DEPLOYMENT_ID",
    "ENV_PREDICTOR_NAME": "PREDICTOR_ID",
    "ENV_PREDICTOR_LABELS": "PREDICTOR_LABELS",
}
_METHODS = ("feedback", "predict", "inputtransform", "outputtransform", "router", "aggregate", "health")
_METHOD_NAMES = (
    *("FEEDBACK", "PREDICT", "INPUT_TRANSFORM", "OUTPUT_TRANSFORM", "ROUTER", "AGGREGATE", "HEALTH"),
)


class SeldonInvalidMetadataError(Exception):
    """What a model says of itself cannot be used."""


class Storage:
    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:
        """The folder itself, which the pod has already. Raises RuntimeError for one that is elsewhere."""
        path = uri.removeprefix("file://")
        if os.path.exists(path):
            return path
        raise RuntimeError(f"{uri} is not here: give it as the graph's modelUri, and load /mnt/models")


def modules() -> dict[str, dict[str, Any]]:
    """Names of modules and what is in each, those above first."""
    models = {
        name: getattr(component, name)
        for name in ("SeldonComponent", "SeldonResponse", "SeldonNotImplementedError")
    }
    failure = {"SeldonMicroserviceException": component.SeldonMicroserviceException}
    found: dict[str, dict[str, Any]] = {
        "seldon_core": {"__sampan__": True, "__version__": "1.18.2", "Storage": Storage},
        "seldon_core.storage": {"Storage": Storage},
        "seldon_core.user_model": {**models, **failure, "client_class_names": payloads.class_names},
        "seldon_core.flask_utils": failure,
        "seldon_core.metrics": _metrics(),
        "seldon_core.metadata": {
            "SeldonInvalidMetadataError": SeldonInvalidMetadataError,
            "validate_model_metadata": _checked_metadata,
        },
        "seldon_core.env_utils": _environment(),
        "seldon_core.utils": {**failure, **_environment(), **_utils()},
    }
    try:
        messages: Any = importlib.import_module(_MESSAGES)
    except ImportError:
        return found
    found["seldon_core.proto"] = {}
    found["seldon_core.proto.prediction_pb2"] = {name: messages.message(name) for name in _MESSAGE_NAMES}
    found["seldon_core.utils"] |= _of_messages(messages)
    return found


def _metrics() -> dict[str, Any]:
    kinds = ("COUNTER", "GAUGE", "TIMER")
    tags = dict(zip(_METHOD_NAMES, _METHODS, strict=True))
    return {
        **{kind: kind for kind in kinds},
        **{f"create_{kind.lower()}": _maker(kind) for kind in kinds},
        **{f"{name}_METRIC_METHOD_TAG": tag for name, tag in tags.items()},
        "BINS": [0, *(10 ** (-3 + step * (math.log10(30) + 3) / 49) for step in range(50)), math.inf],
        "validate_metrics": are_valid,
        "split_image_tag": split_image_tag,
    }


def split_image_tag(image: str) -> tuple[str, str]:
    name, _, version = image.rpartition(":")
    return name, version


def _maker(kind: str) -> Callable[[str, float], dict[str, Any]]:
    def make(key: str, value: float) -> dict[str, Any]:
        made = {"key": key, "type": kind, "value": value}
        if not are_valid([made]):
            raise TypeError(f"the value of a metric is a number, not {json.dumps(value, default=str)}")
        return made

    return make


def _checked_metadata(told: Mapping[str, Any]) -> Mapping[str, Any]:
    found = metadata.filled(told)
    if problem := metadata.problem_of(found):
        raise SeldonInvalidMetadataError(problem)
    return found


def _environment() -> dict[str, Any]:
    def reader(variable: str, otherwise: str) -> Callable[..., str]:
        def read(default_val: str = otherwise) -> str:
            return os.environ.get(variable, default_val)

        return read

    def version(default_val: str = _NONE) -> str:
        return str(json.loads(os.environ.get("PREDICTOR_LABELS", "{}")).get("version", default_val))

    return {
        **_VARIABLES,
        "NONIMPLEMENTED_MSG": _NONE,
        "NONIMPLEMENTED_IMAGE_MSG": f"{_NONE}:{_NONE}",
        "get_model_name": reader("PREDICTIVE_UNIT_ID", _NONE),
        "get_image_name": reader("PREDICTIVE_UNIT_IMAGE", f"{_NONE}:{_NONE}"),
        "get_deployment_name": reader("SELDON_DEPLOYMENT_ID", _NONE),
        "get_predictor_name": reader("PREDICTOR_ID", _NONE),
        "get_predictor_version": version,
    }


def _utils() -> dict[str, Any]:
    return {
        "extract_request_parts_json": _parts,
        "array_to_rest_datadef": _datadef,
        "construct_response_json": _answer,
        "get_request_path": payloads.request_path,
        "getenv": getenv,
        "getenv_as_bool": getenv_as_bool,
    }


def getenv(*names: str, default: Any = None) -> Any:
    """Of the first of the variables that is set."""
    return next((os.environ[name] for name in names if name in os.environ), default)


def getenv_as_bool(*names: str, default: Any = False) -> Any:
    told = getenv(*names)
    return default if told is None else told.lower() in ("1", "true", "t")


def _of_messages(messages: Any) -> dict[str, Any]:
    one = messages.message("SeldonMessage")

    def reader(name: str) -> Callable[[Any], Any]:
        def read(told: Any) -> Any:
            try:
                return messages.parsed(name, told or {})
            except ValueError as error:
                raise component.SeldonMicroserviceException(f"Invalid JSON: {error}") from error

        return read

    def array(data: Any) -> Any:
        return payloads.features_of(messages.to_json(one(data=data)).get("data") or {})

    def datadef(kind: str, values: Any, names: Sequence[str] = ()) -> Any:
        return messages.from_json({"data": _datadef(kind, values, names)}).data

    def features(given: Any) -> Any:
        if given.WhichOneof("data_oneof") is None:
            raise component.SeldonMicroserviceException("Unknown data in SeldonMessage")
        return payloads.parts_of(messages.to_json(given)).features

    def meta(given: Any) -> Any:
        return messages.to_json(given).get("meta") or {}

    return {
        "get_data_from_proto": features,
        "get_meta_from_proto": meta,
        "json_to_seldon_message": reader("SeldonMessage"),
        "json_to_seldon_messages": reader("SeldonMessageList"),
        "json_to_feedback": reader("Feedback"),
        "json_to_seldon_model_metadata": lambda told: messages.metadata_message(told or {}),
        "seldon_message_to_json": messages.plain_json,
        "seldon_messages_to_json": messages.plain_json,
        "feedback_to_json": messages.plain_json,
        "array_to_grpc_datadef": datadef,
        "array_to_list_value": lambda values, _into=None: datadef("ndarray", values).ndarray,
        "grpc_datadef_to_array": array,
        "extract_request_parts": lambda given: (
            features(given),
            meta(given),
            given.data,
            given.WhichOneof("data_oneof"),
        ),
        "extract_feedback_request_parts": lambda given: (
            given.request.data,
            array(given.request.data),
            array(given.truth.data),
            given.reward,
        ),
        "construct_response": lambda model, is_request, given, result, *more, **named: messages.from_json(
            _answer(model, is_request, messages.to_json(given), result, *more, **named)
        ),
    }


def _answer(
    user_model: Any,
    _is_request: bool,
    client_request_raw: Mapping[str, Any],
    client_raw_response: Any,
    meta: Mapping[str, Any] | None = None,
    custom_metrics: Sequence[Any] | None = None,
    runtime_tags: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    told = payloads.Told(meta, list(custom_metrics or ()), runtime_tags or {})
    return payloads.answer(user_model, client_request_raw, client_raw_response, told)


def _parts(request: Any) -> tuple[Any, Any, Any, str]:
    parts = payloads.parts_of(request)
    kinds = ("data", "jsonData", "strData", "binData")
    return parts.features, parts.meta, request.get("data"), next(kind for kind in kinds if kind in request)


def _datadef(kind: str, array: Any, names: Sequence[str] | None = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"names": list(names or ())}
    if kind == "tensor":
        found["tensor"] = {"shape": list(array.shape), "values": array.ravel().tolist()}
    elif kind == "tftensor":
        found["tftensor"] = payloads.tftensor_of(array)
    else:
        found["ndarray"] = array.tolist()
    return found
