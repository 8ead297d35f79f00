"""What belongs to InferenceServices: read from caches, written where it differs, deleted where nobody wants it any
more.

Written by server-side apply, so that what a spec no longer says goes too. How many replicas a Deployment has is its
autoscaler's: every write says what it has at that moment, and fails if that has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client, ListOptions, PatchType, WriteOptions
from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, KNATIVE_SERVICES, SCALED_OBJECTS
from sampan.components.serving.controller.around import Served
from sampan.components.serving.controller.inference_services.mounting import FailedMounts
from sampan.kube import meta, owners
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    HORIZONTAL_POD_AUTOSCALERS,
    PODS,
    SERVICES,
    Resource,
)
from sampan.kube.meta import Object
from sampan.reconcile.apply import delete_if_present, is_part, update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Source, owned
from sampan.reconcile.reconciler import Request

MANAGER = "inferenceservice-controller"
_APPLIED = "sampan.dev/applied"
"""An annotation: what was written, so that what is gone from it is seen too."""
_OF, _OF_LABEL = "owner", "owner-label"
_OLD_KINDS = (SERVICES, DEPLOYMENTS)
_SCALER_VERSIONS = ("autoscaling/v2", "autoscaling/v2beta2")
"""From the one that is taken first."""
_KINDS = (SERVICES, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, ENDPOINT_SLICES, KNATIVE_SERVICES)

_ADDED = (SCALED_OBJECTS,)
"""Of others, who may have installed them or not."""


class TakenError(Exception):
    """Something of that name is there and belongs to somebody else."""


class NotServedError(Exception):
    """The cluster is too old for a kind, or whose it is has not been installed."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Whose they are, and the label that all of them have."""

    resource: Resource = INFERENCE_SERVICES
    label: str = labels.INFERENCE_SERVICE
    manager: str = MANAGER
    value: Callable[[str], str] = str
    """The label's, from the owner's name."""


_OF_SERVICES = Owners()


