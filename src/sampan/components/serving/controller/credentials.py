"""Secrets and service accounts that pods of endpoints get their credentials from. For the reconcilers.

They are read when they are needed, and not kept. Which were asked for is remembered, so that endpoints of the namespace
are looked at again when one of them comes, changes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.client.protocol import Client, Object
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import SECRETS, SERVICE_ACCOUNTS, Resource
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Source
from sampan.reconcile.reconciler import Request, request_for


class Credentials:
    def __init__(self, client: Client, endpoints: Cache) -> None:
        """`endpoints` are the objects of the kind that asks."""
        self._client = client
        self._endpoints = endpoints
        self._caches = [Cache(client, kind, keep=_without_content) for kind in (SECRETS, SERVICE_ACCOUNTS)]
        self._asked: set[tuple[str, str, str]] = set()

    async def get(self, resource: Resource, name: str, namespace: str) -> Object | None:
        """Raises ApiError."""
        self._asked.add((resource.kind, namespace, name))
        try:
            return await self._client.get(resource, name, namespace)
        except NotFoundError:
            return None

    def sources(self) -> list[Source[Request]]:
        return [Source(cache, self._concerned) for cache in self._caches]

    def _concerned(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        obj = new or old or {}
        namespace = meta.namespace(obj)
        if (obj.get("kind"), namespace, meta.name(obj)) not in self._asked:
            return ()
        return [request_for(each) for each in self._endpoints.list(namespace)]


def _without_content(obj: Object) -> Object:
    told = meta.metadata(obj)
    kept = {key: told[key] for key in ("name", "namespace", "uid", "resourceVersion") if key in told}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept}
