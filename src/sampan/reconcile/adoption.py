"""Taking a child under an owner's control, and letting it go: the writing half of what controllers adopt.

Which children those are the controllers decide by themselves.

Source: pkg/controller/controller_ref_manager.go, v1.33.
"""

from __future__ import annotations

from sampan.client.protocol import Object
from sampan.kube import meta, owners
from sampan.kube.errors import InvalidError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.reconcile.apply import ReadWriter
from sampan.reconcile.cache import Cache


class Adoption:
    """Of children of one kind, which `cache` holds. Each write waits until the cache has seen it."""

    def __init__(self, client: ReadWriter, cache: Cache) -> None:
        self._client = client
        self._cache = cache

    async def may_adopt(self, kind: Resource, owner: Object) -> bool:
        """Asked of the API, not of a cache: a deleted owner that adopts would leave its child without one."""
        try:
            fresh = await self._client.get(kind, meta.name(owner), meta.namespace(owner))
        except NotFoundError:
            return False
        return meta.uid(fresh) == meta.uid(owner) and not meta.is_deleting(fresh)

    async def adopt(self, owner: Object, obj: Object) -> Object | None:
        """As it is now; None when it is gone. ConflictError when somebody else was first."""
        return await self._write(obj, [*owners.owner_references(obj), owners.owner_reference(owner)])

    async def release(self, owner: Object, obj: Object) -> None:
        """ConflictError when somebody else was first."""
        kept = [each for each in owners.owner_references(obj) if each.get("uid") != meta.uid(owner)]
        await self._write(obj, kept)

    async def _write(self, obj: Object, references: list[Object]) -> Object | None:
        metadata = {
            "uid": meta.uid(obj),
            "resourceVersion": meta.resource_version(obj),
            "ownerReferences": references or None,
        }
        try:
            written = await self._client.patch(
                self._cache.resource, meta.name(obj), {"metadata": metadata}, meta.namespace(obj)
            )
        except (NotFoundError, InvalidError):
            return None  # gone, or spoilt beyond repair: nobody's in either case
        await self._cache.reached(meta.resource_version(written))
        return written
