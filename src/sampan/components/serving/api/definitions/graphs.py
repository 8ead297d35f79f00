"""The schema of InferenceGraph.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha1/inference_graph.go.
"""

from __future__ import annotations

from sampan.components.serving.api.definitions.assembly import ADDRESS, KNATIVE_STATUS, SCALE_METRIC
from sampan.kube.crd_schemas import (
    BOOLEAN,
    CORE,
    INT32,
    INT64,
    TEXT,
    TEXTS,
    a_list,
    about,
    an_object,
    built_in,
    kind,
)

_STEP = an_object(
    {
        "name": TEXT,
        "nodeName": about(TEXT, "The node that comes next."),
        "serviceName": about(TEXT, "An InferenceService of this namespace."),
        "serviceUrl": about(TEXT, "Any address."),
        "data": about(TEXT, "$request or $response: what the step is sent."),
        "mapPredictionsToInstances": BOOLEAN,
        "weight": about(INT64, "In per cent; those of a Splitter add up to 100."),
        "condition": about(TEXT, "A GJSON path that finds something where the step is to be taken."),
        "dependency": {"type": "string", "enum": ["Soft", "Hard"]},
    }
)
_NODE = an_object(
    {
        "routerType": {"type": "string", "enum": ["Sequence", "Splitter", "Ensemble", "Switch"]},
        "steps": a_list(_STEP),
    },
    "routerType",
)
_SPEC = an_object(
    {
        "nodes": {
            "type": "object",
            "additionalProperties": _NODE,
            "description": "By name; the first is root.",
        },
        "resources": built_in(f"{CORE}.ResourceRequirements"),
        "affinity": built_in(f"{CORE}.Affinity"),
        "timeout": about(INT64, "In seconds."),
        "routerTimeouts": an_object(
            dict.fromkeys(("serverIdle", "serverRead", "serverWrite", "serviceClient"), INT64)
        ),
        "minReplicas": INT32,
        "maxReplicas": INT32,
        "scaleTarget": INT32,
        "scaleMetric": SCALE_METRIC,
        "tolerations": a_list(built_in(f"{CORE}.Toleration")),
        "nodeSelector": TEXTS,
        "nodeName": TEXT,
        "serviceAccountName": TEXT,
    },
    "nodes",
)
INFERENCE_GRAPH = kind(
    "Several InferenceServices, called one after another, together, or one of them.",
    _SPEC,
    an_object({**KNATIVE_STATUS, "address": ADDRESS, "url": TEXT, "deploymentMode": TEXT}),
)
