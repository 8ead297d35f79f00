"""Serving's kinds as Kubernetes serves them.

Source: kserve/kserve 0.20 pkg/apis/serving, kserve 0.5.1 (KFServing) pkg/apis/serving, seldon-core 1.18
operator/apis/machinelearning.seldon.io.
"""

from __future__ import annotations

from dataclasses import replace

from sampan.kube.kinds import Resource

GROUP = "serving.kserve.io"
KFSERVING_GROUP = "serving.kubeflow.org"
SELDON_GROUP = "machinelearning.seldon.io"


def _kind(version: str, kind: str, short_name: str = "", *, namespaced: bool = True) -> Resource:
    names = (short_name,) if short_name else ()
    return Resource(
        GROUP, version, kind, f"{kind.lower()}s", namespaced, singular=kind.lower(), short_names=names
    )


def _without_status(kind: str, *, namespaced: bool = True) -> Resource:
    """Their status, where they have one, is written with the object."""
    return replace(_kind("v1alpha1", kind, namespaced=namespaced), subresources=())


INFERENCE_SERVICES = _kind("v1beta1", "InferenceService", "isvc")
SERVING_RUNTIMES = _without_status("ServingRuntime")
CLUSTER_SERVING_RUNTIMES = _without_status("ClusterServingRuntime", namespaced=False)
TRAINED_MODELS = _kind("v1alpha1", "TrainedModel", "tm")
INFERENCE_GRAPHS = _kind("v1alpha1", "InferenceGraph", "ig")
CLUSTER_STORAGE_CONTAINERS = _without_status("ClusterStorageContainer", namespaced=False)

LLM_INFERENCE_SERVICES = _kind("v1alpha2", "LLMInferenceService", "llmisvc")
LLM_INFERENCE_SERVICE_CONFIGS = _kind("v1alpha2", "LLMInferenceServiceConfig")
"""Served as v1alpha1 too."""

LOCAL_MODEL_CACHES = _kind("v1alpha1", "LocalModelCache", namespaced=False)
LOCAL_MODEL_NAMESPACE_CACHES = _kind("v1alpha1", "LocalModelNamespaceCache")
LOCAL_MODEL_NODE_GROUPS = _without_status("LocalModelNodeGroup", namespaced=False)
LOCAL_MODEL_NODES = _kind("v1alpha1", "LocalModelNode", namespaced=False)
"""What keeps models on nodes: `controller/local_models`."""

KFSERVING_INFERENCE_SERVICES = Resource(
    KFSERVING_GROUP, "v1beta1", "InferenceService", "inferenceservices", singular="inferenceservice"
)
"""Served as v1alpha2 too. Each is followed by an InferenceService of KServe's, which is what runs."""

KFSERVING_TRAINED_MODELS = Resource(
    KFSERVING_GROUP, "v1alpha1", "TrainedModel", "trainedmodels", singular="trainedmodel"
)
"""Likewise followed by one of KServe's."""

SELDON_DEPLOYMENTS = Resource(
    SELDON_GROUP,
    "v1",
    "SeldonDeployment",
    "seldondeployments",
    singular="seldondeployment",
    short_names=("sdep",),
    subresources=("status", "scale"),
)
"""Served as v1alpha2 and v1alpha3 too."""

KNATIVE_SERVICES = Resource(
    "serving.knative.dev",
    "v1",
    "Service",
    "services",
    singular="service",
    short_names=("kservice", "ksvc"),
    subresources=("status",),
)
"""In the embedded cluster alone: what is shown of components in mode Knative (`engine/inference_services`), and users'
own, each followed by an InferenceService (`engine/knative`)."""

SCALED_OBJECTS = Resource(
    "keda.sh",
    "v1alpha1",
    "ScaledObject",
    "scaledobjects",
    singular="scaledobject",
    short_names=("so",),
)
"""KEDA's, where it is installed: what it scales components by is written there."""
