"""LLMInferenceService and LLMInferenceServiceConfig: schemas of both versions.

Source: kserve/kserve 0.20 pkg/apis/serving/{v1alpha1,v1alpha2}/llm_inference_service_types.go. Objects of the Gateway
API and of KEDA that a spec may hold are not written out. Upstream's rules of `scaling` are admission's
(`engine/language_models/checks.py`): in a definition they would load the library of CEL with the first configuration.
"""

from __future__ import annotations

from sampan.components.serving.api.definitions.assembly import (
    ADDRESS,
    AGE,
    ANYTHING,
    ATOMIC,
    KNATIVE_STATUS,
    QUANTITY,
    READY,
    URL,
    pod_like,
)
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
from sampan.kube.meta import Object

_REASON: Object = {
    "name": "Reason",
    "type": "string",
    "jsonPath": ".status.conditions[?(@.type=='Ready')].reason",
}
_URLS: Object = {"name": "URLs", "type": "string", "jsonPath": ".status.addresses[*].url", "priority": 1}
COLUMNS = (URL, READY, _REASON, AGE, _URLS)
CONFIG_COLUMNS = (READY, _REASON, AGE)
CRITICALITIES = ("Critical", "Standard", "Sheddable")
"""Of v1alpha1."""

_NAMED = an_object({"name": {**TEXT, "default": ""}}, **{"x-kubernetes-map-type": "atomic"})
_COUNT: Schema = {**INT32, "minimum": 1}
_OBJECT_REFERENCE = an_object(dict.fromkeys(("group", "kind", "name", "namespace"), TEXT))
_TYPED_REFERENCE: Schema = {"apiGroup": TEXT, "kind": TEXT, "name": TEXT}

_ACTUATOR = an_object(
    {
        "variantCost": {**TEXT, "pattern": r"^\d+(\.\d+)?$", "default": "10.0"},
        "hpa": an_object({"behavior": ANYTHING}),
        "keda": an_object(
            {
                "pollingInterval": _COUNT,
                "cooldownPeriod": {**INT32, "minimum": 0},
                "initialCooldownPeriod": {**INT32, "minimum": 0},
                "idleReplicaCount": _COUNT,
                "fallback": ANYTHING,
                "advanced": ANYTHING,
            }
        ),
    }
)
_SCALING = an_object(
    {
        "minReplicas": {**_COUNT, "default": 1},
        "maxReplicas": _COUNT,
        "wva": about(_ACTUATOR, "What scales on a cluster; here the requests do."),
    },
    "maxReplicas",
)
_PARALLELISM = an_object(
    {
        **dict.fromkeys(("tensor", "pipeline", "data", "dataLocal"), _COUNT),
        "dataRPCPort": {**_COUNT, "maximum": 65535},
        "expert": BOOLEAN,
    }
)
_TIER = an_object(
    {
        "emptyDir": an_object({"size": QUANTITY}, "size"),
        "pvc": an_object(
            {
                "spec": built_in(f"{CORE}.PersistentVolumeClaimSpec"),
                "ref": an_object({"name": TEXT, "path": TEXT}, "name"),
            }
        ),
    }
)
_OFFLOADING = an_object(
    {
        "cpu": QUANTITY,
        "evictionPolicy": {**TEXT, "enum": ["lru", "arc"], "default": "lru"},
        "secondary": a_list(an_object({"fileSystem": _TIER})),
    },
    "cpu",
)
_WORKLOAD: Schema = {
    "replicas": {**INT32, "minimum": 0},
    "scaling": _SCALING,
    "parallelism": _PARALLELISM,
    "labels": TEXTS,
    "annotations": TEXTS,
    "template": about(pod_like({}), "The pods; what it says comes before what configurations say."),
    "worker": about(pod_like({}), "The other pods of a model on several machines."),
    "kvCacheOffloading": _OFFLOADING,
}
_LORA = an_object(
    {
        "adapters": {
            "type": "array",
            "items": ANYTHING,
            "description": "Each with a name and a uri: asked by its name, as a model.",
        },
        **dict.fromkeys(("maxRank", "maxAdapters", "maxCpuAdapters"), _COUNT),
    }
)
_ROUTER = an_object(
    {
        "route": an_object(
            {
                "http": an_object({"refs": a_list(_NAMED), "spec": ANYTHING}),
                "group": {
                    **TEXT,
                    "minLength": 1,
                    "maxLength": 63,
                    "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
                },
                "weight": {**INT32, "minimum": 0, "maximum": 1_000_000},
            }
        ),
        "gateway": an_object(
            {"refs": a_list(an_object({"name": TEXT, "namespace": TEXT, "sectionName": TEXT}))}
        ),
        "ingress": an_object({"refs": a_list(an_object({"name": TEXT, "namespace": TEXT}))}),
        "scheduler": an_object(
            {
                "pool": an_object({"spec": ANYTHING, "ref": _NAMED}),
                "labels": TEXTS,
                "annotations": TEXTS,
                "template": pod_like({}),
                "config": an_object(
                    {"inline": ANYTHING, "ref": an_object({"name": TEXT, "key": TEXT, "optional": BOOLEAN})}
                ),
                "replicas": INT32,
            }
        ),
    },
    description="How it is reached. Here the platform's own gateway is route, gateway and scheduler.",
)
_TRACING = an_object(dict.fromkeys(("exporterEndpoint", "sampler", "samplerArg", "exporter"), TEXT))


