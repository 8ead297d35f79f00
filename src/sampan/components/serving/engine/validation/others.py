"""Whether a ClusterStorageContainer, and what keeps models on nodes, may be.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha1/storage_container_types.go,
pkg/webhook/admission/{localmodelcache,localmodelnamespacecache}. Upstream takes any storage container; one that could
match nothing, or whose expression cannot be read, fails only when a model is fetched.
"""

from __future__ import annotations

import re

from sampan.components.serving.api.kinds import LOCAL_MODEL_CACHES, LOCAL_MODEL_NODE_GROUPS
from sampan.components.serving.api.reading import child, mappings, text, texts
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_WORKLOADS = ("initContainer", "localModelDownloadJob")


def check_storage_container(
    container: Object, _old: Object | None, _around: Surroundings, errors: FieldErrors
) -> None:
    spec = meta.spec(container)
    for index, each in enumerate(mappings(spec.get("supportedUriFormats"))):
        here = f"spec.supportedUriFormats[{index}]"
        prefix, expression = text(each.get("prefix")), text(each.get("regex"))
        if not prefix and not expression:
            errors.required(here, "a prefix or a regex that URIs have")
        if expression:
            try:
                re.compile(expression)
            except (re.error, RecursionError, OverflowError) as error:
                errors.invalid(f"{here}.regex", expression, f"cannot be read: {error}")
    workload = spec.get("workloadType")
    if workload is not None and workload not in _WORKLOADS:
        errors.unsupported("spec.workloadType", workload, _WORKLOADS)


def check_cache(cache: Object, _old: Object | None, around: Surroundings, errors: FieldErrors) -> None:
    """A LocalModelCache is the only one of its URI. One of a namespace names groups that are there."""
    if meta.namespace(cache):
        _check_groups(cache, around, errors)
        return
    uri = text(child(cache, "spec").get("sourceModelUri"))
    for other in around.all(LOCAL_MODEL_CACHES, ""):
        if meta.name(other) != meta.name(cache) and child(other, "spec").get("sourceModelUri") == uri:
            errors.invalid(
                "spec.sourceModelUri",
                uri,
                f"LocalModelCache {meta.name(other)} has the same StorageURI {uri}",
            )


def _check_groups(cache: Object, around: Surroundings, errors: FieldErrors) -> None:
    there = {meta.name(each) for each in around.all(LOCAL_MODEL_NODE_GROUPS, "")}
    for index, name in enumerate(texts(child(cache, "spec").get("nodeGroups"))):
        if name not in there:
            errors.invalid(
                f"spec.nodeGroups[{index}]",
                name,
                f"NodeGroup {name} not found: make a LocalModelNodeGroup of that name first",
            )
