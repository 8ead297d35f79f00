"""What a pod asks of a node. Pure; computed once per pod.

Source: k8s.io/component-helpers/resource/helpers.go (PodRequests), v1.34.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.scheduler.affinity import NOBODY, Labels, Neighbours, read_neighbours
from sampan.cluster.scheduler.constraints import Term, Toleration, read_terms
from sampan.kube import meta, pods, quantities

Amounts = dict[str, int]
"""Resource name to amount: CPU in millicores, everything else in whole units."""
Port = tuple[str, str, int]
"""A port of the host: address, protocol, number."""

_OF_WHOLE_PODS = ("cpu", "memory")
"""What `spec.resources` may say, beside huge pages."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Pods with equal `shape` fit the same nodes: when one cannot be placed, none of them can."""

    requests: Amounts = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: tuple[Term, ...] | None = None
    """Of which one must match. None: the pod has no required node affinity."""
    preferred: tuple[tuple[int, Term], ...] = ()
    """Node affinity that is wished for, with its weight."""
    tolerations: tuple[Toleration, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    """The PersistentVolumeClaims it mounts: namespace and name."""
    ports: tuple[Port, ...] = ()
    neighbours: Neighbours = NOBODY
    namespace: str = ""
    labels: Labels = field(default_factory=dict)
    priority: int = 0
    preempts: bool = True
    ends: bool = False
    """Whether it ends by itself one day: what it holds can be waited for, and it waits for others of its kind."""
    shape: Hashable = ()


def demand_of(pod: Object) -> Demand:
    """Raises ValueError, KeyError, TypeError or AttributeError for a spec that cannot be read."""
    spec = meta.spec(pod)
    selector = {str(key): str(value) for key, value in (spec.get("nodeSelector") or {}).items()}
    wanted = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    affinity = read_terms(wanted.get("requiredDuringSchedulingIgnoredDuringExecution"))
    preferred = tuple(
        (int(each.get("weight") or 0), Term.read(each.get("preference") or {}))
        for each in wanted.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    )
    tolerations = tuple(map(Toleration.read, spec.get("tolerations") or ()))
    claims, ports = tuple(sorted(_claims(pod))), tuple(sorted(set(_ports(spec))))
    requests, neighbours = requests_of(spec), read_neighbours(pod)
    preempts = spec.get("preemptionPolicy") != "Never"
    priority = int(spec.get("priority") or 0)
    ends = spec.get("restartPolicy") in ("Never", "OnFailure")
    shape = (
        # Who may make room for itself, and for whom room is kept, is a matter of priority.
        (priority, preempts),
        tuple(sorted(requests.items())),
        tuple(sorted(selector.items())),
        (affinity, preferred, tolerations, ends),
        claims,
        ports,
        (neighbours, meta.namespace(pod)) if neighbours != NOBODY else None,
    )
    return Demand(
        requests=requests,
        node_selector=selector,
        affinity=affinity,
        preferred=preferred,
        tolerations=tolerations,
        claims=claims,
        ports=ports,
        neighbours=neighbours,
        namespace=meta.namespace(pod),
        labels=meta.labels(pod),
        priority=priority,
        preempts=preempts,
        ends=ends,
        shape=shape,
    )


def with_priority(demand: Demand, priority: int) -> Demand:
    _, *rest = demand.shape if isinstance(demand.shape, tuple) and demand.shape else (None,)
    return replace(demand, priority=priority, shape=((priority, demand.preempts), *rest))


def requests_of(spec: Mapping[str, Any]) -> Amounts:
    """Containers and sidecars together, or the most that an init container needs, whichever is more; what the pod
    asks for as a whole stands in for both; overhead.
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
    total |= _whole(spec.get("resources") or {}, total)
    _add(total, amounts(spec.get("overhead") or {}))
    return total


def amounts(resources: Mapping[str, Any]) -> Amounts:
    """A ResourceList in whole units, rounded up as Kubernetes does."""
    return {
        name: quantities.millis(quantity) if name == "cpu" else quantities.whole(quantity)
        for name, quantity in resources.items()
    }


def _whole(resources: Mapping[str, Any], of_containers: Amounts) -> Amounts:
    """What the pod asks for as a whole. A limit alone counts where no container asks for anything."""
    limits = amounts(resources.get("limits") or {})
    found = {name: amount for name, amount in limits.items() if name not in of_containers}
    found |= amounts(resources.get("requests") or {})
    return {
        name: amount
        for name, amount in found.items()
        if name in _OF_WHOLE_PODS or name.startswith("hugepages-")
    }


def _container_requests(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    # A limit without a request requests as much; the API server's defaulting does the same.
    return amounts((resources.get("limits") or {}) | (resources.get("requests") or {}))


def _claims(pod: Object) -> Iterable[tuple[str, str]]:
    for volume in meta.spec(pod).get("volumes") or ():
        if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            yield meta.namespace(pod), str(claim)
        elif volume.get("ephemeral"):
            yield meta.namespace(pod), f"{meta.name(pod)}-{volume['name']}"


def _ports(spec: Mapping[str, Any]) -> Iterable[Port]:
    sidecars = filter(pods.is_sidecar, spec.get("initContainers") or ())
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            number = port.get("hostPort") or (port.get("containerPort") if spec.get("hostNetwork") else 0)
            if number:
                address = str(port.get("hostIP") or "0.0.0.0")  # noqa: S104  (an API value, nothing listens)
                yield address, str(port.get("protocol") or "TCP"), int(number)


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise(total: Amounts, floor: Mapping[str, int]) -> None:
    for name, amount in floor.items():
        total[name] = max(total.get(name, 0), amount)
