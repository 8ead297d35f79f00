"""The kinds whose objects have routes."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from sampan.client.protocol import Object
from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
)
from sampan.components.serving.api.routing import Route
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.gateway.watching import Source
from sampan.components.serving.engine.inference_services.configured import Configured, configured
from sampan.components.serving.engine.routing import (
    inference_graphs,
    inference_services,
    language_models,
    seldon_deployments,
)
from sampan.kube import meta
from sampan.kube.kinds import CONFIG_MAPS
from sampan.reconcile.cache import Cache


def sources(around: Around) -> Sequence[Source]:
    config = _Config(around)

    def of_inference_service(obj: Object) -> Sequence[Route]:
        return inference_services.routes(obj, config.read().domain)

    def of_inference_graph(obj: Object) -> Sequence[Route]:
        return inference_graphs.routes(obj, config.read().domain)

    def of_seldon_deployment(obj: Object) -> Sequence[Route]:
        return seldon_deployments.routes(obj, config.read().domain)

    def of_language_model(obj: Object) -> Sequence[Route]:
        return language_models.routes(obj, config.read().domain)

    return [
        Source(around.caches.of(LLM_INFERENCE_SERVICES), of_language_model, (config.cache,)),
        Source(around.caches.of(INFERENCE_SERVICES), of_inference_service, (config.cache,)),
        Source(around.caches.of(INFERENCE_GRAPHS), of_inference_graph, (config.cache,)),
        Source(around.caches.of(SELDON_DEPLOYMENTS), of_seldon_deployment, (config.cache,)),
    ]


class _Config:
    """`inferenceservice-config`."""

    def __init__(self, around: Around) -> None:
        self.cache = Cache(around.client, CONFIG_MAPS, namespace=labels.NAMESPACE)
        self._domain = around.settings.domain
        where = urlsplit(around.url)
        self._port = where.port or (443 if where.scheme == "https" else 80)
        self._last: tuple[str, Configured] | None = None

    def read(self) -> Configured:
        found = self.cache.get(labels.NAMESPACE, labels.CONFIG) or {}
        version = meta.resource_version(found)
        if self._last is None or self._last[0] != version:
            data = found.get("data") or {}
            # The mode stands in each object's status.
            made = configured(data, domain=self._domain, port=self._port, deployment_mode="")
            self._last = version, made
        return self._last[1]
