"""What every namespace has: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`.

Source: pkg/controller/serviceaccount/serviceaccounts_controller.go and
pkg/controller/certificates/rootcacertpublisher/publisher.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.client.protocol import Client, ListOptions, Object
from sampan.kube import meta
from sampan.kube.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Resource
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.reconciler import DONE, Request, Result

_ACCOUNT = "default"
_CA_MAP = "kube-root-ca.crt"
_CA_KEY = "ca.crt"


class ServiceAccountReconciler:
    """Reconciles a namespace. `root_ca` is the PEM text that pods are to trust; empty when there is no TLS."""

    def __init__(self, client: Client, caches: Caches, root_ca: str = "") -> None:
        self._client = client
        self._root_ca = root_ca
        self._namespaces = caches.of(NAMESPACES)
        self._accounts = caches.of(SERVICE_ACCOUNTS)
        # Not the shared cache: users' ConfigMaps may be large, and only one name counts here.
        selector = ListOptions(field_selector=f"metadata.name={_CA_MAP}")
        self._ca_maps = Cache(client, CONFIG_MAPS, selector=selector)

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._namespaces),
            mapped(self._accounts, lambda obj: _of_namespace(obj) if meta.name(obj) == _ACCOUNT else ()),
            mapped(self._ca_maps, _of_namespace),
        ]
        return Controller("serviceaccount", self.reconcile, sources, workers=1)

    async def reconcile(self, request: Request) -> Result:
        namespace = self._namespaces.get("", request.name)
        if namespace is None or meta.is_deleting(namespace):
            return DONE
        try:
            await self._ensure_account(request.name)
            await self._ensure_ca(request.name)
        except ForbiddenError:
            return DONE  # the namespace has begun to go
        return DONE

    async def _ensure_account(self, namespace: str) -> None:
        if self._accounts.get(namespace, _ACCOUNT) is None:
            await self._create(SERVICE_ACCOUNTS, {"metadata": {"name": _ACCOUNT, "namespace": namespace}})

    async def _ensure_ca(self, namespace: str) -> None:
        data = {_CA_KEY: self._root_ca}
        found = self._ca_maps.get(namespace, _CA_MAP)
        if found is None:
            metadata = {"name": _CA_MAP, "namespace": namespace}
            await self._create(CONFIG_MAPS, {"metadata": metadata, "data": data})
        elif found.get("data") != data:
            others = dict.fromkeys(found.get("data") or {})
            await self._client.patch(CONFIG_MAPS, _CA_MAP, {"data": {**others, **data}}, namespace)

    async def _create(self, resource: Resource, obj: Object) -> None:
        try:
            await self._client.create(resource, obj)
        except (AlreadyExistsError, NotFoundError):
            return  # a moment ahead of the cache: it is there, or the namespace is not any more


def _of_namespace(obj: Object) -> Iterable[Request]:
    return (Request("", meta.namespace(obj)),)
