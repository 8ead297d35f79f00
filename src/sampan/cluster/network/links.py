"""Variables by which a container finds the Services of its namespace, as Docker's links had them. Pure.

Source: pkg/kubelet/envvars/envvars.go, v1.31.
"""

from __future__ import annotations

from sampan.client.protocol import Object
from sampan.kube import meta

API_SERVICE = "kubernetes"


def is_api_service(service: Object) -> bool:
    return (meta.namespace(service), meta.name(service)) == ("default", API_SERVICE)


def variables(service: Object, address: str) -> dict[str, str]:
    """Of a Service with an address; empty for one without ports."""
    ports = meta.spec(service).get("ports") or ()
    if not ports:
        return {}
    prefix = _variable(meta.name(service))
    found = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            found[f"{prefix}_SERVICE_PORT_{_variable(port['name'])}"] = str(port["port"])
    for at, port in enumerate(ports):
        protocol = str(port.get("protocol") or "TCP")
        url = f"{protocol.lower()}://{address}:{port['port']}"
        if at == 0:
            found[f"{prefix}_PORT"] = url
        link = f"{prefix}_PORT_{port['port']}_{protocol}"
        found |= {
            link: url,
            f"{link}_PROTO": protocol.lower(),
            f"{link}_PORT": str(port["port"]),
            f"{link}_ADDR": address,
        }
    return found


def _variable(name: str) -> str:
    return name.replace("-", "_").upper()
