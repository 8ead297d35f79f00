"""networking.k8s.io/v1: NetworkPolicy, Ingress, IngressClass.

Source: kubernetes/pkg/apis/networking/v1/defaults.go, pkg/apis/networking/validation/validation.go,
pkg/registry/networking/*/strategy.go, pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.kinds.templates import read, validate_selector
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import meta, names, selectors
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_GROUP = "networking.k8s.io"
_POLICIES = Resource(
    _GROUP,
    "v1",
    "NetworkPolicy",
    "networkpolicies",
    singular="networkpolicy",
    short_names=("netpol",),
    subresources=(),
)
_INGRESSES = Resource(_GROUP, "v1", "Ingress", "ingresses", singular="ingress", short_names=("ing",))
_CLASSES = Resource(
    _GROUP, "v1", "IngressClass", "ingressclasses", namespaced=False, singular="ingressclass", subresources=()
)
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_POLICY_TYPES = ("Egress", "Ingress")


def _default_policy(policy: Object) -> None:
    spec = policy.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _validate_policy(policy: Object, errors: FieldErrors) -> None:
    spec = policy["spec"]
    validate_selector(spec["podSelector"], "spec.podSelector", errors)
    types = spec["policyTypes"]
    if len(types) > 2:
        errors.invalid("spec.policyTypes", types, "may not specify more than two policyTypes")
    for at, kind in enumerate(types):
        if kind not in _POLICY_TYPES:
            errors.unsupported(f"spec.policyTypes[{at}]", kind, _POLICY_TYPES)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for at, rule in enumerate(spec.get(direction) or ()):
            for number, peer in enumerate(rule.get(peers) or ()):
                _validate_peer(peer, f"spec.{direction}[{at}].{peers}[{number}]", errors)


def _validate_peer(peer: Object, path: str, errors: FieldErrors) -> None:
    given = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if key in peer]
    if not given:
        errors.required(path, "must specify a peer")
    elif "ipBlock" in given and len(given) > 1:
        errors.forbidden(path, "may not specify both ipBlock and another peer")
    for key in given:
        if key != "ipBlock":
            validate_selector(peer[key], f"{path}.{key}", errors)


def _prepare_ingress(ingress: Object) -> None:
    ingress["status"] = {"loadBalancer": {}}


def _default_ingress(ingress: Object) -> None:
    ingress.setdefault("spec", {})


def _validate_ingress(ingress: Object, errors: FieldErrors) -> None:
    spec = ingress["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        errors.invalid(
            "spec", spec.get("rules") or [], "either `defaultBackend` or `rules` must be specified"
        )
    if spec.get("defaultBackend"):
        _validate_backend(spec["defaultBackend"], "spec.defaultBackend", errors)
    for at, rule in enumerate(spec.get("rules") or ()):
        where, host = f"spec.rules[{at}]", rule.get("host") or ""
        if host:
            errors.each(f"{where}.host", host, names.dns_subdomain(host.removeprefix("*.")))
        http = rule.get("http")
        if http is None:
            continue
        if not http.get("paths"):
            errors.required(f"{where}.http.paths")
        for number, path in enumerate(http.get("paths") or ()):
            _validate_path(path, f"{where}.http.paths[{number}]", errors)
    if spec.get("ingressClassName"):
        name = spec["ingressClassName"]
        errors.each("spec.ingressClassName", name, names.dns_subdomain(name))


def _validate_path(path: Object, where: str, errors: FieldErrors) -> None:
    kind, value = path.get("pathType"), path.get("path") or ""
    if not kind:
        errors.required(f"{where}.pathType", "pathType must be specified")
    elif kind not in _PATH_TYPES:
        errors.unsupported(f"{where}.pathType", kind, _PATH_TYPES)
    if (value or kind != "ImplementationSpecific") and not value.startswith("/"):
        errors.invalid(f"{where}.path", value, "must be an absolute path")
    elif kind in ("Exact", "Prefix"):
        for part in ("//", "/./", "/../", "%2f", "%2F"):
            if part in value:
                errors.invalid(f"{where}.path", value, f"must not contain '{part}'")
    _validate_backend(path.get("backend") or {}, f"{where}.backend", errors)


def _validate_backend(backend: Object, path: str, errors: FieldErrors) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service and resource:
        errors.invalid(path, "", "cannot set both resource and service backends")
    elif resource:
        for key in ("kind", "name"):
            if not resource.get(key):
                errors.required(f"{path}.resource.{key}")
    elif not service or not service.get("name"):
        errors.required(f"{path}.service.name" if service else path)
    else:
        port = service.get("port") or {}
        if port.get("name") and port.get("number"):
            errors.invalid(path, "", "cannot set both port name & port number")
        elif not port.get("name") and not port.get("number"):
            errors.required(path, "port name or number is required")


def _hosts(ingress: Object, _: datetime) -> str:
    hosts = [rule["host"] for rule in meta.spec(ingress).get("rules") or () if rule.get("host")]
    more = f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    return ",".join(hosts[:3]) + more or "*"


def _addresses(ingress: Object, _: datetime) -> str:
    points = meta.lookup(ingress, "status.loadBalancer.ingress") or ()
    return ",".join(str(point.get("ip") or point.get("hostname") or "") for point in points)


def _parameters(ingress_class: Object, _: datetime) -> str:
    parameters = meta.spec(ingress_class).get("parameters")
    if not parameters:
        return "<none>"
    group = parameters.get("apiGroup")
    kind = f"{parameters['kind']}.{group}" if group else parameters["kind"]
    return f"{kind}/{parameters['name']}"


def _default_class(ingress_class: Object) -> None:
    parameters = ingress_class.setdefault("spec", {}).get("parameters")
    if parameters:
        parameters.setdefault("scope", "Cluster")


def _validate_class(ingress_class: Object, errors: FieldErrors) -> None:
    spec = ingress_class["spec"]
    if not spec.get("controller"):
        errors.required("spec.controller")
    elif "/" not in spec["controller"]:
        errors.invalid(
            "spec.controller", spec["controller"], 'must be a domain-prefixed path (such as "acme.io/foo")'
        )


def _validate_class_update(new: Object, old: Object, errors: FieldErrors) -> None:
    controller = new["spec"].get("controller")
    if controller != old["spec"].get("controller"):
        errors.invalid("spec.controller", controller, "field is immutable")


def _pod_selector(policy: Object, _: datetime) -> Any:
    return selectors.format_selector(meta.spec(policy)["podSelector"]) or "<none>"


STRATEGIES = (
    Strategy(
        resource=_POLICIES,
        default=_default_policy,
        validate=_validate_policy,
        generations=True,
        columns=(NAME, Column("Pod-Selector", _pod_selector), AGE),
    ),
    Strategy(
        resource=_INGRESSES,
        default=_default_ingress,
        prepare_create=_prepare_ingress,
        validate=_validate_ingress,
        generations=True,
        columns=(
            NAME,
            Column("Class", read("spec.ingressClassName", "<none>")),
            Column("Hosts", _hosts),
            Column("Address", _addresses),
            Column("Ports", lambda ingress, _: "80, 443" if meta.spec(ingress).get("tls") else "80"),
            AGE,
        ),
    ),
    Strategy(
        resource=_CLASSES,
        default=_default_class,
        validate=_validate_class,
        validate_update=_validate_class_update,
        generations=True,
        columns=(
            NAME,
            Column("Controller", read("spec.controller", "")),
            Column("Parameters", _parameters),
            AGE,
        ),
    ),
)
