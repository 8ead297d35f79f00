"""The schemas of ServingRuntime and ClusterServingRuntime.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha1/servingruntime_types.go.
"""

from __future__ import annotations

from sampan.components.serving.api.definitions.assembly import AGE, CONTAINER, WHOLE
from sampan.kube.crd_schemas import (
    BOOLEAN,
    CORE,
    INT32,
    TEXT,
    TEXTS,
    Schema,
    a_list,
    about,
    an_object,
    built_in,
    kind,
)

_POD: Schema = {
    "containers": about(a_list(CONTAINER), "kserve-container is the one that serves the model."),
    "volumes": a_list(built_in(f"{CORE}.Volume")),
    "nodeSelector": TEXTS,
    "affinity": built_in(f"{CORE}.Affinity"),
    "tolerations": a_list(built_in(f"{CORE}.Toleration")),
    "labels": about(TEXTS, "Of the pods."),
    "annotations": about(TEXTS, "Of the pods."),
    "imagePullSecrets": a_list(built_in(f"{CORE}.LocalObjectReference")),
    "hostIPC": BOOLEAN,
    "schedulerName": TEXT,
}
_FORMAT = an_object(
    {
        "name": about(TEXT, "Such as sklearn."),
        "version": about(TEXT, "A major version, or a longer one."),
        "autoSelect": about(BOOLEAN, "Whether the runtime is taken for such models without being named."),
        "priority": about({**INT32, "minimum": 1}, "Among those that could be taken: the highest is."),
    },
    "name",
)
_SPEC = an_object(
    {
        **_POD,
        "supportedModelFormats": about(a_list(_FORMAT), "What it can serve."),
        "multiModel": BOOLEAN,
        "disabled": about(BOOLEAN, "Whether it is not to be taken."),
        "protocolVersions": about(a_list(TEXT), "v1, v2, grpc-v1 or grpc-v2."),
        "workerSpec": an_object(
            {**_POD, "pipelineParallelSize": WHOLE, "tensorParallelSize": WHOLE}, "containers"
        ),
        "grpcEndpoint": TEXT,
        "grpcDataEndpoint": TEXT,
        "httpDataEndpoint": TEXT,
        "replicas": {"type": "integer"},
        "storageHelper": an_object({"disabled": BOOLEAN}),
        "builtInAdapter": an_object(
            {
                "serverType": TEXT,
                "runtimeManagementPort": WHOLE,
                "memBufferBytes": WHOLE,
                "modelLoadingTimeoutMillis": WHOLE,
                "env": a_list(built_in(f"{CORE}.EnvVar")),
            }
        ),
    },
    "containers",
)
SERVING_RUNTIME = kind(
    "A server of models: which formats it knows, and the pod that serves them.", _SPEC, {"type": "object"}
)
COLUMNS = (
    {"name": "Disabled", "type": "boolean", "jsonPath": ".spec.disabled"},
    {"name": "ModelType", "type": "string", "jsonPath": ".spec.supportedModelFormats[*].name"},
    {"name": "Containers", "type": "string", "jsonPath": ".spec.containers[*].name"},
    AGE,
)
