"""A change of spec.replicas while several ReplicaSets have pods: each gets its share. Pure.

Source: pkg/controller/deployment/sync.go (scale, isScalingEvent) and util/deployment_util.go
(GetReplicaSetProportion), v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.client.protocol import Object
from sampan.cluster.workloads.deployment.spec import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    DeploymentSpec,
    active,
    age_key,
    counted,
    number,
    size,
    total,
)
from sampan.kube import meta


def is_scaling(spec: DeploymentSpec, everything: Sequence[Object]) -> bool:
    """Whether spec.replicas has changed since the ReplicaSets were last sized."""
    return any(
        DESIRED_REPLICAS in meta.annotations(each) and number(each, DESIRED_REPLICAS) != spec.replicas
        for each in active(everything)
    )


def scaled_sizes(
    deployment: Object, spec: DeploymentSpec, new: Object | None, old: Sequence[Object]
) -> dict[str, int]:
    """The sizes of ReplicaSets, by name; those that are to be left alone are missing."""
    everything = [*old, *([new] if new is not None else [])]
    only = _active_or_latest(new, old, everything)
    if only is not None:
        return {meta.name(only): spec.replicas} if size(only) != spec.replicas else {}
    if new is not None and _is_saturated(spec, new):
        return {meta.name(each): 0 for each in active(old)}
    return _shares(deployment, spec, active(everything)) if spec.rolling else {}


def _active_or_latest(
    new: Object | None, old: Sequence[Object], everything: Sequence[Object]
) -> Object | None:
    """The one that has pods, or the latest when none has; None when several have."""
    found = active(everything)
    if len(found) > 1:
        return None
    if found:
        return found[0]
    return new if new is not None else max(old, key=age_key, default=None)


def _is_saturated(spec: DeploymentSpec, new: Object) -> bool:
    return (
        size(new) == spec.replicas == number(new, DESIRED_REPLICAS)
        and counted([new], "availableReplicas") == spec.replicas
    )


def _shares(deployment: Object, spec: DeploymentSpec, found: Sequence[Object]) -> dict[str, int]:
    allowed = spec.max_replicas if spec.replicas > 0 else 0
    change = allowed - total(found)
    # The largest first; of equal ones the newer grows and the older shrinks.
    ordered = sorted(found, key=age_key, reverse=change > 0)
    ordered.sort(key=size, reverse=True)
    sizes, shared = {}, 0
    for each in ordered:
        share = _share(deployment, spec, each, change, shared) if change else 0
        sizes[meta.name(each)] = size(each) + share
        shared += share
    if ordered and change:
        largest = meta.name(ordered[0])
        sizes[largest] = max(sizes[largest] + change - shared, 0)
    return sizes


def _share(deployment: Object, spec: DeploymentSpec, replica_set: Object, change: int, shared: int) -> int:
    if not size(replica_set) or change == shared:
        return 0
    fraction, left = _fraction(deployment, spec, replica_set), change - shared
    return min(fraction, left) if change > 0 else max(fraction, left)


def _fraction(deployment: Object, spec: DeploymentSpec, replica_set: Object) -> int:
    """By how much it would grow if all grew alike."""
    current = size(replica_set)
    if not spec.replicas:
        return -current
    before = number(replica_set, MAX_REPLICAS) or int(meta.status(deployment).get("replicas") or 0)
    if not before:
        return 0
    return _rounded(current * spec.max_replicas, before) - current


def _rounded(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)
