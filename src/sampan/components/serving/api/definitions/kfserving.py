"""The schemas of KFServing's InferenceService.

v1alpha2 has a default and a canary, v1beta1 is what KServe's became. They say what is known and keep the rest, for
clients of that time wrote containers without names, and amounts of cpu as numbers; what they become is judged when they
are written. A server that does not convert between them keeps what either says.

Source: kserve/kserve 0.5.1 (KFServing) pkg/apis/serving/{v1alpha2,v1beta1}.
"""

from __future__ import annotations

from sampan.components.serving.api.definitions.assembly import ADDRESS, ANYTHING, KNATIVE_STATUS, WHOLE
from sampan.kube.crd_schemas import TEXT, TEXTS, Schema, a_list, about, an_object, kind

FRAMEWORKS = ("tensorflow", "triton", "xgboost", "lightgbm", "sklearn", "onnx", "pytorch", "pmml")


def _open(properties: Schema) -> Schema:
    return {**ANYTHING, **an_object(properties)}


_EXTENSION: Schema = {
    "serviceAccountName": TEXT,
    "minReplicas": WHOLE,
    "maxReplicas": WHOLE,
    "logger": _open({"url": TEXT, "mode": TEXT}),
    "batcher": _open({"maxBatchSize": WHOLE, "maxLatency": WHOLE, "timeout": WHOLE}),
}
_MODEL: Schema = {"storageUri": TEXT, "runtimeVersion": TEXT}
_MORE: dict[str, Schema] = {
    "xgboost": {"nthread": WHOLE},
    "lightgbm": {"nthread": WHOLE},
    "pytorch": {"modelClassName": TEXT},
}
_EXPLAINERS: Schema = dict.fromkeys(("alibi", "aix"), _open({**_MODEL, "type": TEXT, "config": TEXTS}))
_PREDICTORS: Schema = {each: _open({**_MODEL, **_MORE.get(each, {})}) for each in FRAMEWORKS}

_V1ALPHA2: Schema = {
    **_EXTENSION,
    "parallelism": about(WHOLE, "How many requests a pod takes at a time; 0 for any number."),
    "custom": _open({"container": ANYTHING}),
}
_ENDPOINT = _open(
    {
        "predictor": _open({**_V1ALPHA2, **_PREDICTORS}),
        "transformer": _open(_V1ALPHA2),
        "explainer": _open({**_V1ALPHA2, **_EXPLAINERS}),
    }
)
_HOSTS: Schema = {"type": "object", "additionalProperties": an_object({"name": TEXT, "host": TEXT})}
_STATUS: Schema = {**KNATIVE_STATUS, "url": TEXT, "address": ADDRESS}
INFERENCE_SERVICE_V1ALPHA2 = kind(
    "A model that is served, and another that gets a part of its requests.",
    _open(
        {
            "default": _ENDPOINT,
            "canary": _ENDPOINT,
            "canaryTrafficPercent": about(WHOLE, "How much the canary gets."),
        }
    ),
    _open({**_STATUS, "traffic": WHOLE, "canaryTraffic": WHOLE, "default": _HOSTS, "canary": _HOSTS}),
)

V1ALPHA2_COLUMNS = (
    {"name": "Default Traffic", "type": "integer", "jsonPath": ".status.traffic"},
    {"name": "Canary Traffic", "type": "integer", "jsonPath": ".status.canaryTraffic"},
)

_V1BETA1: Schema = {
    **_EXTENSION,
    "containerConcurrency": WHOLE,
    "timeout": WHOLE,
    "canaryTrafficPercent": about(WHOLE, "How much the newest revision gets."),
    "containers": a_list(ANYTHING),
}
INFERENCE_SERVICE_V1BETA1 = kind(
    "A model that is served, with what comes before and after it.",
    _open(
        {
            "predictor": _open({**_V1BETA1, **_PREDICTORS}),
            "transformer": _open(_V1BETA1),
            "explainer": _open({**_V1BETA1, **_EXPLAINERS}),
        }
    ),
    _open({**_STATUS, "components": {"type": "object", "additionalProperties": ANYTHING}}),
)