class Children:
    """The caches of all of them."""

    def __init__(
        self,
        client: Client,
        owners_: Owners = _OF_SERVICES,
        served: Served | None = None,
        added: Served | None = None,
    ) -> None:
        """`served` of a cluster that may be too old for some kinds; None where all are there. `added` finds kinds that
        others may have installed; None where nobody asks for them."""
        self._client = client
        self._owners = owners_
        self._served = served
        self._finding = asyncio.Lock()
        self._selector = ListOptions(label_selector=owners_.label)
        self._caches = {kind: self._cache(kind) for kind in (_KINDS if served is None else _OLD_KINDS)}
        self._late: list[Cache] = []
        self._mounts = None if served is None else FailedMounts(client)
        self._added = added
        self._unsought = set(_ADDED if added is not None else ())
        self._pods = Cache(client, PODS, selector=self._selector)
        self._pods.add_index(labels.REVISION, lambda pod: _of_label(pod, labels.REVISION))
        self._pods.add_index("app", lambda pod: _of_label(pod, "app"))
        self._pods.add_index(_OF_LABEL, lambda pod: _of_label(pod, owners_.label))
        self._kept: dict[tuple[str, str, str], str] = {}
        """Versions of objects that are as they are to be, though they do not read so: the API writes some values in a
        way of its own."""

    def sources(self) -> list[Source[Request]]:
        return [
            *(owned(cache, self._owners.resource) for cache in self._caches.values()),
            Source(self._pods, self._of_pod),
        ]

    async def find_kinds(self, tell: Callable[[Request], None]) -> None:
        """Those that are served in one version or another, or not at all. `tell` is told whom their changes concern.

        Raises ApiError.
        """
        async with self._finding:
            # Objects of before are to be known, though nobody wants any now.
            while self._unsought:
                await self._find_added(self._unsought.pop(), tell)
            if self._served is None:
                return
            for version in _SCALER_VERSIONS:
                found = await self._served(version, HORIZONTAL_POD_AUTOSCALERS.kind)
                if found is not None:
                    await self._watch_late(HORIZONTAL_POD_AUTOSCALERS, found, tell)
                    break
            self._served = None
            if self._mounts is not None:
                self._mounts.start(lambda namespace, name: self._tell_of(namespace, name, tell))

    async def find_added(self, kind: Resource, tell: Callable[[Request], None]) -> None:
        """One of others, which may have come since. Raises ApiError."""
        async with self._finding:
            await self._find_added(kind, tell)

    async def _find_added(self, kind: Resource, tell: Callable[[Request], None]) -> None:
        if self._added is None or kind in self._caches:
            return
        found = await self._added(kind.api_version, kind.kind)
        if found is not None:
            await self._watch_late(kind, found, tell)

    async def close(self) -> None:
        for cache in self._late:
            await cache.stop()
        if self._mounts is not None:
            await self._mounts.stop()

    async def _watch_late(self, kind: Resource, found: Resource, tell: Callable[[Request], None]) -> None:
        cache = self._cache(found)
        source = owned(cache, self._owners.resource)

        def on_change(old: Object | None, new: Object | None) -> None:
            for request in source.map(old, new):
                tell(request)

        cache.add_handler(on_change)
        self._late.append(cache)
        cache.start()
        await cache.synced()
        self._caches[kind] = cache

    def _cache(self, kind: Resource) -> Cache:
        cache = Cache(self._client, kind, selector=self._selector)
        cache.add_index(_OF, _owner_of)
        return cache

    def of(self, isvc: Object) -> Own:
        return Own(self._client, self._caches, self._kept, isvc, self._owners)

    def pods_of_revision(self, namespace: str, revision: str) -> Sequence[Object]:
        return self._told(self._pods.by_index(labels.REVISION, f"{namespace}/{revision}"))

    def pods_of_app(self, namespace: str, app: str) -> Sequence[Object]:
        return self._told(self._pods.by_index("app", f"{namespace}/{app}"))

    def pods_of_owner(self, namespace: str, name: str) -> Sequence[Object]:
        """By the label that all of an owner's have, with the value that it has there."""
        return self._told(self._pods.by_index(_OF_LABEL, f"{namespace}/{name}"))

    def _told(self, found: Sequence[Object]) -> Sequence[Object]:
        return found if self._mounts is None else self._mounts.told(found)

    def _tell_of(self, namespace: str, name: str, tell: Callable[[Request], None]) -> None:
        """Whom a pod concerns."""
        pod = self._pods.get(namespace, name)
        for request in self._of_pod(None, pod) if pod is not None else ():
            tell(request)

    def _of_pod(self, old: Object | None, new: Object | None) -> Sequence[Request]:
        if old is not None and new is not None and _concerns(old) == _concerns(new):
            return ()
        pod = new if new is not None else old
        name = meta.labels(pod or {}).get(self._owners.label)
        return (Request(meta.namespace(pod or {}), name),) if name else ()


