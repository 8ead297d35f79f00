"""What trials run: objects of any kind, whose changes reconcile the trial that owns them.

A kind is watched from the first trial on that runs one. For the reconciler. Upstream watches the kinds that its
configuration names (kubeflow/katib 0.19 pkg/controller.v1beta1/trial/trial_controller.go, trialResources).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from sampan.client.protocol import Client, DeleteOptions, Propagation
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.controller.around import Served
from sampan.kube import meta, owners
from sampan.kube.errors import ConflictError, NotFoundError
from sampan.kube.kinds import Resource, guessed
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache
from sampan.reconcile.reconciler import Request

_REMEMBERED = 1024
_FIRST_LOOK_SECONDS = 1.0
"""How long the first trial of a kind waits for all objects of that kind to be read."""


class RunObjects:
    """Implements `reconcile.manager.Runnable`."""

    name = "trials' run objects"
    caches: Sequence[Cache] = ()

    def __init__(self, client: Client, served: Served | None) -> None:
        self._client = client
        self._served = served
        self._caches: dict[Resource, Cache] = {}
        self._gone: OrderedDict[str, Object] = OrderedDict()
        self._tell: Callable[[Request], None] = lambda _request: None

    def tell(self, add: Callable[[Request], None]) -> None:
        """`add` is called for each trial whose run object has changed."""
        self._tell = add

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        await asyncio.gather(*(cache.stop() for cache in self._caches.values()))

    async def resource(self, run: Object) -> Resource | None:
        """By which such objects are written; None while the kind is not served. Raises ApiError."""
        api_version, kind = str(run.get("apiVersion") or ""), str(run.get("kind") or "")
        if self._served is None:
            return guessed(api_version, kind)
        return await self._served(api_version, kind)

    async def get(self, resource: Resource, run: Object) -> Object | None:
        """As it is now, whoever owns it. Raises ApiError."""
        namespace, name = meta.namespace(run), meta.name(run)
        found = (await self._watched(resource)).get(namespace, name)
        if found is not None and meta.uid(found):
            return found
        try:
            return await self._client.get(resource, name, namespace or None)
        except NotFoundError:
            return None

    async def known(self, resource: Resource, run: Object) -> Object | None:
        """As the watch has it: for those that have ended, of which there may be very many. Raises ApiError."""
        cache = await self._watched(resource)
        if not cache.is_synced:
            return await self.get(resource, run)
        return cache.get(meta.namespace(run), meta.name(run))

    def last_of(self, trial: Object) -> Object | None:
        """The run object of that very trial as it was when it went, if it did."""
        return self._gone.get(meta.uid(trial))

    def forget(self, uid: str) -> None:
        self._gone.pop(uid, None)

    async def delete(self, resource: Resource, run: Object) -> bool:
        """That very object, its pods first; whether there was something to delete. Raises ApiError."""
        if meta.is_deleting(run):
            return False
        options = DeleteOptions(propagation=Propagation.FOREGROUND, uid=meta.uid(run))
        try:
            await self._client.delete(resource, meta.name(run), meta.namespace(run) or None, options)
        except (NotFoundError, ConflictError):
            return False
        return True

    async def _watched(self, resource: Resource) -> Cache:
        cache = self._caches.get(resource)
        if cache is None:
            cache = self._caches[resource] = Cache(self._client, resource, keep=_needed)
            cache.add_handler(self._handle)
            cache.start()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_LOOK_SECONDS):
                    await cache.synced()
        return cache

    def _handle(self, old: Object | None, new: Object | None) -> None:
        owner = _trial_reference(new if new is not None else old or {})
        if owner is None:
            return
        if old is not None and new is None:
            self._gone[str(owner.get("uid"))] = old
            if len(self._gone) > _REMEMBERED:
                self._gone.popitem(last=False)
        self._tell(Request(meta.namespace(new or old or {}), str(owner.get("name") or "")))


def _trial_reference(obj: Object) -> Object | None:
    """Of the trial that owns the object."""
    return next(
        (
            each
            for each in owners.owner_references(obj)
            if each.get("kind") == TRIALS.kind
            and str(each.get("apiVersion", "")).rpartition("/")[0] == TRIALS.group
        ),
        None,
    )


def _needed(obj: Object) -> Object:
    """Whole where a trial owns it, and of all others no more than their names: there may be many."""
    if _trial_reference(obj) is not None:
        return obj
    kept = ("name", "namespace", "resourceVersion")
    metadata = meta.metadata(obj)
    return {"metadata": {key: metadata[key] for key in kept if key in metadata}}
