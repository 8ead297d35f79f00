"""Keeps Endpoints and EndpointSlices as the pods behind each Service are, and what a load balancer would tell.

For a Service without a selector its slices say what somebody wrote as its Endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.cluster.network import endpoints
from sampan.cluster.network.addresses import LOCALHOST
from sampan.cluster.network.selecting import Selecting
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ConflictError, ForbiddenError, NotFoundError
from sampan.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES, Resource
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.controller import Controller, Source, mapped, own
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

BY_SERVICE = "service"
_WORKERS = 2


def by_service(slice_: Object) -> Iterable[str]:
    """The index of slices by their Service."""
    name = meta.labels(slice_).get(endpoints.SERVICE_NAME)
    return (f"{meta.namespace(slice_)}/{name}",) if name else ()


class EndpointsReconciler:
    """Reconciles a Service."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._services = caches.of(SERVICES)
        self._pods = caches.of(PODS)
        self._endpoints = caches.of(ENDPOINTS)
        self._slices = caches.of(ENDPOINT_SLICES)
        self._selecting = Selecting(self._services, self._pods)
        self._slices.add_index(BY_SERVICE, by_service)

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._services),
            Source(self._pods, self._of_pod),
            mapped(self._endpoints, self._of_endpoints),
            mapped(self._slices, self._of_slice),
        ]
        return Controller("endpoints", self.reconcile, sources, workers=_WORKERS)

    async def reconcile(self, request: Request) -> Result:
        service = self._services.get(request.namespace, request.name)
        observed = self._endpoints.get(request.namespace, request.name)
        try:
            if service is None:
                if observed is not None and not meta.is_deleting(observed):
                    await self._delete(ENDPOINTS, observed)
                return DONE
            if meta.is_deleting(service):
                return DONE
            wanted = await self._wanted_slices(service, observed)
            await self._keep_slices(service, wanted)
            await update_status(self._client, SERVICES, service, _status(service))
        except (NotFoundError, ForbiddenError, ConflictError):
            # The Service, or its namespace, goes or has changed: the cache will say so.
            return DONE
        return DONE

    async def _wanted_slices(self, service: Object, observed: Object | None) -> list[Object]:
        if meta.spec(service).get("type") == "ExternalName":
            return []
        if meta.spec(service).get("selector"):
            found = endpoints.backends(service, self._selecting.pods(service))
            await self._write(ENDPOINTS, endpoints.endpoints_object(service, found), observed)
            return endpoints.slices(service, found)
        if observed is None or meta.labels(observed).get(endpoints.SKIP_MIRROR) == "true":
            return []
        return endpoints.mirrored(service, observed)

    async def _keep_slices(self, service: Object, wanted: list[Object]) -> None:
        key = f"{meta.namespace(service)}/{meta.name(service)}"
        own_slices = {
            meta.name(each): each
            for each in self._slices.by_index(BY_SERVICE, key)
            if owners.is_controlled_by(each, service)
        }
        for each in wanted:
            observed = own_slices.pop(meta.name(each), None)
            await self._write(ENDPOINT_SLICES, owners.with_controller(each, service), observed)
        for stale in own_slices.values():
            if not meta.is_deleting(stale):
                await self._delete(ENDPOINT_SLICES, stale)

    async def _write(self, resource: Resource, wanted: Object, observed: Object | None) -> None:
        if observed is None:
            try:
                await self._client.create(resource, wanted)
                return
            except AlreadyExistsError:
                observed = await self._client.get(resource, meta.name(wanted), meta.namespace(wanted))
        if not _differs(wanted, observed):
            return
        kept = {**observed["metadata"], **wanted["metadata"]}
        await self._client.replace(resource, {**wanted, "metadata": kept})

    async def _delete(self, resource: Resource, obj: Object) -> None:
        await self._client.delete(resource, meta.name(obj), meta.namespace(obj))

    def _of_pod(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        if old is not None and new is not None and endpoints.concerns(old) == endpoints.concerns(new):
            return ()
        found = {
            request_for(service): None
            for pod in (old, new)
            if pod is not None
            for service in self._selecting.services(pod)
        }
        return list(found)

    def _of_endpoints(self, obj: Object) -> Iterable[Request]:
        """Endpoints go when their Service goes. They may be written before it comes, and stay until then."""
        is_known = self._services.get(meta.namespace(obj), meta.name(obj)) is not None
        return (request_for(obj),) if is_known else ()

    def _of_slice(self, slice_: Object) -> Iterable[Request]:
        controller = owners.controller_of(slice_)
        if controller is None or controller.get("kind") != SERVICES.kind:
            return ()
        return (Request(meta.namespace(slice_), str(controller["name"])),)

    @property
    def caches(self) -> tuple[Cache, ...]:
        return (self._services, self._pods, self._endpoints, self._slices)


def _status(service: Object) -> dict[str, Any]:
    """What it balances is to be had on this machine: the load balancer is the machine itself."""
    spec = meta.spec(service)
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass"):
        return {"loadBalancer": {}}
    return {"loadBalancer": {"ingress": [{"ip": LOCALHOST, "ipMode": "VIP"}]}}


def _differs(wanted: Object, observed: Object) -> bool:
    keys = ("subsets", "endpoints", "ports", "addressType")
    if any((wanted.get(key) or []) != (observed.get(key) or []) for key in keys):
        return True
    return meta.labels(wanted) != meta.labels(observed)
