"""The Service `kubernetes` in the namespace `default`, by which pods find the API server; and Services in front of it.

A front is a further name of the platform's one port: what upstream runs as a Deployment of its own and clients know by
the name of its Service.

Source: pkg/controlplane/controller/kubernetesservice/controller.go, v1.31.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sampan.client.protocol import Client, Object
from sampan.cluster.network.addresses import LOCALHOST
from sampan.cluster.network.endpoints import SERVICE_NAME
from sampan.cluster.network.links import API_SERVICE
from sampan.cluster.network.names import service_names
from sampan.kube.errors import AlreadyExistsError
from sampan.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, SERVICES, Resource

_NAMESPACE = "default"
_PORT_NAME, _PORT = "https", 443


class Front(Protocol):
    """`sampan.components.Front`."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def speaks(self) -> str: ...


async def ensure_api_service(client: Client, host: str, port: int) -> tuple[str, ...]:
    """The names under which pods find it then. `host` is an address; a name means this machine. Raises ApiError."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    service = _Service(API_SERVICE, _NAMESPACE, _PORT_NAME, _PORT, labels)
    address = await _ensure_service(client, service, host, port)
    return (address, *_names(service))


async def ensure_front(client: Client, front: Front, host: str, port: int) -> tuple[str, ...]:
    """A Service before a port of the platform's own, which has no TLS. Returns and raises as the above."""
    service = _Service(front.name, front.namespace, front.speaks, front.port, {"app": front.name})
    address = await _ensure_service(client, service, host, port)
    return (address, *_names(service))


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    namespace: str
    port_name: str
    port: int
    labels: dict[str, str]


def _names(service: _Service) -> list[str]:
    # Not the bare one: any network may have a machine of that name.
    return service_names(service.name, service.namespace, local=False).split()


async def _ensure_service(client: Client, wanted: _Service, host: str, port: int) -> str:
    """Its address."""
    host = host if host[:1].isdigit() else LOCALHOST
    metadata = {"name": wanted.name, "namespace": wanted.namespace}
    service = {
        "metadata": {**metadata, "labels": wanted.labels},
        "spec": {
            "ports": [{"name": wanted.port_name, "port": wanted.port, "protocol": "TCP", "targetPort": port}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }
    address = str((await _ensure(client, SERVICES, service))["spec"]["clusterIP"])
    ports = [{"name": wanted.port_name, "port": port, "protocol": "TCP"}]
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    subsets = [{"addresses": [{"ip": host}], "ports": ports}]
    await _ensure(client, ENDPOINTS, {"metadata": {**metadata, "labels": skip}, "subsets": subsets})
    slice_ = {
        "metadata": {**metadata, "labels": {SERVICE_NAME: wanted.name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": ports,
    }
    await _ensure(client, ENDPOINT_SLICES, slice_)
    return address


async def _ensure(client: Client, resource: Resource, wanted: dict[str, Any]) -> Object:
    try:
        return await client.create(resource, wanted)
    except AlreadyExistsError:
        name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]
        return await client.patch(resource, name, wanted, namespace)
