"""What an InferenceService says of its model, whichever way it says it.

Source: kserve/kserve 0.20 pkg/constants/constants.go, pkg/apis/serving/v1beta1/predictor.go.
"""

from __future__ import annotations

from sampan.components.serving.api.reading import mapping, text
from sampan.kube.meta import Object

FRAMEWORKS = (
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
)
"""Fields of a predictor, each a short way to write `model` with that format."""

V1, V2, GRPC_V1, GRPC_V2 = "v1", "v2", "grpc-v1", "grpc-v2"
PROTOCOLS = (V1, V2, GRPC_V1, GRPC_V2)
"""From the one that is taken first."""

MODEL_CLASS = "modelClass"
SERVICE_ENVELOPE = "serviceEnvelope"
"""Labels that runtimes' templates read."""
MODEL_FORMAT = "modelFormat"
"""An annotation: the format's name."""
SERVER_TYPE = "serving.kserve.io/server-type"
"""An annotation of runtimes: which server it is, whatever the runtime is called."""

_BESIDE_THE_CONTAINER = frozenset(
    (
        "storageUri",
        "runtimeVersion",
        "protocolVersion",
        "storage",
        "confidential",
        "modelFormat",
        "runtime",
        "type",
        "config",
    )
)


def container(model: Object) -> Object:
    """Of a framework, a model or an explainer: what is the container's."""
    return {key: value for key, value in model.items() if key not in _BESIDE_THE_CONTAINER}


def framework(predictor: Object) -> str:
    """The field by which a predictor names its model: a framework, or `model`; empty where it has neither."""
    return next((each for each in (*FRAMEWORKS, "model") if isinstance(predictor.get(each), dict)), "")


def model(predictor: Object) -> Object:
    """What stands there."""
    return mapping(predictor.get(framework(predictor)))


def protocol(model_spec: Object) -> str:
    """Source: predictor_model.go GetProtocol."""
    return text(model_spec.get("protocolVersion")) or V1


def has_storage(model_spec: Object) -> bool:
    return model_spec.get("storageUri") is not None or model_spec.get("storage") is not None
