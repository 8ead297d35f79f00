"""Empties namespaces that are being deleted, then lets them go.

Source: pkg/controller/namespace/deletion/namespaced_resources_deleter.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from datetime import timedelta

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object, Propagation
from sampan.kube import conditions, meta
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import EVENTS, NAMESPACES, PODS, KindRegistry, Resource
from sampan.lib.clock import Clock, rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.reconciler import DONE, Request, Result

_FINALIZER = "kubernetes"
_LOOK_AGAIN = timedelta(seconds=1)
"""For what other controllers or users hold by a finalizer; pods report themselves."""


class NamespaceReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches, kinds: KindRegistry) -> None:
        self._client = client
        self._clock = clock
        self._kinds = kinds
        self._namespaces = caches.of(NAMESPACES)
        self._pods = caches.of(PODS)

    def controller(self) -> Controller[Request]:
        sources = [own(self._namespaces), mapped(self._pods, self._of_leaving_pod)]
        return Controller("namespace", self.reconcile, sources, workers=2)

    async def reconcile(self, request: Request) -> Result:
        namespace = self._namespaces.get("", request.name)
        if namespace is None or not meta.is_deleting(namespace):
            return DONE
        if _FINALIZER not in (meta.spec(namespace).get("finalizers") or ()):
            return DONE
        failures = await self._delete_content(request.name)
        remaining = await self._remaining(request.name)
        if failures or remaining:
            await self._tell(namespace, failures, remaining)
            return Result(requeue_after=_LOOK_AGAIN)
        await self._finalize(request.name)
        return DONE

    def _of_leaving_pod(self, pod: Object) -> Iterable[Request]:
        name = meta.namespace(pod)
        namespace = self._namespaces.get("", name)
        return (Request("", name),) if namespace is not None and meta.is_deleting(namespace) else ()

    def _content(self) -> list[Resource]:
        """Every kind that lives in namespaces, once per kind; events last, as they tell about the others."""
        by_key = {
            resource.key: resource for resource in self._kinds if resource.namespaced and resource.is_stored
        }
        return sorted(by_key.values(), key=lambda resource: (resource.key == EVENTS.key, resource.key))

    async def _delete_content(self, namespace: str) -> list[str]:
        """Asks for the end of everything; what could not be asked, in words."""
        failures = []
        options = DeleteOptions(propagation=Propagation.BACKGROUND)
        for resource in self._content():
            try:
                await self._client.delete_collection(resource, namespace, ListOptions(), options)
            except ApiError as error:
                failures.append(f"{resource.key}: {error.message}")
        return failures

    async def _remaining(self, namespace: str) -> dict[Resource, list[Object]]:
        remaining = {}
        for resource in self._content():
            found = (await self._client.list(resource, namespace)).items
            if found:
                remaining[resource] = found
        return remaining

    async def _finalize(self, name: str) -> None:
        try:
            namespace = await self._client.get(NAMESPACES, name)
            held = [each for each in meta.spec(namespace).get("finalizers") or () if each != _FINALIZER]
            namespace["spec"] = {**meta.spec(namespace), "finalizers": held}
            await self._client.replace(NAMESPACES, namespace, subresource="finalize")
        except NotFoundError:
            return

    async def _tell(
        self, namespace: Object, failures: list[str], remaining: dict[Resource, list[Object]]
    ) -> None:
        status = deepcopy(meta.status(namespace))
        told = {"status": status}
        now = rfc3339(self._clock.now())
        if failures:
            reason, message = "ContentDeletionFailed", f"Failed to delete all resource types: {failures}"
        else:
            reason = "ContentDeleted"
            message = "All content successfully deleted, may be waiting on finalization"
        _put(told, "NamespaceDeletionContentFailure", bool(failures), reason, message, now)
        counts = ", ".join(
            f"{resource.key} has {len(found)} resource instances" for resource, found in remaining.items()
        )
        _put(
            told,
            "NamespaceContentRemaining",
            bool(remaining),
            "SomeResourcesRemain" if remaining else "ContentRemoved",
            f"Some resources are remaining: {counts}" if remaining else "All content successfully removed",
            now,
        )
        holders: dict[str, int] = {}
        for found in remaining.values():
            for obj in found:
                for finalizer in meta.finalizers(obj):
                    holders[finalizer] = holders.get(finalizer, 0) + 1
        held = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(holders.items()))
        _put(
            told,
            "NamespaceFinalizersRemaining",
            bool(holders),
            "SomeFinalizersRemain" if holders else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {held}"
            if holders
            else "All content-preserving finalizers finished",
            now,
        )
        try:
            await update_status(self._client, NAMESPACES, namespace, status)
        except (ConflictError, NotFoundError):
            return  # told next time, if there is one


def _put(obj: Object, kind: str, holds: bool, reason: str, message: str, now: str) -> None:
    conditions.put(obj, kind, "True" if holds else "False", now=now, reason=reason, message=message)
