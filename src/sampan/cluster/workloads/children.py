"""Which objects belong to a controller: by ownerReference, and by selector where nobody owns them.

An orphan that matches is adopted, one of ours that matches no longer is released. `claim` decides and is pure;
`Children` reads caches; `sampan.reconcile.adoption` writes the references.

Source: pkg/controller/controller_ref_manager.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sampan.client.protocol import Client, Object
from sampan.kube import meta, owners, selectors
from sampan.kube.errors import ApiError
from sampan.reconcile.adoption import Adoption
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
        self._adoption = Adoption(client, children_cache)
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
            await self._adoption.release(owner, obj)
        if found.adopt and await self._adoption.may_adopt(self._owners.resource, owner):
            for obj in found.adopt:
                if (adopted := await self._adoption.adopt(owner, obj)) is not None:
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
