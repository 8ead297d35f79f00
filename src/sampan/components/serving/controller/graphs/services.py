"""What steps of graphs name: InferenceServices and the protocols of their runtimes. Read from caches.

A graph is looked at again when one of its services gets another address or says another thing of its model; its status
as a whole changes too often for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sampan.components.serving.api.kinds import (
    CLUSTER_SERVING_RUNTIMES,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    SERVING_RUNTIMES,
)
from sampan.components.serving.api.reading import child, texts
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.graphs.resolving import Resolved, named_services, resolve
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.reconcile.controller import Source, reads
from sampan.reconcile.reconciler import Request, request_for

_NAMES = "service"


class NamedServices:
    def __init__(self, around: Around) -> None:
        self._graphs = around.caches.of(INFERENCE_GRAPHS)
        self._services = around.caches.of(INFERENCE_SERVICES)
        self._runtimes = around.caches.of(SERVING_RUNTIMES)
        self._of_cluster = around.caches.of(CLUSTER_SERVING_RUNTIMES)
        self._graphs.add_index(_NAMES, _named)

    def sources(self) -> list[Source[Request]]:
        return [Source(self._services, self._of_service), reads(self._runtimes), reads(self._of_cluster)]

    def resolve(self, graph: Object) -> Resolved:
        namespace = meta.namespace(graph)

        def service(name: str) -> Object | None:
            found = self._services.get(namespace, name)
            return None if found is None or meta.is_deleting(found) else found

        def runtimes(name: str) -> Sequence[str]:
            found = self._runtimes.get(namespace, name) or self._of_cluster.get("", name) or {}
            return texts(meta.spec(found).get("protocolVersions"))

        return resolve(graph, service, runtimes)

    def _of_service(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        if old is not None and new is not None and _concerns(old) == _concerns(new):
            return ()
        service = new or old or {}
        named = f"{meta.namespace(service)}/{meta.name(service)}"
        return [request_for(graph) for graph in self._graphs.by_index(_NAMES, named)]


def _named(graph: Object) -> Iterable[str]:
    return [f"{meta.namespace(graph)}/{name}" for name in named_services(graph)]


def _concerns(service: Object) -> tuple[Any, ...]:
    return (
        meta.is_deleting(service),
        child(meta.status(service), "address").get("url"),
        meta.spec(service).get("transformer"),
        meta.spec(service).get("predictor"),
    )
