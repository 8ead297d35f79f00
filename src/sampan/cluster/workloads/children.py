"""Which objects belong to a controller: by ownerReference, and by selector where nobody owns them.

An orphan that matches is adopted, one of ours that matches no longer is released. `claim` decides and is pure;
`Children` reads caches and writes the references.

Source: pkg/controller/controller_ref_manager.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sampan.client.protocol import Client, Object
from sampan.kube import meta, owners, selectors
from sampan.kube.errors import ApiError, InvalidError, NotFoundError
from sampan.reconcile.cache import Cache
from sampan.reconcile.reconciler import Request

_CONTROLLER = "controller"
_NAMESPACE = "namespace"


@dataclass(slots=True)
class Claim:
    mine: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


def claim(owner: Object, candidates: Iterable[Object]) -> Claim:
    """`candidates`: what the owner controls, and orphans of its namespace. Pure."""
    selector = selectors.from_object(meta.spec(owner).get("selector"))
    result, deleting = Claim(), meta.is_deleting(owner)
    for obj in candidates:
        matches = bool(selector) and selector.matches(meta.labels(obj))
        reference = owners.controller_of(obj)
        if reference is not None:
            if reference.get("uid") != meta.uid(owner):
                continue
            if matches:
                result.mine.append(obj)
            elif not deleting:
                result.release.append(obj)
        elif matches and not deleting and not meta.is_deleting(obj):
            result.adopt.append(obj)
    return result


class Children:
    """The children of one kind for owners of one kind."""

    def __init__(self, client: Client, owners_cache: Cache, children_cache: Cache) -> None:
        self._client = client
        self._owners = owners_cache
        self._children = children_cache
        owners_cache.add_index(_NAMESPACE, lambda obj: (meta.namespace(obj),))
        index_by_controller(children_cache)

    def controlled(self, owner: Object) -> Sequence[Object]:
        """What names it as its controller."""
        return controlled_by(self._children, meta.uid(owner))

    async def claimed(self, owner: Object) -> list[Object]:
        """What belongs to it after adopting and releasing. ConflictError when somebody else was first."""
        strays = orphans(self._children, meta.namespace(owner))
        found = claim(owner, [*self.controlled(owner), *strays])
        for obj in found.release:
            await self._release(owner, obj)
        if found.adopt and await self._may_adopt(owner):
            for obj in found.adopt:
                if (adopted := await self._adopt(owner, obj)) is not None:
                    found.mine.append(adopted)
        return found.mine

    def requests(self, obj: Object) -> Iterable[Request]:
        """Whom a child concerns: its owner, or all that might adopt it."""
        kind, group = self._owners.resource.kind, self._owners.resource.group
        namespace, reference = meta.namespace(obj), owners.controller_of(obj)
        if reference is not None:
            same_group = str(reference.get("apiVersion", "")).rpartition("/")[0] == group
            if reference.get("kind") == kind and same_group:
                yield Request(namespace, str(reference.get("name", "")))
            return
        labels = meta.labels(obj)
        if not labels:
            return
        for owner in self._owners.by_index(_NAMESPACE, namespace):
            if _matches(owner, labels):
                yield Request(namespace, meta.name(owner))

    async def _may_adopt(self, owner: Object) -> bool:
        """Asked of the API, not of the cache: a deleted owner that adopts would leave its child without one."""
        try:
            fresh = await self._client.get(self._owners.resource, meta.name(owner), meta.namespace(owner))
        except NotFoundError:
            return False
        return meta.uid(fresh) == meta.uid(owner) and not meta.is_deleting(fresh)

    async def _adopt(self, owner: Object, obj: Object) -> Object | None:
        references = [*owners.owner_references(obj), owners.owner_reference(owner)]
        return await self._write(obj, references)

    async def _release(self, owner: Object, obj: Object) -> None:
        uid = meta.uid(owner)
        kept = [each for each in owners.owner_references(obj) if each.get("uid") != uid]
        await self._write(obj, kept)

    async def _write(self, obj: Object, references: list[Object]) -> Object | None:
        metadata = {
            "uid": meta.uid(obj),
            "resourceVersion": meta.resource_version(obj),
            "ownerReferences": references or None,
        }
        try:
            written = await self._client.patch(
                self._children.resource, meta.name(obj), {"metadata": metadata}, meta.namespace(obj)
            )
        except (NotFoundError, InvalidError):
            return None  # gone, or spoilt beyond repair: nobody's in either case
        await self._children.reached(meta.resource_version(written))
        return written


def index_by_controller(cache: Cache) -> None:
    """So that `controlled_by` works; to be called before the cache is asked."""
    cache.add_index(_CONTROLLER, _controllers)


def controlled_by(cache: Cache, uid: str) -> Sequence[Object]:
    """What names the owner with that uid as its controller."""
    return cache.by_index(_CONTROLLER, uid)


def orphans(cache: Cache, namespace: str) -> Sequence[Object]:
    """What has no controller."""
    return cache.by_index(_CONTROLLER, _orphans_of(namespace))


def _controllers(obj: Object) -> Iterable[str]:
    reference = owners.controller_of(obj)
    return (_orphans_of(meta.namespace(obj)) if reference is None else str(reference.get("uid")),)


def _orphans_of(namespace: str) -> str:
    return f"/{namespace}"


def _matches(owner: Object, labels: dict[str, str]) -> bool:
    try:
        selector = selectors.from_object(meta.spec(owner).get("selector"))
        return bool(selector) and selector.matches(labels)
    except (ApiError, AttributeError, TypeError):
        return False
