"""What a Deployment needs now: a new ReplicaSet, other sizes, fewer old ones. Pure.

Source: pkg/controller/deployment/{deployment_controller,rolling,recreate,sync}.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sampan.client.protocol import Object
from sampan.cluster.workloads.deployment import revisions, rolling, scaling
from sampan.cluster.workloads.deployment.spec import DeploymentSpec, active, counted, size
from sampan.kube import meta, pods


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when planning. `pods`: those of all its ReplicaSets, for Recreate only."""

    deployment: Object
    spec: DeploymentSpec
    new: Object | None
    old: Sequence[Object]
    pods: Sequence[Object]
    now: datetime

    @property
    def everything(self) -> list[Object]:
        return [*self.old, *([self.new] if self.new is not None else [])]


@dataclass(frozen=True, slots=True)
class Plan:
    sizes: dict[str, int] = field(default_factory=dict)
    """By the ReplicaSet's name."""
    delete: Sequence[Object] = ()
    scaling: bool = False
    """Whether it is spec.replicas that has changed, or a pause: no progress is looked for."""


def is_at_rest(situation: Situation) -> bool:
    """Whether nothing rolls: it is paused, or only its size has changed."""
    return situation.spec.paused or scaling.is_scaling(situation.spec, situation.everything)


def wants_new(situation: Situation) -> bool:
    """Whether a ReplicaSet is to be made for the template as it is now."""
    if situation.new is not None or is_at_rest(situation):
        return False
    return situation.spec.rolling or not (active(situation.old) or _old_pods_run(situation))


def first_size(situation: Situation) -> int:
    """Of the ReplicaSet that is to be made."""
    return rolling.new_size(situation.spec, None, situation.everything)


def plan(situation: Situation) -> Plan:
    spec, new, old = situation.spec, situation.new, situation.old
    if is_at_rest(situation):
        sizes = scaling.scaled_sizes(situation.deployment, spec, new, old)
        unwanted = revisions.outdated(old, spec.history_limit) if spec.paused else ()
        return Plan(sizes, unwanted, scaling=True)
    sizes = _rolled(situation) if spec.rolling else _recreated(situation)
    if not _changed(sizes, situation.everything) and is_complete(situation):
        return Plan(sizes, revisions.outdated(old, spec.history_limit))
    return Plan(sizes)


def _rolled(situation: Situation) -> dict[str, int]:
    """First the new one grows, and once it may not, the old ones shrink."""
    spec, new = situation.spec, situation.new
    if new is None:
        return {}
    wanted = rolling.new_size(spec, new, situation.everything)
    sizes = {meta.name(new): wanted}
    if wanted == size(new):
        sizes |= rolling.old_sizes(spec, new, situation.old)
    return sizes


def _recreated(situation: Situation) -> dict[str, int]:
    """The old pods end, all of them, before the first new one starts."""
    if going := active(situation.old):
        return {meta.name(each): 0 for each in going}
    if situation.new is None or _old_pods_run(situation):
        return {}
    return {meta.name(situation.new): situation.spec.replicas}


def _old_pods_run(situation: Situation) -> bool:
    if counted(situation.old, "replicas"):
        return True
    mine = meta.name(situation.new) if situation.new is not None else ""
    return any(not pods.is_terminal(pod) and _set_of(pod) != mine for pod in situation.pods)


def _set_of(pod: Object) -> str:
    references = meta.metadata(pod).get("ownerReferences") or ()
    return next((str(each.get("name")) for each in references if each.get("controller")), "")


def is_complete(situation: Situation) -> bool:
    """Whether the new ReplicaSet has all the pods, and all are available."""
    spec, everything = situation.spec, situation.everything
    updated = counted([situation.new] if situation.new is not None else [], "replicas")
    return (
        updated
        == counted(everything, "replicas")
        == counted(everything, "availableReplicas")
        == spec.replicas
    )


def _changed(sizes: dict[str, int], everything: Sequence[Object]) -> bool:
    return any(sizes.get(meta.name(each), size(each)) != size(each) for each in everything)
