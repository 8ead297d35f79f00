"""Services, Endpoints and EndpointSlices. Addresses and node ports are given by `allocation`.

Source: pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go (ValidateService),
pkg/registry/core/service/strategy.go, pkg/apis/discovery, pkg/printers/internalversion/printers.go, v1.31.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.strategy import Column, Strategy, selectable
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import kinds, meta, names, selectors
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_AFFINITIES = ("None", "ClientIP")
_FAMILY_POLICIES = ("PreferDualStack", "SingleStack")
_TRAFFIC_POLICIES = ("Cluster", "Local")
_STICKY_SECONDS = 10800
_MAX_STICKY_SECONDS = 86400
_MAX_SHOWN = 3


def has_cluster_ip(service: Object) -> bool:
    return meta.spec(service).get("type") != "ExternalName"


def has_node_ports(service: Object) -> bool:
    spec = meta.spec(service)
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def _default(service: Object) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {})
        config.setdefault("clientIP", {}).setdefault("timeoutSeconds", _STICKY_SECONDS)
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec["type"] in ("ClusterIP", "NodePort", "LoadBalancer"):
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("ipFamilies", ["IPv4"])
    # Either of the two may be written alone.
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]


def _prepare_create(service: Object) -> None:
    service["status"] = {"loadBalancer": {}}


def _prepare_update(new: Object, old: Object, _now: str) -> None:
    """What was allocated stays, though a client does not repeat it, and goes when the type has no use for it."""
    after, before = new["spec"], meta.spec(old)
    if has_cluster_ip(old) and has_cluster_ip(new):
        if not after.get("clusterIP"):
            after["clusterIP"] = before.get("clusterIP", "")
            after["clusterIPs"] = list(before.get("clusterIPs") or [])
        elif after.get("clusterIPs") == before.get("clusterIPs") != [after["clusterIP"]]:
            after["clusterIPs"] = [after["clusterIP"]]
    elif not has_cluster_ip(new):
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if after.get(key) == before.get(key):
                after.pop(key, None)
    known = {(port.get("protocol"), port.get("port")): port for port in before.get("ports") or ()}
    for port in after.get("ports") or ():
        given = known.get((port.get("protocol"), port.get("port")), {}).get("nodePort")
        if has_node_ports(new) and not port.get("nodePort") and given:
            port["nodePort"] = given
        elif not has_node_ports(new) and port.get("nodePort") == given:
            port.pop("nodePort", None)
    if after["type"] not in ("NodePort", "LoadBalancer") and not after.get("externalIPs"):
        after.pop("externalTrafficPolicy", None)
    if after["type"] != "LoadBalancer":
        after.pop("allocateLoadBalancerNodePorts", None)


def _validate(service: Object, errors: FieldErrors) -> None:
    spec = service["spec"]
    if spec["type"] not in TYPES:
        errors.unsupported("spec.type", spec["type"], TYPES)
        return
    headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and not headless and spec["type"] != "ExternalName":
        errors.required("spec.ports")
    if headless and spec["type"] in ("NodePort", "LoadBalancer"):
        errors.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec['type']} services")
    if spec["type"] == "ExternalName":
        _validate_external_name(spec, errors)
    for key, value in (spec.get("selector") or {}).items():
        errors.each("spec.selector", key, names.qualified_name(key))
        errors.each("spec.selector", value, names.label_value(value))
    if spec["sessionAffinity"] not in _AFFINITIES:
        errors.unsupported("spec.sessionAffinity", spec["sessionAffinity"], _AFFINITIES)
    seconds = meta.lookup(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds")
    if seconds is not None and not 0 < seconds <= _MAX_STICKY_SECONDS:
        errors.invalid(
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
            seconds,
            f"must be greater than 0 and less than {_MAX_STICKY_SECONDS}",
        )
    _validate_addresses(spec, errors)
    _validate_policies(spec, errors)
    _validate_ports(service, errors)


def _validate_addresses(spec: dict[str, Any], errors: FieldErrors) -> None:
    for at, address in enumerate(spec.get("clusterIPs") or ()):
        if address != "None":
            _check_ip(f"spec.clusterIPs[{at}]", str(address), errors)
    for at, address in enumerate(spec.get("externalIPs") or ()):
        _check_ip(f"spec.externalIPs[{at}]", str(address), errors)
    for at, family in enumerate(spec.get("ipFamilies") or ()):
        if family == "IPv6":
            errors.invalid(f"spec.ipFamilies[{at}]", family, "not configured on this cluster")
        elif family != "IPv4":
            errors.unsupported(f"spec.ipFamilies[{at}]", family, ("IPv4", "IPv6"))
    policy = spec.get("ipFamilyPolicy")
    if policy == "RequireDualStack":
        message = "this cluster is not configured for dual-stack services"
        errors.invalid("spec.ipFamilyPolicy", policy, message)
    elif policy not in (None, *_FAMILY_POLICIES):
        errors.unsupported("spec.ipFamilyPolicy", policy, (*_FAMILY_POLICIES, "RequireDualStack"))


def _validate_policies(spec: dict[str, Any], errors: FieldErrors) -> None:
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if spec.get(field) not in (None, "", *_TRAFFIC_POLICIES):
            errors.unsupported(f"spec.{field}", spec[field], _TRAFFIC_POLICIES)
    outside = spec["type"] in ("NodePort", "LoadBalancer") or spec.get("externalIPs")
    if spec.get("externalTrafficPolicy") and not outside:
        errors.invalid(
            "spec.externalTrafficPolicy",
            spec["externalTrafficPolicy"],
            "may only be set for externally-accessible services",
        )


def _validate_external_name(spec: dict[str, Any], errors: FieldErrors) -> None:
    if spec.get("clusterIPs"):
        errors.forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'")
    name = str(spec.get("externalName") or "")
    if name:
        errors.each("spec.externalName", name, names.dns_subdomain(name.removesuffix(".")))
    else:
        errors.required("spec.externalName")


def _validate_ports(service: Object, errors: FieldErrors) -> None:
    spec = service["spec"]
    ports = spec.get("ports") or []
    seen_names: set[str] = set()
    seen_ports: set[tuple[Any, Any]] = set()
    for at, port in enumerate(ports):
        field = f"spec.ports[{at}]"
        name = str(port.get("name") or "")
        if not name and len(ports) > 1:
            errors.required(f"{field}.name")
        elif name in seen_names:
            errors.duplicate(f"{field}.name", name)
        elif name:
            errors.each(f"{field}.name", name, names.dns_label(name))
        seen_names.add(name)
        _check_port(f"{field}.port", port.get("port") or 0, errors)
        if port["protocol"] not in _PROTOCOLS:
            errors.unsupported(f"{field}.protocol", port["protocol"], _PROTOCOLS)
        target = port.get("targetPort")
        if isinstance(target, int):
            _check_port(f"{field}.targetPort", target, errors)
        elif isinstance(target, str):
            errors.each(f"{field}.targetPort", target, names.port_name(target))
        if port.get("nodePort") and spec["type"] in ("ClusterIP", "ExternalName"):
            errors.forbidden(f"{field}.nodePort", f"may not be used when `type` is '{spec['type']}'")
        identity = (port["protocol"], port.get("port"))
        if identity in seen_ports:
            errors.duplicate(field, {"port": port.get("port"), "protocol": port["protocol"]})
        seen_ports.add(identity)


def _check_port(field: str, number: int, errors: FieldErrors) -> None:
    if not 1 <= number <= 65535:
        errors.invalid(field, number, "must be between 1 and 65535, inclusive")


def _validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if not has_cluster_ip(new) or not has_cluster_ip(old):
        return
    before, after = (meta.spec(each).get("clusterIPs") or [] for each in (old, new))
    if before and after[:1] != before[:1]:
        errors.invalid("spec.clusterIPs[0]", after, "may not change once set")


# Columns.


def _cluster_ip(service: Object, _: datetime) -> str:
    return str(meta.spec(service).get("clusterIP") or "<none>")


def _external_ip(service: Object, _: datetime) -> str:
    spec = meta.spec(service)
    found = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or "<none>")
    if spec.get("type") == "LoadBalancer":
        ingress = meta.lookup(service, "status.loadBalancer.ingress") or ()
        found = [*(each.get("ip") or each.get("hostname") or "" for each in ingress), *found]
        return ",".join(found) or "<pending>"
    return ",".join(found) or "<none>"


def _ports(service: Object, _: datetime) -> str:
    shown = []
    for port in meta.spec(service).get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node_port}/{port['protocol']}")
    return ",".join(shown) or "<none>"


def _selector(service: Object, _: datetime) -> str:
    return selectors.format_labels(meta.spec(service).get("selector") or {}) or "<none>"


def _limited(found: list[str], missing: str) -> str:
    if len(found) > _MAX_SHOWN:
        return f"{','.join(found[:_MAX_SHOWN])} + {len(found) - _MAX_SHOWN} more..."
    return ",".join(found) or missing


def _endpoints(endpoints: Object, _: datetime) -> str:
    found: list[str] = []
    for subset in endpoints.get("subsets") or ():
        hosts = [str(each.get("ip", "")) for each in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += [f"{host}:{port['port']}" for port in ports for host in hosts] if ports else hosts
    return _limited(found, "<none>")


def _slice_ports(slice_: Object, _: datetime) -> str:
    shown = [str(port.get("port") or port.get("name") or "*") for port in slice_.get("ports") or ()]
    return _limited(shown, "<unset>")


def _slice_endpoints(slice_: Object, _: datetime) -> str:
    found = [str(each) for endpoint in slice_.get("endpoints") or () for each in endpoint["addresses"]]
    return _limited(found, "<unset>")


# Endpoints and slices.


def _default_endpoints(endpoints: Object) -> None:
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _validate_endpoints(endpoints: Object, errors: FieldErrors) -> None:
    for at, subset in enumerate(endpoints.get("subsets") or ()):
        field = f"subsets[{at}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.required(field, "must specify `addresses` or `notReadyAddresses`")
        for kind in ("addresses", "notReadyAddresses"):
            for number, each in enumerate(subset.get(kind) or ()):
                _check_ip(f"{field}.{kind}[{number}].ip", str(each.get("ip", "")), errors)
        ports = subset.get("ports") or ()
        for number, port in enumerate(ports):
            if len(ports) > 1 and not port.get("name"):
                errors.required(f"{field}.ports[{number}].name")
            _check_port(f"{field}.ports[{number}].port", port.get("port") or 0, errors)


def _default_slice(slice_: Object) -> None:
    for port in slice_.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
    slice_.setdefault("endpoints", [])
    if slice_["endpoints"] is None:
        slice_["endpoints"] = []


def _validate_slice(slice_: Object, errors: FieldErrors) -> None:
    kind = slice_.get("addressType")
    supported = ("FQDN", "IPv4", "IPv6")
    if not kind:
        errors.required("addressType")
    elif kind not in supported:
        errors.unsupported("addressType", kind, supported)
    for at, endpoint in enumerate(slice_["endpoints"]):
        addresses = endpoint.get("addresses") or []
        if not addresses:
            errors.required(f"endpoints[{at}].addresses", "must contain at least 1 address")
        for number, address in enumerate(addresses):
            if kind in ("IPv4", "IPv6"):
                _check_ip(f"endpoints[{at}].addresses[{number}]", str(address), errors)
    _check_slice_ports(slice_.get("ports") or (), errors)


def _check_slice_ports(ports: Iterable[dict[str, Any]], errors: FieldErrors) -> None:
    seen: set[str] = set()
    for at, port in enumerate(ports):
        if port["name"] in seen:
            errors.duplicate(f"ports[{at}].name", port["name"])
        seen.add(port["name"])
        if port["protocol"] not in _PROTOCOLS:
            errors.unsupported(f"ports[{at}].protocol", port["protocol"], _PROTOCOLS)


def _validate_slice_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if new.get("addressType") != old.get("addressType"):
        errors.invalid("addressType", new.get("addressType"), "field is immutable")


def _check_ip(field: str, text: str, errors: FieldErrors) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        errors.invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        resource=kinds.SERVICES,
        name_rule=names.dns_1035_label,
        default=_default,
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        validate=_validate,
        validate_update=_validate_update,
        returns_deleted=True,
        fields=selectable("spec.clusterIP", "spec.type"),
        columns=(
            NAME,
            Column("Type", lambda service, _: meta.spec(service).get("type")),
            Column("Cluster-IP", _cluster_ip),
            Column("External-IP", _external_ip),
            Column("Port(s)", _ports),
            AGE,
            Column("Selector", _selector, priority=1),
        ),
    ),
    Strategy(
        resource=kinds.ENDPOINTS,
        default=_default_endpoints,
        validate=_validate_endpoints,
        columns=(NAME, Column("Endpoints", _endpoints), AGE),
    ),
    Strategy(
        resource=kinds.ENDPOINT_SLICES,
        default=_default_slice,
        validate=_validate_slice,
        validate_update=_validate_slice_update,
        generations=True,
        columns=(
            NAME,
            Column("AddressType", lambda slice_, _: slice_.get("addressType")),
            Column("Ports", _slice_ports),
            Column("Endpoints", _slice_endpoints),
            AGE,
        ),
    ),
)
