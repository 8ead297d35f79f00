"""Which pods stand behind a Service, as Endpoints and EndpointSlices say it. Pure.

Source: pkg/controller/endpoint/endpoints_controller.go, staging/src/k8s.io/endpointslice/{reconciler,utils}.go,
pkg/controller/endpointslicemirroring, v1.31.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import meta, pods

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
MIRRORING = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
HEADLESS = "service.kubernetes.io/headless"
_MAX_ENDPOINTS = 100
_NAME_LIMIT = 63


def selects(service: Object, labels: Mapping[str, str]) -> bool:
    selector = meta.spec(service).get("selector")
    return (
        isinstance(selector, dict)
        and bool(selector)
        and all(labels.get(key) == value for key, value in selector.items())
    )


def is_headless(service: Object) -> bool:
    return meta.spec(service).get("clusterIP") == "None"


def publishes(service: Object) -> bool:
    """Whether its name leads to pods that are not ready."""
    return is_headless(service) and bool(meta.spec(service).get("publishNotReadyAddresses"))


def backends(service: Object, candidates: Iterable[Object]) -> list[Object]:
    """Of the pods of the namespace those that have an address and have not ended, in a stable order."""
    found = [
        pod
        for pod in candidates
        if selects(service, meta.labels(pod)) and meta.status(pod).get("podIP") and not pods.is_terminal(pod)
    ]
    return sorted(found, key=meta.name)


def find_port(pod: Object, port: Mapping[str, Any]) -> int | None:
    """Where `port` of a Service is in this pod; None for a name that it does not have."""
    target = port.get("targetPort") or port.get("port")
    if isinstance(target, int):
        return target
    for container in pods.containers(pod):
        for each in container.get("ports") or ():
            same_protocol = (each.get("protocol") or "TCP") == (port.get("protocol") or "TCP")
            if each.get("name") == target and same_protocol:
                return int(each["containerPort"])
    return None


def _ports(service: Object, pod: Object) -> list[dict[str, Any]]:
    found = []
    for port in meta.spec(service).get("ports") or ():
        number = find_port(pod, port)
        if number is not None:
            app = {"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}
            protocol = port.get("protocol") or "TCP"
            found.append({"name": port.get("name") or "", "port": number, "protocol": protocol, **app})
    return found


def hostname(service: Object, pod: Object) -> str:
    """By which the Service's domain knows the pod, if at all."""
    spec = meta.spec(pod)
    return str(spec.get("hostname") or "") if spec.get("subdomain") == meta.name(service) else ""


def _reference(pod: Object) -> dict[str, Any]:
    own = {"name": meta.name(pod), "namespace": meta.namespace(pod), "uid": meta.uid(pod)}
    return {"kind": "Pod", **own}


def _is_published(service: Object, pod: Object) -> bool:
    always = bool(meta.spec(service).get("publishNotReadyAddresses"))
    return always or (pods.is_ready(pod) and not meta.is_deleting(pod))


def _endpoint(service: Object, pod: Object) -> dict[str, Any]:
    endpoint: dict[str, Any] = {
        "addresses": [meta.status(pod)["podIP"]],
        "conditions": {
            "ready": _is_published(service, pod),
            "serving": pods.is_ready(pod) or bool(meta.spec(service).get("publishNotReadyAddresses")),
            "terminating": meta.is_deleting(pod),
        },
        "nodeName": pods.node_name(pod),
        "targetRef": _reference(pod),
    }
    if own := hostname(service, pod):
        endpoint["hostname"] = own
    return endpoint


def slices(service: Object, found: Sequence[Object]) -> list[Object]:
    """The slices that `service` is to have: one for each set of port numbers, and for each hundred pods."""
    groups: dict[str, tuple[list[dict[str, Any]], list[Object]]] = {}
    for pod in found:
        ports = _ports(service, pod)
        groups.setdefault(repr(ports), (ports, []))[1].append(pod)
    if not groups:
        groups[""] = ([], [])
    wanted: list[Object] = []
    for _, (ports, members) in sorted(groups.items()):
        for start in range(0, max(len(members), 1), _MAX_ENDPOINTS):
            part = [_endpoint(service, pod) for pod in members[start : start + _MAX_ENDPOINTS]]
            wanted.append(_slice(service, CONTROLLER, len(wanted), part, ports))
    return wanted


def mirrored(service: Object, endpoints: Object) -> list[Object]:
    """The slices that say what somebody wrote as Endpoints of a Service without a selector."""
    wanted: list[Object] = []
    for subset in endpoints.get("subsets") or ():
        part = [
            _mirrored_endpoint(address, is_ready=kind == "addresses")
            for kind in ("addresses", "notReadyAddresses")
            for address in subset.get(kind) or ()
        ]
        ports = [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or ()]
        wanted.append(_slice(service, MIRRORING, len(wanted), part, ports))
    return wanted


def _mirrored_endpoint(address: Mapping[str, Any], *, is_ready: bool) -> dict[str, Any]:
    kept = {key: address[key] for key in ("hostname", "nodeName", "targetRef") if address.get(key)}
    return {"addresses": [address["ip"]], "conditions": {"ready": is_ready}, **kept}


def _slice(
    service: Object,
    manager: str,
    number: int,
    endpoints: list[dict[str, Any]],
    ports: list[dict[str, Any]],
) -> Object:
    labels = {
        **meta.labels(service),
        SERVICE_NAME: meta.name(service),
        MANAGED_BY: manager,
        **({HEADLESS: ""} if is_headless(service) else {}),
    }
    suffix = hashlib.sha256(f"{meta.uid(service)}/{manager}/{number}".encode()).hexdigest()[:5]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta.name(service)[: _NAME_LIMIT - len(suffix) - 1]}-{suffix}",
            "namespace": meta.namespace(service),
            "labels": labels,
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }


def endpoints_object(service: Object, found: Sequence[Object]) -> Object:
    """The Endpoints of the same name: pods with the same ports make one subset."""
    groups: dict[str, dict[str, Any]] = {}
    for pod in found:
        ports = _ports(service, pod)
        if not ports and not is_headless(service):
            continue
        subset = groups.setdefault(repr(ports), {"ports": ports} if ports else {})
        kind = "addresses" if _is_published(service, pod) else "notReadyAddresses"
        address = {"ip": meta.status(pod)["podIP"], "nodeName": pods.node_name(pod)}
        if own := hostname(service, pod):
            address["hostname"] = own
        subset.setdefault(kind, []).append({**address, "targetRef": _reference(pod)})
    labels = {**meta.labels(service), **({HEADLESS: ""} if is_headless(service) else {})}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": meta.name(service),
            "namespace": meta.namespace(service),
            **({"labels": labels} if labels else {}),
        },
        **({"subsets": [groups[key] for key in sorted(groups)]} if groups else {}),
    }


def concerns(pod: Object) -> tuple[Any, ...]:
    """Of a pod all that its Services depend on: while it stays the same they need not be looked at."""
    spec, status = meta.spec(pod), meta.status(pod)
    names = (spec.get("hostname"), spec.get("subdomain"))
    state = (pods.is_ready(pod), pods.is_terminal(pod), meta.is_deleting(pod))
    return (meta.labels(pod), status.get("podIP"), names, state)
