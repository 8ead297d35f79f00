"""Where a Service's port leads to, for what this server itself calls: webhooks.

Source: k8s.io/kube-aggregator/pkg/apiserver/resolvers.go and k8s.io/apiserver/pkg/util/proxy/proxy.go, v1.33.
"""

from __future__ import annotations

import random
from typing import Any

from sampan.client.calls import CallError, ServicePort
from sampan.cluster.apiserver.storage import Key, ListQuery, Storage, decode
from sampan.cluster.network.addresses import lowest_port, real_port
from sampan.kube import meta
from sampan.kube.kinds import ENDPOINT_SLICES, SERVICES
from sampan.kube.meta import Object

_SERVICE_LABEL = "kubernetes.io/service-name"


class ServiceReach:
    """For one event loop."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lowest: int | None = None

    async def __call__(self, wanted: ServicePort) -> tuple[str, int]:
        """The address of an endpoint that is ready. Raises CallError."""
        record = self._storage.get(Key(SERVICES.key, wanted.namespace, wanted.name))
        if record is None:
            raise CallError(f'service "{wanted.name}" not found')
        spec = meta.spec(record.object())
        if spec.get("type") == "ExternalName":
            return str(spec.get("externalName") or ""), wanted.port
        port = next((each for each in spec.get("ports") or () if each.get("port") == wanted.port), None)
        if port is None:
            raise CallError(f'no service port {wanted.port} found for service "{wanted.name}"')
        places = await self._places(wanted, str(port.get("name") or ""))
        if not places:
            raise CallError(f'no endpoints available for service "{wanted.name}"')
        address, number = random.choice(places)  # noqa: S311  spreads calls
        if self._lowest is None:
            self._lowest = lowest_port()
        return address, real_port(address, number, self._lowest)

    async def _places(self, wanted: ServicePort, port: str) -> list[tuple[str, int]]:
        def of_service(endpoints: Object) -> bool:
            return meta.labels(endpoints).get(_SERVICE_LABEL) == wanted.name

        query = ListQuery(ENDPOINT_SLICES.key, wanted.namespace, predicate=of_service)
        page = await self._storage.page(query)
        return [
            (str(address), int(each["port"]))
            for found in (decode(data) for data in page.items)
            for each in found.get("ports") or ()
            if (each.get("name") or "") == port and each.get("port")
            for endpoint in found.get("endpoints") or ()
            if _is_ready(endpoint)
            for address in endpoint.get("addresses") or ()
        ]


def _is_ready(endpoint: dict[str, Any]) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False
