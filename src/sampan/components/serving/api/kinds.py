"""Serving's kinds as Kubernetes serves them.

Source: kserve/kserve 0.20 pkg/apis/serving, kserve 0.5.1 (KFServing) pkg/apis/serving, seldon-core 1.18
operator/apis/machinelearning.seldon.io.
"""

from __future__ import annotations

from sampan.kube.kinds import Resource

GROUP = "serving.kserve.io"
KFSERVING_GROUP = "serving.kubeflow.org"
SELDON_GROUP = "machinelearning.seldon.io"


def _kind(version: str, kind: str, plural: str, *, namespaced: bool = True, scaled: bool = False) -> Resource:
    subresources = ("status", "scale") if scaled else ("status",)
    return Resource(
        GROUP,
        version,
        kind,
        plural,
        namespaced=namespaced,
        singular=kind.lower(),
        subresources=subresources,
    )


INFERENCE_SERVICES = _kind("v1beta1", "InferenceService", "inferenceservices")
SERVING_RUNTIMES = _kind("v1alpha1", "ServingRuntime", "servingruntimes")
CLUSTER_SERVING_RUNTIMES = _kind(
    "v1alpha1", "ClusterServingRuntime", "clusterservingruntimes", namespaced=False
)
TRAINED_MODELS = _kind("v1alpha1", "TrainedModel", "trainedmodels")
INFERENCE_GRAPHS = _kind("v1alpha1", "InferenceGraph", "inferencegraphs")
CLUSTER_STORAGE_CONTAINERS = _kind(
    "v1alpha1", "ClusterStorageContainer", "clusterstoragecontainers", namespaced=False
)

KFSERVING_INFERENCE_SERVICES = Resource(
    KFSERVING_GROUP, "v1beta1", "InferenceService", "inferenceservices", singular="inferenceservice"
)
"""Served as v1alpha2 too. Each is followed by an InferenceService of KServe's, which is what runs."""

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
