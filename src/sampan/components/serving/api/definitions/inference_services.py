"""The schema of InferenceService.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1 (inference_service.go, predictor.go, explainer.go, transformer.go,
component.go, podspec.go, inference_service_status.go). As in upstream's definition (its Makefile) a framework's
container needs no name, and probes no port.
"""

from __future__ import annotations

from sampan.components.serving.api.definitions.assembly import (
    ADDRESS,
    ATOMIC,
    KNATIVE_STATUS,
    QUANTITY,
    SCALE_METRIC,
    WHOLE,
    container_like,
    pod_like,
)
from sampan.components.serving.api.models import FRAMEWORKS
from sampan.kube.crd_schemas import (
    BOOLEAN,
    INT32,
    INT64,
    TEXT,
    TEXTS,
    TIME,
    Schema,
    a_list,
    about,
    an_object,
    built_in,
    kind,
)

_METRIC_TYPE: Schema = {"type": "string", "enum": ["Utilization", "Value", "AverageValue"]}
_STORAGE: Schema = {
    "path": about(TEXT, "Of the object, below what the key's bucket or the URI says."),
    "parameters": about(TEXTS, "In place of what the Secret storage-config says under the key."),
    "key": about(TEXT, "Of the Secret storage-config: which credentials and place."),
}
_TARGET = an_object(
    {
        "type": _METRIC_TYPE,
        "value": QUANTITY,
        "averageValue": QUANTITY,
        "averageUtilization": INT32,
    }
)
_METRIC = an_object(
    {
        "type": {"type": "string", "enum": ["Resource", "External", "PodMetric"]},
        "resource": an_object(
            {"name": {"type": "string", "enum": ["cpu", "memory"]}, "target": _TARGET}, "name", "target"
        ),
        "external": an_object(
            {
                "metric": an_object(
                    {
                        "backend": {"type": "string", "enum": ["prometheus", "graphite"]},
                        "serverAddress": TEXT,
                        "query": TEXT,
                        "namespace": TEXT,
                    }
                ),
                "authenticationRef": an_object(
                    {"authenticationRef": an_object({"name": TEXT}, "name"), "authModes": TEXT},
                    "authenticationRef",
                ),
                "target": _TARGET,
            },
            "metric",
            "target",
        ),
        "podmetric": an_object(
            {
                "metric": an_object(
                    {
                        "backend": {"type": "string", "enum": ["opentelemetry"]},
                        "serverAddress": TEXT,
                        "metricNames": a_list(TEXT),
                        "query": TEXT,
                        "operationOverTime": TEXT,
                    }
                ),
                "target": _TARGET,
            },
            "metric",
            "target",
        ),
    },
    "type",
)
_LOGGER = an_object(
    {
        "url": about(TEXT, "Where the CloudEvents are sent; what the ConfigMap says where nothing is said."),
        "mode": {"type": "string", "enum": ["all", "request", "response"]},
        "metadataHeaders": about(a_list(TEXT), "Headers of the request that go along."),
        "metadataAnnotations": about(a_list(TEXT), "Annotations of the InferenceService that go along."),
        "storage": an_object({**_STORAGE, "serviceAccountName": TEXT}),
        "marshallerUrl": TEXT,
        "batchSize": WHOLE,
        "batchInterval": TEXT,
    },
    description="Requests and answers are sent somewhere, as CloudEvents.",
)
_BATCHER = an_object(
    {"maxBatchSize": WHOLE, "maxLatency": about(WHOLE, "In milliseconds."), "timeout": WHOLE},
    description="Requests wait for one another and are predicted together.",
)
EXTENSION: Schema = {
    "minReplicas": about(INT32, "1 where nothing is said; 0 lets it sleep when nobody asks."),
    "maxReplicas": INT32,
    "scaleTarget": about(INT32, "What the scaled metric is held at."),
    "scaleMetric": about(SCALE_METRIC, "What is scaled by."),
    "scaleMetricType": _METRIC_TYPE,
    "autoScaling": an_object(
        {
            "metrics": a_list(_METRIC),
            "behavior": built_in("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior"),
        }
    ),
    "containerConcurrency": about(INT64, "How many requests a pod takes at a time; 0 for any number."),
    "timeout": about(INT64, "Seconds until an answer must have begun."),
    "canaryTrafficPercent": about(INT64, "How much the newest revision gets; the rest has the one before."),
    "logger": _LOGGER,
    "batcher": _BATCHER,
    "labels": about(TEXTS, "Of the pods."),
    "annotations": about(TEXTS, "Of the pods."),
    "deploymentStrategy": built_in("io.k8s.api.apps.v1.DeploymentStrategy"),
}
"""What every component has."""

_STORAGE_URIS = a_list(
    an_object(
        {
            "uri": {"type": "string", "minLength": 1},
            "mountPath": {
                "type": "string",
                "default": "/mnt/models",
                "pattern": "^/.*",
                "maxLength": 255,
            },
        },
        "uri",
    ),
    minItems=1,
    description="Several models, each with the folder where it is to be.",
    **ATOMIC,
)
_MODEL: Schema = {
    "storageUri": about(
        TEXT, "Where the model is: s3://, gs://, pvc://, https://, hf://, file:// and others."
    ),
    "runtimeVersion": about(TEXT, "The tag of the runtime's image."),
    "protocolVersion": about(TEXT, "v1, v2, grpc-v1 or grpc-v2."),
    "storage": an_object({**_STORAGE, "schemaPath": TEXT}),
    "confidential": an_object({"enabled": BOOLEAN, "resourceId": TEXT}, "enabled"),
}
_FRAMEWORK = container_like(_MODEL)
_ANY_MODEL = container_like(
    {
        **_MODEL,
        "modelFormat": an_object(
            {"name": about(TEXT, "Such as sklearn."), "version": TEXT},
            "name",
            description="By which a runtime is found.",
        ),
        "runtime": about(TEXT, "The ServingRuntime or ClusterServingRuntime that is to be taken."),
    }
)
PARALLEL_SIZES: Schema = {"pipelineParallelSize": WHOLE, "tensorParallelSize": WHOLE}
_PREDICTOR = pod_like(
    {
        **EXTENSION,
        "name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"},
        **{each: about(_FRAMEWORK, f"A model of {each}.") for each in FRAMEWORKS},
        "model": about(_ANY_MODEL, "A model of any format that some runtime knows."),
        "storageUris": _STORAGE_URIS,
        "storageContainerName": TEXT,
        "workerSpec": pod_like(PARALLEL_SIZES),
    }
)


