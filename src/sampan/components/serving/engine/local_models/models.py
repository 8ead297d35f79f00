"""A LocalModelCache or LocalModelNamespaceCache: what it says of its model, and what its status is to say.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/localmodel/reconcilers/utils.go,
pkg/apis/serving/v1alpha1/{local_model_cache_types,local_model_node_types,storage_uri_utils}.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.components.serving.api.reading import by_text, child, mapping, mappings, text, texts
from sampan.kube import meta
from sampan.kube.meta import Object

NOT_READY, PENDING, DOWNLOADED, ERROR = (
    "NodeNotReady",
    "NodeDownloadPending",
    "NodeDownloaded",
    "NodeDownloadError",
)
MODEL_PENDING, MODEL_DOWNLOADING, MODEL_DOWNLOADED, MODEL_ERROR = (
    "ModelDownloadPending",
    "ModelDownloading",
    "ModelDownloaded",
    "ModelDownloadError",
)
_OF_NODE = {
    MODEL_PENDING: PENDING,
    MODEL_DOWNLOADING: "NodeDownloading",
    MODEL_DOWNLOADED: DOWNLOADED,
    MODEL_ERROR: ERROR,
}
_KEY_LENGTH = 16


def uri(cache: Object) -> str:
    return text(meta.spec(cache).get("sourceModelUri"))


def groups(cache: Object) -> list[str]:
    """Their names, the first of which counts for whoever names none."""
    return texts(meta.spec(cache).get("nodeGroups"))


def storage_key(source: str) -> str:
    """The name of the folder that a model is in: caches of one URI share it."""
    return hashlib.sha256(source.encode()).hexdigest()[:_KEY_LENGTH]


def matches(cached: str, wanted: str) -> bool:
    """Whether what is wanted is what is cached, or lies in it."""
    cached, wanted = cached.removesuffix("/"), wanted.removesuffix("/")
    return wanted == cached or wanted.startswith(f"{cached}/")


# What a node is told of it.


def info(cache: Object, group: str) -> dict[str, Any]:
    """Its entry in the LocalModelNodes of a group."""
    spec = meta.spec(cache)
    made: dict[str, Any] = {"sourceModelUri": uri(cache), "modelName": meta.name(cache)}
    if meta.namespace(cache):
        made["namespace"] = meta.namespace(cache)
    made["nodeGroup"] = group
    if account := text(spec.get("serviceAccountName")):
        made["serviceAccountName"] = account
    if spec.get("storage") is not None:
        made["storage"] = mapping(spec["storage"])
    return made


def is_of(entry: Mapping[str, Any], cache: Object) -> bool:
    return (text(entry.get("namespace")), entry.get("modelName")) == (meta.namespace(cache), meta.name(cache))


def entries(node: Object) -> list[Object]:
    """What a LocalModelNode is to keep."""
    return mappings(meta.spec(node).get("localModels"))


def with_entry(held: Sequence[Object], cache: Object, group: str) -> list[Object]:
    wanted = info(cache, group)
    if any(is_of(each, cache) for each in held):
        return [wanted if is_of(each, cache) else each for each in held]
    return [*held, wanted]


def status_key(entry: Mapping[str, Any]) -> str:
    """By which a LocalModelNode's status tells of it."""
    namespace, name = text(entry.get("namespace")), text(entry.get("modelName"))
    return f"{namespace}/{name}" if namespace else name


def of_node(node: Object | None, cache: Object) -> str:
    """How far the model of `cache` is on that LocalModelNode."""
    said = by_text(meta.status(node or {}).get("modelStatus"))
    return _OF_NODE.get(said.get(status_key(info(cache, "")), ""), PENDING)


# Status.


def status(
    cache: Object, node_status: Mapping[str, str], users: Iterable[Object], llm_users: Iterable[Object] = ()
) -> dict[str, Any]:
    """As upstream's clients read it: what is nothing is not there."""
    states = list(node_status.values())
    copies = {"total": len(states), "available": states.count(DOWNLOADED), "failed": states.count(ERROR)}
    found = {
        "nodeStatus": dict(sorted(node_status.items())),
        "copies": {key: number for key, number in copies.items() if number},
        "inferenceServices": _names(users),
        "llmInferenceServices": _names(llm_users),
    }
    if not groups(cache):
        found.pop("copies")
    return {key: value for key, value in found.items() if value or key == "copies"}


def is_downloaded(cache: Object) -> bool:
    """On some node."""
    return DOWNLOADED in by_text(child(cache, "status", "nodeStatus")).values()


def _names(users: Iterable[Object]) -> list[dict[str, str]]:
    found = sorted((meta.namespace(each), meta.name(each)) for each in users)
    return [{"namespace": namespace, "name": name} for namespace, name in found]
