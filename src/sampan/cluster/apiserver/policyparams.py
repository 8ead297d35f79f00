"""What admission policies read of the API: their parameters, and whether a user may do something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.client.protocol import ListOptions
from sampan.cluster.apiserver.storage import decode
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube import meta, selectors
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import KindRegistry, Resource
from sampan.kube.meta import Object


class PolicyParams:
    """`admission.dynamic.policies.Params` on the verbs."""

    def __init__(self, verbs: Verbs, registry: KindRegistry) -> None:
        self._verbs = verbs
        self._registry = registry

    def kind(self, api_version: str, kind: str) -> Resource | None:
        return self._registry.by_kind(api_version, kind)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return (await self._verbs.read(resource, name, namespace or None)).object()
        except NotFoundError:
            return None

    async def select(
        self, resource: Resource, namespace: str, selector: Mapping[str, Any]
    ) -> Sequence[Object]:
        wanted = selectors.from_object(selector)
        page = await self._verbs.list(resource, namespace or None, ListOptions())
        return [obj for obj in map(decode, page.items) if wanted.matches(meta.labels(obj))]
