"""What a pod asks of a node. Pure; computed once per pod.

Source: k8s.io/component-helpers/resource/helpers.go (PodRequests), v1.31.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.scheduler.constraints import Term, Toleration
from sampan.kube import meta, pods, quantities

Amounts = dict[str, int]
"""Resource name to amount: CPU in millicores, everything else in whole units."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Pods with equal `shape` fit the same nodes: when one cannot be placed, none of them can."""

    requests: Amounts
    node_selector: Mapping[str, str]
    affinity: tuple[Term, ...] | None
    """Of which one must match. None: the pod has no required node affinity."""
    tolerations: tuple[Toleration, ...]
    claims: tuple[tuple[str, str], ...]
    """The PersistentVolumeClaims it mounts: namespace and name."""
    priority: int
    shape: Hashable


def demand_of(pod: Object) -> Demand:
    """Raises ValueError, KeyError, TypeError or AttributeError for a spec that cannot be read."""
    spec = meta.spec(pod)
    selector = {str(key): str(value) for key, value in (spec.get("nodeSelector") or {}).items()}
    affinity = _affinity(spec)
    tolerations = tuple(map(Toleration.read, spec.get("tolerations") or ()))
    claims = tuple(sorted(_claims(pod)))
    requests = requests_of(spec)
    shape = (tuple(sorted(requests.items())), tuple(sorted(selector.items())), affinity, tolerations, claims)
    return Demand(
        requests=requests,
        node_selector=selector,
        affinity=affinity,
        tolerations=tolerations,
        claims=claims,
        priority=int(spec.get("priority") or 0),
        shape=shape,
    )


def requests_of(spec: Mapping[str, Any]) -> Amounts:
    """Containers and sidecars together, or the most that an init container needs, whichever is more;
    overhead.
    """
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _container_requests(container))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        wanted = _container_requests(container)
        if pods.is_sidecar(container):
            _add(sidecars, wanted)
            wanted = dict(sidecars)
        else:
            _add(wanted, sidecars)
        _raise(peak, wanted)
    _add(total, sidecars)
    _raise(total, peak)
    _add(total, amounts(spec.get("overhead") or {}))
    return total


def amounts(resources: Mapping[str, Any]) -> Amounts:
    """A ResourceList in whole units, rounded up as Kubernetes does."""
    return {
        name: quantities.millis(quantity) if name == "cpu" else quantities.whole(quantity)
        for name, quantity in resources.items()
    }


def _container_requests(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    # A limit without a request requests as much; the API server's defaulting does the same.
    return amounts((resources.get("limits") or {}) | (resources.get("requests") or {}))


def _affinity(spec: Mapping[str, Any]) -> tuple[Term, ...] | None:
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return tuple(map(Term.read, required.get("nodeSelectorTerms") or ())) if required else None


def _claims(pod: Object) -> Iterable[tuple[str, str]]:
    for volume in meta.spec(pod).get("volumes") or ():
        if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            yield meta.namespace(pod), str(claim)
        elif volume.get("ephemeral"):
            yield meta.namespace(pod), f"{meta.name(pod)}-{volume['name']}"


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise(total: Amounts, floor: Mapping[str, int]) -> None:
    for name, amount in floor.items():
        total[name] = max(total.get(name, 0), amount)
