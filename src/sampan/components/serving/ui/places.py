"""Where endpoints and what belongs to them are: paths of the API, of our own pages, and of the gateway. Pure."""

from __future__ import annotations

from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.kube.kinds import Resource
from sampan.ui.api import segment

KINDS = (
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    INFERENCE_GRAPHS,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
"""That have pages."""
LIST = "/serving"
NEW = "/serving/new"
RUNTIMES = "/cluster/clusterservingruntimes.serving.kserve.io"
ICON = "cell_tower"
"""Of serving, wherever it is named."""
_STATISTICS = "/apis/serving.sampan.dev/v1/namespaces/{}/statistics"


def by_plural(plural: str) -> Resource | None:
    return next((each for each in KINDS if each.plural == plural), None)


def by_kind(kind: str) -> Resource | None:
    return next((each for each in KINDS if each.kind == kind), None)


def api(resource: Resource, namespace: str, name: str = "", subresource: str = "") -> str:
    """The API's path of a collection or an object."""
    return resource.path(segment(namespace), segment(name), subresource)


def endpoint(resource: Resource, namespace: str, name: str) -> str:
    """The page of one."""
    return f"{LIST}/{resource.plural}/{segment(namespace)}/{segment(name)}"


def of(kind: str, namespace: str, name: str) -> str:
    """The page of one, by its kind."""
    resource = by_kind(kind)
    return endpoint(resource, namespace, name) if resource is not None else LIST


def cluster(resource: Resource, namespace: str, name: str) -> str:
    """The page of an object among those of the cluster."""
    return "/".join(["/cluster", resource.key, segment(namespace), segment(name)])


def pod(namespace: str, name: str) -> str:
    return f"/cluster/pods/{segment(namespace)}/{segment(name)}"


def runtime(name: str, namespace: str = "") -> str:
    """The page of a ServingRuntime of a namespace, or of the cluster's."""
    if namespace:
        return f"/cluster/servingruntimes.serving.kserve.io/{segment(namespace)}/{segment(name)}"
    return f"{RUNTIMES}/{segment(name)}"


def statistics(namespace: str) -> str:
    return _STATISTICS.format(segment(namespace))


def history(kind: str, namespace: str, name: str) -> str:
    """Of one endpoint, in steps of ten seconds."""
    return f"{_STATISTICS.format(segment(namespace))}/{segment(kind)}/{segment(name)}"


def kept_pods(owner: tuple[str, str]) -> str:
    """Pods that an InferenceService has had, by its namespace and name; below it what they printed."""
    namespace, name = map(segment, owner)
    return f"/apis/logs.serving.sampan.dev/v1/namespaces/{namespace}/inferenceservices/{name}/pods"


def gateway(kind: str, namespace: str, name: str) -> str:
    """Where the platform's own port answers for it."""
    first = "seldon" if kind == SELDON_DEPLOYMENTS.kind else "serving"
    return f"/{first}/{segment(namespace)}/{segment(name)}"