class Own:
    """Those of one InferenceService, for one look at it."""

    def __init__(
        self,
        client: Client,
        caches: dict[Resource, Cache],
        kept: dict[tuple[str, str, str], str],
        isvc: Object,
        owners_: Owners,
    ) -> None:
        self._client = client
        self._owners = owners_
        self._caches = caches
        self._versions = kept
        self._isvc = isvc
        self._wanted: set[tuple[Resource, str]] = set()

    def all(self, resource: Resource) -> Sequence[Object]:
        cache = self._caches.get(resource)
        return cache.by_index(_OF, meta.uid(self._isvc)) if cache is not None else ()

    def find(self, resource: Resource, name: str) -> Object | None:
        return self._caches[resource].get(meta.namespace(self._isvc), name)

    def leave(self, resource: Resource, name: str) -> None:
        """Somebody wants it as it is."""
        self._wanted.add((resource, name))

    async def keep(self, resource: Resource, wanted: Object, *, replicas: int | None = None) -> Object:
        """As it is now. `replicas` are those with which a Deployment begins, where its autoscaler decides later.

        Raises TakenError, NotServedError, ApiError.
        """
        if resource not in self._caches:
            raise NotServedError(f"the cluster serves no {resource.kind} of {resource.api_version}")
        name = meta.name(wanted)
        self.leave(resource, name)
        digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:32]
        metadata = {
            **meta.metadata(wanted),
            "ownerReferences": [owners.owner_reference(self._isvc)],
            "annotations": {**meta.annotations(wanted), _APPLIED: digest},
            "labels": {**meta.labels(wanted), self._owners.label: self._owners.value(meta.name(self._isvc))},
        }
        body = {**wanted, "apiVersion": self._caches[resource].resource.api_version, "metadata": metadata}
        observed = self.find(resource, name) or await self._there(resource, name)
        if observed is not None:
            self._check_owner(resource, observed)
            if self._is_as(resource, observed, body, digest):
                return observed
            metadata["resourceVersion"] = meta.resource_version(observed)
            replicas = meta.spec(observed).get("replicas", replicas) if replicas is not None else None
        if replicas is not None:
            body["spec"] = {**body["spec"], "replicas": replicas}
        return await self._apply(resource, name, body)

    async def tell(self, resource: Resource, obj: Object, status: Object) -> None:
        """The status of what was kept. Raises ApiError."""
        after = await update_status(self._client, self._caches[resource].resource, obj, status)
        await self._caches[resource].reached(meta.resource_version(after))

    async def label(self, resource: Resource, obj: Object, name: str, value: str) -> None:
        """One label of what is left as it is otherwise. Raises ApiError."""
        if meta.labels(obj).get(name) != value:
            patch = {"metadata": {"uid": meta.uid(obj), "labels": {name: value}}}
            written = await self._client.patch(resource, meta.name(obj), patch, meta.namespace(obj))
            await self._caches[resource].reached(meta.resource_version(written))

    async def collect(self) -> None:
        """Deletes what nobody wants. Raises ApiError."""
        for resource in reversed((*_KINDS, *_ADDED)):
            for each in self.all(resource):
                if (resource, meta.name(each)) not in self._wanted and not meta.is_deleting(each):
                    await delete_if_present(self._client, self._caches[resource].resource, each)
                    self._versions.pop(_key(resource, each), None)

    async def _there(self, resource: Resource, name: str) -> Object | None:
        """What no cache holds, as it has none of our labels, or is too new."""
        try:
            served = self._caches[resource].resource
            return await self._client.get(served, name, meta.namespace(self._isvc))
        except NotFoundError:
            return None

    def _check_owner(self, resource: Resource, observed: Object) -> None:
        if owners.is_controlled_by(observed, self._isvc):
            return
        owner = owners.controller_of(observed) or {}
        whose = f"belongs to {owner.get('kind')} {owner.get('name')}" if owner else "belongs to nobody"
        kind = self._owners.resource.kind
        if owner.get("kind") == kind and owner.get("name") == meta.name(self._isvc):
            whose = f"is left of an {kind} of that name, and about to go"
        raise TakenError(f"There is an existing {resource.kind} {meta.name(observed)!r} that {whose}")

    def _is_as(self, resource: Resource, observed: Object, body: Object, digest: str) -> bool:
        if meta.annotations(observed).get(_APPLIED) != digest:
            return False
        if self._versions.get(_key(resource, observed)) == meta.resource_version(observed):
            return True
        return is_part(body, observed)

    async def _apply(self, resource: Resource, name: str, body: Object) -> Object:
        options = WriteOptions(field_manager=self._owners.manager, force=True)
        namespace = meta.namespace(self._isvc)
        served = self._caches[resource].resource
        written = await self._client.patch(
            served, name, body, namespace, patch_type=PatchType.APPLY, options=options
        )
        self._versions[_key(resource, written)] = meta.resource_version(written)
        await self._caches[resource].reached(meta.resource_version(written))
        return written


def _key(resource: Resource, obj: Object) -> tuple[str, str, str]:
    return resource.key, meta.namespace(obj), meta.name(obj)


def _owner_of(obj: Object) -> Sequence[str]:
    owner = owners.controller_of(obj)
    return (str(owner.get("uid")),) if owner is not None else ()


def _of_label(pod: Object, name: str) -> Sequence[str]:
    value = meta.labels(pod).get(name)
    return (f"{meta.namespace(pod)}/{value}",) if value else ()


def _concerns(pod: Object) -> tuple[Any, ...]:
    """What of a pod shows in a status."""
    status = meta.status(pod)
    states = [status.get("containerStatuses"), status.get("initContainerStatuses"), status.get("conditions")]
    return (meta.is_deleting(pod), status.get("phase"), meta.labels(pod), *states)
