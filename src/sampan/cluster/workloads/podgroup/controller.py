"""The PodGroup reconcilers, one for each kind: they count pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.cluster.scheduler.gangs import group_of
from sampan.cluster.workloads.podgroup import status
from sampan.kube import meta
from sampan.kube.kinds import POD_GROUPS, PODS, VOLCANO_POD_GROUPS, Resource
from sampan.lib.clock import Clock, rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.reconciler import DONE, Request, Result

_BY_GROUP = "pod group"
_LARGE, _PAUSE_SECONDS = 200, 1.0
_STATUS: dict[Resource, Callable[[Object, Sequence[Object], str], dict[str, Any]]] = {
    POD_GROUPS: status.coscheduling,
    VOLCANO_POD_GROUPS: status.volcano,
}


class PodGroupReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches, resource: Resource) -> None:
        self._client = client
        self._clock = clock
        self._resource = resource
        self._groups = caches.of(resource)
        self._pods = caches.of(PODS)
        self._pods.add_index(_BY_GROUP, _group)
        self._counted: dict[str, float] = {}
        """When large groups were counted last."""

    def controller(self) -> Controller[Request]:
        sources = [own(self._groups), mapped(self._pods, self._requests)]
        return Controller(f"podgroup {self._resource.group}", self.reconcile, sources, workers=2)

    async def reconcile(self, request: Request) -> Result:
        group = self._groups.get(request.namespace, request.name)
        if group is None or meta.is_deleting(group):
            self._counted.pop(f"{self._resource.group}/{request}", None)
            return DONE
        key = f"{self._resource.group}/{request}"
        if self._is_early(key):
            return Result(timedelta(seconds=_PAUSE_SECONDS))
        members = sorted(
            self._pods.by_index(_BY_GROUP, key),
            key=lambda pod: (meta.metadata(pod).get("creationTimestamp"), meta.name(pod)),
        )
        after = _STATUS[self._resource](group, members, rfc3339(self._clock.now()))
        await update_status(self._client, self._resource, group, after)
        return DONE

    def _is_early(self, key: str) -> bool:
        """Of a large group the pods come and go one by one: they are counted now and then, not at each."""
        if self._pods.count(_BY_GROUP, key) < _LARGE:
            return False
        now = self._clock.monotonic()
        if now < self._counted.get(key, 0.0) + _PAUSE_SECONDS:
            return True
        self._counted[key] = now
        return False

    def _requests(self, pod: Object) -> Iterable[Request]:
        key = group_of(pod)
        if key is not None and key.api_group == self._resource.group:
            yield Request(key.namespace, key.name)


def _group(pod: Object) -> Iterable[str]:
    key = group_of(pod)
    if key is not None:
        yield f"{key.api_group}/{key.namespace}/{key.name}"
