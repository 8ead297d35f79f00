"""The schemas of TrainedModel, ClusterStorageContainer, and of the kinds that keep models on nodes.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha1 (trained_model.go, storage_container_types.go, local_model_*.go).
"""

from __future__ import annotations

from sampan.components.serving.api.definitions.assembly import (
    ADDRESS,
    CONTAINER,
    KNATIVE_STATUS,
    QUANTITY,
    WHOLE,
)
from sampan.kube.crd_schemas import (
    BOOLEAN,
    CORE,
    TEXT,
    TEXTS,
    Schema,
    a_list,
    about,
    an_object,
    built_in,
    immutable,
    kind,
)

TRAINED_MODEL = kind(
    "One of several models that an InferenceService serves.",
    an_object(
        {
            "inferenceService": about(TEXT, "Whose predictor serves it."),
            "model": an_object(
                {
                    "storageUri": about(TEXT, "Where the model is."),
                    "framework": about(TEXT, "Such as sklearn."),
                    "memory": about(QUANTITY, "How much of the predictor's memory it takes."),
                },
                "storageUri",
                "framework",
                "memory",
            ),
        },
        "inferenceService",
        "model",
    ),
    an_object({**KNATIVE_STATUS, "address": ADDRESS, "url": TEXT}),
)

STORAGE_CONTAINER = kind(
    "Who fetches models, by the form of the URI.",
    an_object(
        {
            "container": CONTAINER,
            "supportedUriFormats": a_list(an_object({"prefix": TEXT, "regex": TEXT})),
            "workloadType": {"type": "string", "default": "initContainer"},
            "supportsMultiModelDownload": {"type": "boolean", "default": False},
        },
        "container",
        "supportedUriFormats",
    ),
)
STORAGE_CONTAINER["properties"]["disabled"] = BOOLEAN

# What keeps models on nodes.

_STORAGE = an_object({"key": TEXT, "parameters": TEXTS})
_NAMES = a_list(an_object({"name": TEXT, "namespace": TEXT}))
_CACHE = an_object(
    {
        "sourceModelUri": immutable(TEXT, "StorageUri is immutable"),
        "modelSize": QUANTITY,
        "nodeGroups": a_list(TEXT, minItems=1),
        "serviceAccountName": TEXT,
        "storage": _STORAGE,
    },
    "modelSize",
    "nodeGroups",
    "sourceModelUri",
)


def _states(*states: str) -> Schema:
    return {"type": "object", "additionalProperties": {"type": "string", "enum": ["", *states]}}


LOCAL_MODEL_CACHE = kind(
    "A model that is kept on nodes.",
    _CACHE,
    an_object(
        {
            "nodeStatus": _states(
                "NodeNotReady",
                "NodeDownloadPending",
                "NodeDownloading",
                "NodeDownloaded",
                "NodeDownloadError",
            ),
            "copies": an_object({"available": WHOLE, "failed": WHOLE, "total": WHOLE}),
            "inferenceServices": _NAMES,
            "llmInferenceServices": _NAMES,
        }
    ),
)
LOCAL_MODEL_NODE_GROUP = kind(
    "Nodes that keep models, and with which volumes.",
    an_object(
        {
            "persistentVolumeSpec": built_in(f"{CORE}.PersistentVolumeSpec"),
            "persistentVolumeClaimSpec": built_in(f"{CORE}.PersistentVolumeClaimSpec"),
            "storageLimit": QUANTITY,
        },
        "persistentVolumeClaimSpec",
        "persistentVolumeSpec",
        "storageLimit",
    ),
    an_object({"used": QUANTITY, "available": QUANTITY}),
)
LOCAL_MODEL_NODE = kind(
    "The models that a node keeps.",
    an_object(
        {
            "localModels": a_list(
                an_object(
                    {
                        **dict.fromkeys(
                            ("modelName", "namespace", "nodeGroup", "serviceAccountName", "sourceModelUri"),
                            TEXT,
                        ),
                        "storage": _STORAGE,
                    },
                    "modelName",
                    "sourceModelUri",
                )
            )
        },
        "localModels",
    ),
    an_object(
        {
            "modelStatus": _states(
                "ModelDownloadPending", "ModelDownloading", "ModelDownloaded", "ModelDownloadError"
            )
        }
    ),
)
