"""RollingUpdate: how far the new ReplicaSet may grow, and the old ones must shrink. Pure.

Source: pkg/controller/deployment/rolling.go and util/deployment_util.go (NewRSNewReplicas), v1.33.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sampan.client.protocol import Object
from sampan.cluster.workloads.deployment.spec import DeploymentSpec, age_key, counted, size, total
from sampan.kube import meta


def new_size(spec: DeploymentSpec, new: Object | None, everything: Sequence[Object]) -> int:
    """Of the new ReplicaSet: as much more as the surge leaves room for."""
    current = size(new) if new is not None else 0
    if not spec.rolling or current > spec.replicas:
        return spec.replicas
    room = max(spec.max_replicas - total(everything), 0)
    return current + min(room, spec.replicas - current)


def old_sizes(spec: DeploymentSpec, new: Object, old: Sequence[Object]) -> dict[str, int]:
    """The sizes of the old ReplicaSets, by name, as soon as enough pods are available."""
    sizes = {meta.name(each): size(each) for each in old}
    if not total(old):
        return sizes
    enough = spec.replicas - spec.max_unavailable
    not_yet = size(new) - counted([new], "availableReplicas")
    ordered = sorted(old, key=age_key)
    removable = total([*old, new]) - enough - not_yet
    if removable <= 0:
        return sizes
    # Pods that are not available are missed by nobody: they go first, else they might block the rollout.
    _shrink(sizes, ordered, removable, lambda each: size(each) - counted([each], "availableReplicas"))
    spare = counted([*old, new], "availableReplicas") - enough
    _shrink(sizes, ordered, spare, lambda each: sizes[meta.name(each)])
    return sizes


def _shrink(sizes: dict[str, int], ordered: Sequence[Object], most: int, by: Callable[[Object], int]) -> None:
    """Takes up to `most` in all, of each up to what `by` says."""
    for each in ordered:
        name = meta.name(each)
        taken = max(min(most, by(each), sizes[name]), 0)
        sizes[name] -= taken
        most -= taken
