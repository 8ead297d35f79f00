"""The garbage collector: a controller whose items are the uids of objects to look at.

The graph says what to look at; before anything is deleted, the object itself and any owner that the graph does
not know are read from the API. So an outdated graph costs a look, never an object.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object, Propagation
from sampan.cluster.workloads.garbage.graph import FOREGROUND, ORPHAN, Graph, Node
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import EVENTS, KindRegistry, Resource
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.apply import remove_finalizer
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.controller import Controller
from sampan.reconcile.reconciler import DONE, Result

log = get_logger(__name__)

_NEW_KINDS_SECONDS = 2.0
"""How soon a kind that is added later (a CustomResourceDefinition) is watched."""
_SYNC_SECONDS = 10.0
"""In which all of a new kind should have been read. One that goes again meanwhile never is."""
_DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_REMEMBERED = 1024
_AT_ONCE = 64


class _State(Enum):
    """Of an owner, as a dependent sees it."""

    SOLID = "there, or not for us to say"
    ABSENT = "gone"
    WAITING = "being deleted, once its dependents are"


class GarbageCollector:
    """A Runnable of `reconcile.manager`. Watches every kind of the registry, those added later too."""

    name = "garbage-collector"

    def __init__(self, client: Client, caches: Caches, kinds: KindRegistry) -> None:
        self._client = client
        self._shared = caches
        self._kinds = kinds
        self._graph = Graph()
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Owners (uid and namespace of the dependent) found to be gone: asked for once, not per dependent."""
        self._watched: dict[str, tuple[Resource, Cache]] = {}
        self._own_caches: list[Cache] = []
        self._controller: Controller[str] = Controller(self.name, self._look_at, [], workers=16)
        self._tasks = TaskSet(self.name)

    @property
    def caches(self) -> Sequence[Cache]:
        """None beforehand: which kinds there are is known at the start, and changes."""
        return ()

    async def start(self) -> None:
        await self._watch_new_kinds()
        await self._controller.start()
        self._tasks.spawn(self._follow_kinds(), name="kinds")

    async def stop(self) -> None:
        await self._tasks.close()
        await self._controller.stop()
        await asyncio.gather(*(cache.stop() for cache in self._own_caches))

    # Watching.

    async def _follow_kinds(self) -> None:
        while True:
            await asyncio.sleep(_NEW_KINDS_SECONDS)
            try:
                await self._leave_old_kinds()
                await self._watch_new_kinds()
            except Exception as error:
                # Such as of a database that is away for a moment: kinds come and go after it too.
                log.error("kinds were not looked at", exc=error)

    async def _leave_old_kinds(self) -> None:
        """A definition is deleted last: what was told of its objects before may not all have been heard."""
        served = {each.key for each in self._kinds}
        for key in [key for key in self._watched if key not in served]:
            resource, cache = self._watched.pop(key)
            if cache in self._own_caches:
                self._own_caches.remove(cache)
                await cache.stop()
            if not await self._is_defined(resource):
                for obj in cache.list():
                    self._observe(resource, obj, None)

    async def _is_defined(self, resource: Resource) -> bool:
        """If it is, though not served now, its objects are there."""
        definitions = self._kinds.by_kind(*_DEFINITION)
        if definitions is None:
            return True
        try:
            await self._client.get(definitions, resource.key)
        except NotFoundError:
            return False
        except ApiError as error:
            log.warning("a kind may be gone", resource=resource.key, error=error.message)
        return True

    async def _watch_new_kinds(self) -> None:
        """Nothing that an Event says is owned or owns, and there are many."""
        fresh = {
            each.key: each
            for each in self._kinds
            if each.key not in self._watched and each.key != EVENTS.key and each.is_stored
        }
        await asyncio.gather(*(self._watch(resource) for resource in fresh.values()))

    async def _watch(self, resource: Resource) -> None:
        try:
            await self._client.list(resource, None, ListOptions(limit=1))
        except ApiError:
            return  # a kind that cannot be listed, or not yet: asked again next time
        cache = self._shared.find(resource)
        if cache is None:
            cache = Cache(self._client, resource, keep=_only_metadata)
            self._own_caches.append(cache)
        self._watched[resource.key] = resource, cache
        cache.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SYNC_SECONDS):
                await cache.synced()
        cache.add_handler(lambda old, new: self._observe(resource, old, new))
        for uid in self._graph.waiting_for(resource.kind):
            self._controller.queue.add(uid)

    def _observe(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        for uid in self._graph.observe(resource, old, new):
            # Of most there is nothing to do, and what changes that is seen as well.
            node = self._graph.get(uid)
            if node is not None and not self._is_settled(node):
                self._controller.queue.add(uid)

    # Deciding.

    async def _look_at(self, uid: str) -> Result:
        node = self._graph.get(uid)
        if node is None or node.resource is None or self._is_settled(node):
            return DONE
        if node.orphaning:
            await self._let_dependents_go(node, node.resource)
        elif node.foreground:
            await self._delete_dependents(node, node.resource)
        else:
            await self._check_owners(node, node.resource)
        return DONE

    def _is_settled(self, node: Node) -> bool:
        """Whether it may stay as it is."""
        if node.resource is None:
            return True
        if node.orphaning or node.foreground:
            return False
        return not node.references or node.deleting or self._is_held(node)

    async def _delete_dependents(self, node: Node, resource: Resource) -> None:
        """Foreground: the object goes once nothing that blocks it is left."""
        if not self._graph.blocking(node) and (obj := await self._read(node, resource)) is not None:
            await remove_finalizer(self._client, resource, obj, FOREGROUND)
        for uid in node.dependents:
            dependent = self._graph.get(uid)
            if dependent is not None and not dependent.deleting:
                self._controller.queue.add(uid)

    async def _let_dependents_go(self, node: Node, resource: Resource) -> None:
        """Orphan: the dependents forget their owner, then it goes."""
        dependents = [found for uid in node.dependents if (found := self._graph.get(uid)) is not None]
        for at in range(0, len(dependents), _AT_ONCE):
            await asyncio.gather(
                *(self._forget_owner(each, node.uid) for each in dependents[at : at + _AT_ONCE])
            )
        if (obj := await self._read(node, resource)) is not None:
            await remove_finalizer(self._client, resource, obj, ORPHAN)

    async def _forget_owner(self, node: Node, owner: str) -> None:
        if node.resource is not None and (obj := await self._read(node, node.resource)) is not None:
            await self._drop_references(node.resource, obj, {owner})

    def _is_held(self, node: Node) -> bool:
        """Whether all its owners are there to stay: nothing has to be read to see that, and mostly it is so."""
        for reference in node.references:
            owner = self._graph.get(str(reference.get("uid")))
            if owner is None or owner.resource is None or owner.foreground:
                return False
            kind = (owner.resource.api_version, owner.resource.kind, owner.name)
            if kind != (reference.get("apiVersion"), reference.get("kind"), reference.get("name")):
                return False
            if owner.namespace not in ("", node.namespace):
                return False
        return True

    async def _check_owners(self, node: Node, resource: Resource) -> None:
        """Deletes the object when none of its owners stays."""
        obj = await self._read(node, resource)
        if obj is None or meta.is_deleting(obj) or not owners.owner_references(obj):
            return
        states: dict[_State, set[str]] = {state: set() for state in _State}
        for reference in owners.owner_references(obj):
            state = await self._state(reference, meta.namespace(obj))
            states[state].add(str(reference.get("uid")))
        going = states[_State.ABSENT] | states[_State.WAITING]
        if not states[_State.SOLID]:
            await self._delete(resource, obj, foreground=bool(states[_State.WAITING] and node.dependents))
        elif going:
            await self._drop_references(resource, obj, going)

    async def _state(self, reference: Mapping[str, Any], namespace: str) -> _State:
        resource = self._kinds.by_kind(str(reference.get("apiVersion")), str(reference.get("kind")))
        uid, name = str(reference.get("uid")), str(reference.get("name"))
        owner = self._graph.get(uid)
        if resource is None and owner is not None and owner.gone:
            return _State.ABSENT  # its kind went right after it
        if resource is None or (resource.namespaced and not namespace):
            return _State.SOLID  # no kind of ours, or no such owner is possible: nothing that we may judge
        where = namespace if resource.namespaced else ""
        if owner is not None and owner.resource is not None:
            same = (owner.resource.key, owner.name, owner.namespace) == (resource.key, name, where)
            # Objects own only within their namespace: a uid seen elsewhere is no owner of this one.
            return (_State.WAITING if owner.foreground else _State.SOLID) if same else _State.ABSENT
        if (uid, where) in self._absent:
            return _State.ABSENT
        try:
            found = await self._client.get(resource, name, where or None)
        except NotFoundError:
            found = {}
        if meta.uid(found) == uid:
            waits = meta.is_deleting(found) and FOREGROUND in meta.finalizers(found)
            return _State.WAITING if waits else _State.SOLID
        self._absent[uid, where] = None
        if len(self._absent) > _REMEMBERED:
            self._absent.popitem(last=False)
        return _State.ABSENT

    # Reading and writing.

    async def _read(self, node: Node, resource: Resource) -> Object | None:
        """The object itself; None when it is gone, even if another has its name."""
        try:
            obj = await self._client.get(resource, node.name, node.namespace or None)
        except NotFoundError:
            return None
        return obj if meta.uid(obj) == node.uid else None

    async def _delete(self, resource: Resource, obj: Object, *, foreground: bool) -> None:
        propagation = Propagation.BACKGROUND
        if ORPHAN in meta.finalizers(obj):
            propagation = Propagation.ORPHAN
        elif foreground or FOREGROUND in meta.finalizers(obj):
            propagation = Propagation.FOREGROUND
        # The version too: its owners were judged as they stand there.
        options = DeleteOptions(
            propagation=propagation, uid=meta.uid(obj), resource_version=meta.resource_version(obj)
        )
        try:
            await self._client.delete(resource, meta.name(obj), meta.namespace(obj) or None, options)
        except NotFoundError:
            return
        log.debug("collected", resource=resource.key, namespace=meta.namespace(obj), name=meta.name(obj))

    async def _drop_references(self, resource: Resource, obj: Object, uids: set[str]) -> None:
        kept = [each for each in owners.owner_references(obj) if each.get("uid") not in uids]
        if len(kept) == len(owners.owner_references(obj)):
            return
        metadata = {"resourceVersion": meta.resource_version(obj), "ownerReferences": kept or None}
        try:
            await self._client.patch(
                resource, meta.name(obj), {"metadata": metadata}, meta.namespace(obj) or None
            )
        except NotFoundError:
            return


def _only_metadata(obj: Object) -> Object:
    """What the graph reads, no more: the collector watches kinds whose objects may be large."""
    fields = (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "ownerReferences",
        "finalizers",
        "deletionTimestamp",
    )
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {key: metadata[key] for key in fields if key in metadata},
    }
