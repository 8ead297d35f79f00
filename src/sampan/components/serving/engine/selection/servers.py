"""What is filled in for servers that want it: MLServer, TorchServe and Triton. For `choosing`.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_defaults.go (SetRuntimeDefaults).
"""

from __future__ import annotations

from sampan.components.serving.api import models
from sampan.components.serving.api.labels import MODEL_DIR
from sampan.components.serving.api.reading import child, mappings, text, texts
from sampan.components.serving.engine.selection.runtimes import Runtime
from sampan.kube.meta import Object

MLSERVER, TRITON, TORCHSERVE = "mlserver", "tritonserver", "torchserve"
TENSORFLOW, HUGGINGFACE, VLLM = "tensorflow-serving", "huggingfaceserver", "vllmserver"
_BY_NAME = {
    "kserve-mlserver": MLSERVER,
    "kserve-torchserve": TORCHSERVE,
    "kserve-tritonserver": TRITON,
    "kserve-tensorflow-serving": TENSORFLOW,
    "kserve-huggingfaceserver": HUGGINGFACE,
    "kserve-vllmserver": VLLM,
}
"""For runtimes without the annotation, which are those of before it."""
_MLSERVER_CLASSES = {
    "xgboost": "mlserver_xgboost.XGBoostModel",
    "lightgbm": "mlserver_lightgbm.LightGBMModel",
    "mlflow": "mlserver_mlflow.MLflowRuntime",
}
_MLSERVER_CLASS = "mlserver_sklearn.SKLearnModel"


def server_type(runtime: Runtime) -> str:
    return runtime.annotations.get(models.SERVER_TYPE) or _BY_NAME.get(runtime.name, "")


def filled(model: Object, name: str, runtime: Runtime) -> tuple[Object, dict[str, str]]:
    """The model with what its server wants, and labels."""
    match server_type(runtime):
        case "mlserver":
            return _for_mlserver(model, name)
        case "tritonserver":
            return _for_triton(model), {}
        case "torchserve":
            return _for_torchserve(model)
        case _:
            return model, {}


def _for_mlserver(model: Object, name: str) -> tuple[Object, dict[str, str]]:
    variables = (
        {"MLSERVER_MODEL_NAME": name, "MLSERVER_MODEL_URI": MODEL_DIR}
        if models.has_storage(model)
        else {"MLSERVER_LOAD_MODELS_AT_STARTUP": "false"}
    )
    known = mappings(model.get("env"))
    added = [
        {"name": key, "value": value}
        for key, value in variables.items()
        if all(each.get("name") != key for each in known)
    ]
    format_name = text(child(model, "modelFormat").get("name"))
    label = {models.MODEL_CLASS: _MLSERVER_CLASSES.get(format_name, _MLSERVER_CLASS)}
    return {**_with_protocol(model, models.V2), "env": [*known, *added]}, label


def _for_triton(model: Object) -> Object:
    found = _with_protocol(model, models.V2)
    if models.has_storage(model):
        return found
    return {**found, "args": [*texts(model.get("args")), "--model-control-mode=explicit"]}


def _for_torchserve(model: Object) -> tuple[Object, dict[str, str]]:
    found = _with_protocol(model, models.V1)
    protocol = models.protocol(found)
    envelope = "kservev2" if protocol in (models.V2, models.GRPC_V2) else "kserve"
    variable = {"name": "PROTOCOL_VERSION", "value": protocol}
    env = [each for each in mappings(model.get("env")) if each.get("name") != variable["name"]]
    return {**found, "env": [*env, variable]}, {models.SERVICE_ENVELOPE: envelope}


def _with_protocol(model: Object, protocol: str) -> Object:
    return model if text(model.get("protocolVersion")) else {**model, "protocolVersion": protocol}
