"""The schema of SeldonDeployment, the same in all versions.

Source: seldon-core 1.18.2 operator/apis/machinelearning.seldon.io/v1 (seldondeployment_types.go,
seldon_deployment_status.go). A graph's units have children of their own kind, to any depth: below the first they are
not described, and kept.
"""

from __future__ import annotations

from sampan.components.serving.api.definitions.assembly import ANYTHING, KNATIVE_STATUS, container_like
from sampan.kube.crd_schemas import (
    BOOLEAN,
    CORE,
    INT32,
    META,
    TEXT,
    TEXTS,
    Schema,
    a_list,
    about,
    an_object,
    built_in,
    kind,
)

_ENDPOINT = an_object(
    {
        "service_host": TEXT,
        "service_port": INT32,
        "type": TEXT,
        "httpPort": INT32,
        "grpcPort": INT32,
    }
)
_EITHER: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
_PARAMETER = an_object({"name": TEXT, "value": TEXT, "type": TEXT}, "name", "value", "type")
_UNIT = an_object(
    {
        "name": TEXT,
        "children": a_list(ANYTHING),
        "type": about(TEXT, "MODEL, ROUTER, COMBINER, TRANSFORMER or OUTPUT_TRANSFORMER."),
        "implementation": about(TEXT, "A built-in unit, or a server such as SKLEARN_SERVER."),
        "methods": a_list(TEXT),
        "endpoint": _ENDPOINT,
        "parameters": a_list(_PARAMETER),
        "modelUri": TEXT,
        "serviceAccountName": TEXT,
        "envSecretRefName": TEXT,
        "storageInitializerImage": TEXT,
        "logger": an_object({"url": TEXT, "mode": TEXT}),
    },
    "name",
)
_POD = an_object(
    {
        "metadata": built_in(f"{META}.ObjectMeta"),
        "spec": built_in(f"{CORE}.PodSpec"),
        "replicas": INT32,
        "hpaSpec": an_object(
            {
                "minReplicas": INT32,
                "maxReplicas": INT32,
                "metrics": a_list(ANYTHING),
                "metricsv2": a_list(built_in("io.k8s.api.autoscaling.v2.MetricSpec")),
            },
            "maxReplicas",
        ),
        "kedaSpec": ANYTHING,
        "pdbSpec": an_object({"minAvailable": _EITHER, "maxUnavailable": _EITHER}),
    }
)
_EXPLAINER = an_object(
    {
        "type": TEXT,
        "modelUri": TEXT,
        "serviceAccountName": TEXT,
        "containerSpec": container_like({}),
        "config": TEXTS,
        "endpoint": _ENDPOINT,
        "envSecretRefName": TEXT,
        "storageInitializerImage": TEXT,
        "replicas": INT32,
        "initParameters": TEXT,
    }
)
_PREDICTOR = an_object(
    {
        "name": TEXT,
        "graph": _UNIT,
        "componentSpecs": a_list(_POD),
        "replicas": INT32,
        "annotations": TEXTS,
        "labels": TEXTS,
        "engineResources": built_in(f"{CORE}.ResourceRequirements"),
        "svcOrchSpec": an_object(
            {
                "resources": built_in(f"{CORE}.ResourceRequirements"),
                "env": a_list(built_in(f"{CORE}.EnvVar")),
                "replicas": INT32,
            }
        ),
        "traffic": about(INT32, "In per cent."),
        "explainer": _EXPLAINER,
        "shadow": about(BOOLEAN, "It gets copies of requests, and its answers are dropped."),
        "ssl": an_object({"certSecretName": TEXT}),
        "progressDeadlineSeconds": INT32,
    },
    "name",
    "graph",
)
_SPEC = an_object(
    {
        "name": TEXT,
        "predictors": a_list(_PREDICTOR),
        "oauth_key": TEXT,
        "oauth_secret": TEXT,
        "annotations": TEXTS,
        "protocol": about(TEXT, "seldon, tensorflow or v2."),
        "transport": about(TEXT, "rest or grpc."),
        "replicas": INT32,
        "serverType": TEXT,
    },
    "predictors",
)


def _by_name(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": an_object(properties)}


_STATUS = an_object(
    {
        **KNATIVE_STATUS,
        "state": TEXT,
        "description": TEXT,
        "replicas": INT32,
        "address": an_object({"url": TEXT}),
        "deploymentStatus": _by_name(
            {
                "name": TEXT,
                "status": TEXT,
                "description": TEXT,
                "replicas": INT32,
                "availableReplicas": INT32,
                "explainerFor": TEXT,
            }
        ),
        "serviceStatus": _by_name(
            dict.fromkeys(("svcName", "httpEndpoint", "grpcEndpoint", "explainerFor"), TEXT)
        ),
    }
)
SELDON_DEPLOYMENT = kind("Models and what stands around them, as a graph.", _SPEC, _STATUS)
SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
