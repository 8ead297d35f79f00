"""Whether the model that a service takes from a cache is on a node yet.

Upstream starts its pods at once, which find an empty folder and fail until the download is there; here they wait for
it, and the service says so. One that serves goes on, whatever becomes of the cache.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.components.serving.api.kinds import (
    LOCAL_MODEL_CACHES,
    LOCAL_MODEL_NAMESPACE_CACHES,
)
from sampan.components.serving.api.reading import by_text
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.local_models import matching, models
from sampan.kube import conditions, meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.reconcile.controller import Source
from sampan.reconcile.reconciler import Request, request_for

REASON = "LocalModelNotDownloaded"
OF_CACHE = "local model"
"""Index of InferenceServices, and of LLMInferenceServices."""


class Waiting:
    def __init__(self, around: Around, kind: Resource, condition: str) -> None:
        """`condition` of a service of `kind` says that it serves."""
        self._is_embedded = around.is_embedded
        self._condition = condition
        self._services = around.caches.of(kind)
        self._services.add_index(OF_CACHE, of_cache)
        kinds = (LOCAL_MODEL_CACHES, LOCAL_MODEL_NAMESPACE_CACHES)
        self._caches = [around.caches.of(kind) for kind in kinds] if around.is_embedded else []

    def sources(self) -> list[Source[Request]]:
        """The services that take their model from a cache, when that has come nearer."""
        return [Source(each, self._of_cache) for each in self._caches]

    def why(self, isvc: Object) -> str:
        """What it waits for; empty for nothing."""
        found = matching.cache_of(isvc)
        if found is None or not self._is_embedded or conditions.is_true(isvc, self._condition):
            return ""
        of_cluster, of_namespace = self._caches
        namespace, name = found
        cache = of_namespace.get(namespace, name) if namespace else of_cluster.get("", name)
        if cache is None or models.is_downloaded(cache):
            return ""
        kind = "LocalModelNamespaceCache" if namespace else "LocalModelCache"
        states = by_text(meta.status(cache).get("nodeStatus"))
        told = ", ".join(f"{node}: {state}" for node, state in sorted(states.items()))
        return f"the model of {kind} {name} is on no node yet ({told or 'no node is to have it: see its Events'})"

    def _of_cache(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        one = new or old or {}
        before, after = (meta.status(each or {}).get("nodeStatus") for each in (old, new))
        if before == after and old is not None and new is not None:
            return ()
        found = self._services.by_index(OF_CACHE, f"{meta.namespace(one)}/{meta.name(one)}")
        return [request_for(each) for each in found]


def of_cache(isvc: Object) -> Iterable[str]:
    """For an index: NAMESPACE/NAME of the cache that a service takes its model from."""
    found = matching.cache_of(isvc)
    return ("/".join(found),) if found is not None else ()
