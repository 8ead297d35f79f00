"""The Service `kubernetes` in the namespace `default`, by which pods find the API server.

Source: pkg/controlplane/controller/kubernetesservice/controller.go, v1.31.
"""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import Client, Object
from sampan.cluster.network.addresses import LOCALHOST
from sampan.cluster.network.endpoints import SERVICE_NAME
from sampan.cluster.network.links import API_SERVICE
from sampan.cluster.network.names import service_names
from sampan.kube.errors import AlreadyExistsError
from sampan.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, SERVICES, Resource

_NAMESPACE = "default"
_PORT_NAME, _PORT = "https", 443


async def ensure_api_service(client: Client, host: str, port: int) -> tuple[str, ...]:
    """The names under which pods find it then. `host` is an address; a name means this machine. Raises ApiError."""
    host = host if host[:1].isdigit() else LOCALHOST
    metadata = {"name": API_SERVICE, "namespace": _NAMESPACE}
    labels = {"component": "apiserver", "provider": "kubernetes"}
    service = {
        "metadata": {**metadata, "labels": labels},
        "spec": {
            "ports": [{"name": _PORT_NAME, "port": _PORT, "protocol": "TCP", "targetPort": port}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }
    address = str((await _ensure(client, SERVICES, service))["spec"]["clusterIP"])
    ports = [{"name": _PORT_NAME, "port": port, "protocol": "TCP"}]
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    subsets = [{"addresses": [{"ip": host}], "ports": ports}]
    await _ensure(client, ENDPOINTS, {"metadata": {**metadata, "labels": skip}, "subsets": subsets})
    slice_ = {
        "metadata": {**metadata, "labels": {SERVICE_NAME: API_SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": ports,
    }
    await _ensure(client, ENDPOINT_SLICES, slice_)
    # Not the bare one: any network may have a machine of that name.
    return (address, *service_names(API_SERVICE, _NAMESPACE, local=False).split())


async def _ensure(client: Client, resource: Resource, wanted: dict[str, Any]) -> Object:
    try:
        return await client.create(resource, wanted)
    except AlreadyExistsError:
        name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]
        return await client.patch(resource, name, wanted, namespace)