def explaining(types: str) -> Schema:
    return container_like(
        {
            "type": about(TEXT, types),
            "storageUri": about(TEXT, "Where the explainer's own model is."),
            "runtimeVersion": TEXT,
            "config": about(TEXTS, "Settings of the explainer."),
            "storage": an_object({**_STORAGE, "schemaPath": TEXT}),
        }
    )


EXPLAINERS: Schema = {
    "art": explaining("SquareAttack."),
    "alibi": explaining("AnchorTabular and others: of KFServing, and of KServe up to 0.10."),
    "aix": explaining("LimeImages: of KFServing, and of KServe up to 0.10."),
}
_SPEC = an_object(
    {
        "predictor": about(
            _PREDICTOR, "What predicts: one framework, a model of any format, or a container."
        ),
        "transformer": about(
            pod_like({**EXTENSION, "storageUris": _STORAGE_URIS}),
            "What comes before and after the prediction.",
        ),
        "explainer": about(
            pod_like({**EXTENSION, **EXPLAINERS, "storageUris": _STORAGE_URIS}),
            "What explains predictions.",
        ),
        "canary": a_list(
            an_object(
                {"predictor": _PREDICTOR, "trafficPercent": {**INT32, "minimum": 0, "maximum": 100}},
                "predictor",
                "trafficPercent",
            ),
            description="Further predictors, each with its share of the requests.",
            **ATOMIC,
        ),
    },
    "predictor",
)

# Status.

_MODEL_STATE: Schema = {
    "type": "string",
    "enum": ["", "Pending", "Standby", "Loading", "Loaded", "FailedToLoad"],
}
_MODEL_STATUS = an_object(
    {
        "transitionStatus": {
            "type": "string",
            "default": "UpToDate",
            "enum": ["", "UpToDate", "InProgress", "BlockedByFailedLoad", "InvalidSpec"],
        },
        "states": an_object(
            {
                "activeModelState": {**_MODEL_STATE, "default": "Pending"},
                "targetModelState": {**_MODEL_STATE, "default": ""},
            },
            "activeModelState",
        ),
        "lastFailureInfo": an_object(
            {
                "location": TEXT,
                "reason": {
                    "type": "string",
                    "enum": [
                        "ModelLoadFailed",
                        "RuntimeUnhealthy",
                        "RuntimeDisabled",
                        "NoSupportingRuntime",
                        "RuntimeNotRecognized",
                        "InvalidPredictorSpec",
                    ],
                },
                "message": TEXT,
                "modelRevisionName": TEXT,
                "time": TIME,
                "exitCode": INT32,
            }
        ),
        "copies": an_object({"failedCopies": {**WHOLE, "default": 0}, "totalCopies": WHOLE}, "failedCopies"),
    },
    "transitionStatus",
)
_TRAFFIC = an_object(
    {
        "configurationName": TEXT,
        "latestRevision": BOOLEAN,
        "percent": INT64,
        "revisionName": TEXT,
        "tag": TEXT,
        "url": TEXT,
    }
)
_COMPONENT_STATUS = an_object(
    {
        "address": ADDRESS,
        **dict.fromkeys(
            (
                "grpcUrl",
                "latestCreatedRevision",
                "latestReadyRevision",
                "latestRolledoutRevision",
                "previousRolledoutRevision",
                "restUrl",
                "url",
            ),
            TEXT,
        ),
        "traffic": a_list(_TRAFFIC),
    }
)
_STATUS = an_object(
    {
        **KNATIVE_STATUS,
        "address": ADDRESS,
        "url": TEXT,
        "components": {"type": "object", "additionalProperties": _COMPONENT_STATUS},
        "modelStatus": _MODEL_STATUS,
        "canaryStatuses": a_list(
            an_object(
                {"name": TEXT, "ready": BOOLEAN, "trafficPercent": INT32, "modelStatus": _MODEL_STATUS},
                "name",
                "ready",
                "trafficPercent",
            ),
            **ATOMIC,
        ),
        "deploymentMode": TEXT,
        "servingRuntimeName": TEXT,
        "clusterServingRuntimeName": TEXT,
    },
    **{"x-kubernetes-preserve-unknown-fields": True},
)

INFERENCE_SERVICE = kind("A model that is served, with what comes before and after it.", _SPEC, _STATUS)


def _traffic_column(name: str, which: str, what: str, value_type: str) -> dict[str, str]:
    path = f".status.components.predictor.traffic[?({which})].{what}"
    return {"name": name, "type": value_type, "jsonPath": path}


_PREVIOUS, _LATEST = "@.tag=='prev'", "@.latestRevision==true"
TRAFFIC_COLUMNS = (
    _traffic_column("Prev", _PREVIOUS, "percent", "integer"),
    _traffic_column("Latest", _LATEST, "percent", "integer"),
    _traffic_column("PrevRolledoutRevision", _PREVIOUS, "revisionName", "string"),
    _traffic_column("LatestReadyRevision", _LATEST, "revisionName", "string"),
)
