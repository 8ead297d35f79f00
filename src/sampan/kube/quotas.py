"""What objects count for in a ResourceQuota. Pure; called by admission and by the controller that recounts.

Source: pkg/quota/v1/evaluator/core/{pods,persistent_volume_claims,services}.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from sampan.kube import meta, pods, quantities
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES, Resource
from sampan.kube.meta import Object

Amounts = dict[str, Decimal]

_ONE = Decimal(1)
_COUNTED_BY_NAME = frozenset(
    {
        *("configmaps", "secrets", "services", "replicationcontrollers", "resourcequotas"),
        "persistentvolumeclaims",
    }
)
_UNPREFIXED = ("cpu", "memory", "ephemeral-storage")
_REQUIRED = frozenset(
    f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in ("cpu", "memory")
)
_BINARY = ("memory", "storage", "hugepages-")
_STORAGE_CLASS = "storageclass.storage.k8s.io"


def usage(resource: Resource, obj: Object) -> Amounts:
    """By the names that `spec.hard` may have."""
    found: Amounts = {f"count/{resource.key}": _ONE}
    if not resource.group and resource.plural in _COUNTED_BY_NAME:
        found[resource.plural] = _ONE
    if resource == PODS:
        if not pods.is_terminal(obj):
            found |= _pod(obj)
    elif resource == PERSISTENT_VOLUME_CLAIMS:
        found |= _claim(obj)
    elif resource == SERVICES:
        found |= _service(obj)
    return found


def counts(hard: Iterable[str], resource: Resource) -> bool:
    """Whether a quota of these names says anything about a kind."""
    key = f"count/{resource.key}"
    if resource == PODS:
        return any(name == key or name == "pods" or _is_compute(name) for name in hard)
    if resource == PERSISTENT_VOLUME_CLAIMS:
        storage = ("requests.storage", "persistentvolumeclaims", key)
        return any(name in storage or f".{_STORAGE_CLASS}/" in name for name in hard)
    named = resource.plural if not resource.group and resource.plural in _COUNTED_BY_NAME else key
    return any(
        name in (key, named) or (resource == SERVICES and name.startswith("services.")) for name in hard
    )


def _is_compute(name: str) -> bool:
    if name == "requests.storage" or "/requests.storage" in name:
        return False
    return name.startswith(("requests.", "limits.", "hugepages-")) or name in _UNPREFIXED


def _pod(pod: Object) -> Amounts:
    found: Amounts = {"pods": _ONE}
    for kind in ("requests", "limits"):
        for name, amount in pod_resources(pod, kind).items():
            found[f"{kind}.{name}"] = amount
            if kind == "requests" and (name in _UNPREFIXED or name.startswith("hugepages-")):
                found[name] = amount
    return found


def pod_resources(pod: Object, kind: str) -> Amounts:
    """`requests` or `limits` of a whole pod: its containers together, or an init container where that needs more."""
    spec = meta.spec(pod)
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _amounts(container, kind))
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _amounts(container, kind)
        if pods.is_sidecar(container):
            _add(total, own)
            _add(sidecars, own)
            own = dict(sidecars)
        else:
            _add(own, sidecars)
        for name, amount in own.items():
            most[name] = max(most.get(name, amount), amount)
    for name, amount in most.items():
        total[name] = max(total.get(name, amount), amount)
    _add(total, _parsed((spec.get("overhead") or {}) if kind == "requests" or total else {}))
    return total


def _amounts(container: Mapping[str, Any], kind: str) -> Amounts:
    return _parsed((container.get("resources") or {}).get(kind) or {})


def _parsed(values: Mapping[str, Any]) -> Amounts:
    found: Amounts = {}
    for name, value in values.items():
        try:
            found[name] = quantities.parse(value)
        except (ValueError, TypeError, ArithmeticError):
            continue
    return found


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, Decimal(0)) + amount


def _claim(claim: Object) -> Amounts:
    asked = _parsed((meta.spec(claim).get("resources") or {}).get("requests") or {})
    storage = asked.get("storage", Decimal(0))
    found = {"requests.storage": storage}
    annotated = meta.annotations(claim).get("volume.beta.kubernetes.io/storage-class")
    if name := annotated or meta.spec(claim).get("storageClassName"):
        found[f"{name}.{_STORAGE_CLASS}/requests.storage"] = storage
        found[f"{name}.{_STORAGE_CLASS}/persistentvolumeclaims"] = _ONE
    return found


def _service(service: Object) -> Amounts:
    spec = meta.spec(service)
    ports = Decimal(len(spec.get("ports") or ()))
    match spec.get("type"):
        case "NodePort":
            return {"services.nodeports": ports}
        case "LoadBalancer":
            nodes = ports if spec.get("allocateLoadBalancerNodePorts") is not False else Decimal(0)
            return {"services.nodeports": nodes, "services.loadbalancers": _ONE}
    return {}


def in_scope(quota: Object, resource: Resource, obj: Object) -> bool:
    """Whether the quota is about this object. One with scopes is about pods only."""
    scopes = list(_scopes(meta.spec(quota)))
    if not scopes:
        return True
    return resource == PODS and all(
        _matches(scope, operator, values, obj) for scope, operator, values in scopes
    )


def _scopes(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, frozenset[str]]]:
    for scope in spec.get("scopes") or ():
        yield scope, "Exists", frozenset()
    for each in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        yield each.get("scopeName"), each.get("operator"), frozenset(each.get("values") or ())


def _matches(scope: str, operator: str, values: frozenset[str], pod: Object) -> bool:
    spec = meta.spec(pod)
    match scope:
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "BestEffort":
            return pods.qos_class(pod) == "BestEffort"
        case "NotBestEffort":
            return pods.qos_class(pod) != "BestEffort"
        case "PriorityClass":
            return _selects(operator, values, str(spec.get("priorityClassName") or ""))
        case "CrossNamespacePodAffinity":
            return _crosses_namespaces(spec.get("affinity") or {})
    return False


def _selects(operator: str, values: frozenset[str], value: str) -> bool:
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "DoesNotExist":
            return not value
    return bool(value)


def _crosses_namespaces(affinity: Mapping[str, Any]) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        terms += [
            each.get("podAffinityTerm") or {}
            for each in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        ]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


def unset(hard: Iterable[str], pod: Object) -> str:
    """Which containers leave out what a quota of these names wants each to say; empty when none does."""
    lacking: dict[str, set[str]] = {}
    required = _REQUIRED.intersection(hard)
    spec = meta.spec(pod)
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        for name in required:
            kind, _, what = name.rpartition(".")
            if what not in (resources.get(kind or "requests") or {}):
                lacking.setdefault(name, set()).add(str(container.get("name", "")))
    return "; ".join(f"{name} for: {','.join(sorted(lacking[name]))}" for name in sorted(lacking))


def written(name: str, amount: Decimal) -> str:
    """As Kubernetes writes an amount of this resource."""
    whole = amount == amount.to_integral_value()
    if whole and any(part in name for part in _BINARY):
        return quantities.format_binary(int(amount))
    return quantities.format_decimal(amount)


def listed(amounts: Mapping[str, Decimal]) -> str:
    return ",".join(f"{name}={written(name, amounts[name])}" for name in sorted(amounts))