def _model(more: Schema | None = None) -> Schema:
    return an_object(
        {
            "uri": about(
                TEXT,
                "Where the model is: hf://, s3://, pvc://, file:// and others. One of baseRefs may say it.",
            ),
            "name": about(TEXT, "By which requests name it; the object's own name where it says none."),
            "lora": _LORA,
            "confidential": an_object({"enabled": BOOLEAN, "resourceId": TEXT}, "enabled"),
            **(more or {}),
        }
    )


def _spec(model: Schema) -> Schema:
    return an_object(
        {
            "model": model,
            "storageInitializer": an_object({"enabled": BOOLEAN}),
            **_WORKLOAD,
            "prefill": an_object(_WORKLOAD),
            "router": _ROUTER,
            "tracing": _TRACING,
            "baseRefs": a_list(_NAMED),
        }
    )


_OBSERVED = an_object({**_TYPED_REFERENCE, "readyReplicas": INT32}, "kind", "name")
_MEMBER = an_object(
    {"name": TEXT, "weight": INT32, "stopped": BOOLEAN, "backendRef": ANYTHING}, "name", "weight"
)
_STATUS = an_object(
    {
        **KNATIVE_STATUS,
        "url": TEXT,
        "address": ADDRESS,
        "addresses": a_list(
            an_object(
                {
                    **dict.fromkeys(("CACerts", "audience", "name", "url"), TEXT),
                    "origin": _OBJECT_REFERENCE,
                    "models": a_list(an_object({"name": TEXT}, "name")),
                }
            ),
            **ATOMIC,
        ),
        "router": an_object(
            {
                "gateways": a_list(
                    an_object(
                        {
                            **dict.fromkeys(("group", "kind", "name", "namespace"), TEXT),
                            "listeners": a_list(TEXT, **ATOMIC),
                            "httpRoutes": a_list(_OBJECT_REFERENCE, **ATOMIC),
                        }
                    ),
                    **ATOMIC,
                ),
                "scheduler": an_object({"inferencePool": _OBJECT_REFERENCE, "service": _OBJECT_REFERENCE}),
                "group": an_object({"name": TEXT, "members": a_list(_MEMBER)}, "name"),
            }
        ),
        "workloads": an_object(
            {
                **dict.fromkeys(("primary", "prefill", "scheduler"), _OBSERVED),
                "service": an_object(_TYPED_REFERENCE, "kind", "name"),
            }
        ),
        "appliedConfigs": a_list(
            an_object(
                {"name": TEXT, "namespace": TEXT, "source": {**TEXT, "enum": ["Preset", "UserRef"]}},
                "name",
                "namespace",
                "source",
            ),
            **ATOMIC,
        ),
    }
)
_CONFIG_STATUS = an_object(
    {
        **KNATIVE_STATUS,
        "referencedBy": a_list(an_object({"name": TEXT, "namespace": TEXT}), **ATOMIC),
    }
)
_OLD: Schema = {"criticality": {**TEXT, "enum": list(CRITICALITIES)}}
_SERVICE_ABOUT = "A language model that answers as OpenAI's API does."
_CONFIG_ABOUT = "What LLMInferenceServices may begin with: named in their baseRefs, or by what they are."

SERVICE = kind(_SERVICE_ABOUT, _spec(_model()), _STATUS)
SERVICE_V1ALPHA1 = kind(_SERVICE_ABOUT, _spec(_model(_OLD)), _STATUS)
SERVICE_CONFIG = kind(_CONFIG_ABOUT, _spec(_model()), _CONFIG_STATUS)
SERVICE_CONFIG_V1ALPHA1 = kind(_CONFIG_ABOUT, _spec(_model(_OLD)), _CONFIG_STATUS)
