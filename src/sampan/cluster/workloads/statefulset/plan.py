"""What a StatefulSet does next. Pure.

One step at a time unless podManagementPolicy is Parallel: the order of ordinals is the promise that a StatefulSet
makes, so the plan ends where something has to be waited for.

Source: pkg/controller/statefulset/stateful_set_control.go (updateStatefulSet), v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sampan.client.protocol import Object
from sampan.cluster.workloads.podcontrol import available_in
from sampan.cluster.workloads.statefulset.identity import has_identity, ordinal_of, revision_of
from sampan.cluster.workloads.statefulset.spec import StatefulSetSpec
from sampan.kube import meta, pods


@dataclass(frozen=True, slots=True)
class Situation:
    stateful_set: Object
    spec: StatefulSetSpec
    pods: Sequence[Object]
    current: str
    """The revision that the set is at."""
    update: str
    """The revision that it is to be at; the same when nothing rolls."""
    now: datetime


@dataclass(slots=True)
class Plan:
    create: list[int] = field(default_factory=list)
    """Ordinals; `old_revision` says which of them are made as they were."""
    old_revision: set[int] = field(default_factory=set)
    recreate: list[Object] = field(default_factory=list)
    """Pods at their end: deleted, and made again once they are gone."""
    adjust: list[Object] = field(default_factory=list)
    """Pods that lost their labels, or claims."""
    condemned: list[Object] = field(default_factory=list)
    """Pods that are too many."""
    replace: list[Object] = field(default_factory=list)
    """Pods of an old revision, to be made anew."""
    again: timedelta | None = None
    """When time alone changes the answer."""


def plan(situation: Situation) -> Plan:
    result = Plan()
    by_ordinal, surplus = _sorted(situation)
    if not _fill(situation, by_ordinal, result):
        return result
    if not _remove(situation, surplus, by_ordinal.values(), result):
        return result
    _update(situation, by_ordinal, result)
    return result


def _sorted(situation: Situation) -> tuple[dict[int, Object], list[Object]]:
    """The pods that belong, by ordinal, and those beyond, the highest first."""
    by_ordinal: dict[int, Object] = {}
    surplus: list[tuple[int, Object]] = []
    for pod in situation.pods:
        ordinal = ordinal_of(situation.stateful_set, pod)
        if ordinal is None:
            continue
        if ordinal in situation.spec.ordinals:
            by_ordinal[ordinal] = pod
        else:
            surplus.append((ordinal, pod))
    surplus.sort(key=lambda pair: pair[0], reverse=True)
    return by_ordinal, [pod for _, pod in surplus]


def _fill(situation: Situation, by_ordinal: dict[int, Object], result: Plan) -> bool:
    """Whether all that should be there is, so that the next steps may be thought of."""
    spec, complete = situation.spec, True
    for ordinal in spec.ordinals:
        pod = by_ordinal.get(ordinal)
        settled = True
        if pod is None:
            result.create.append(ordinal)
            if _stays_old(situation, ordinal):
                result.old_revision.add(ordinal)
            settled = False
        elif pods.is_terminal(pod):
            if not meta.is_deleting(pod):
                result.recreate.append(pod)
            # As upstream: whatever the policy, what has ended is replaced before anything else.
            return False
        else:
            if not meta.is_deleting(pod) and not has_identity(situation.stateful_set, pod, ordinal):
                result.adjust.append(pod)
            settled = _is_settled(situation, pod, result)
        if not settled:
            complete = False
            if not spec.parallel:
                return False
    # With Parallel, pods that are not ready hold nothing up.
    return complete or spec.parallel


def _stays_old(situation: Situation, ordinal: int) -> bool:
    """Whether a missing pod is made as it was: the rollout has not reached it."""
    spec = situation.spec
    return spec.rolling and ordinal < spec.start + spec.partition


def _is_settled(situation: Situation, pod: Object, result: Plan) -> bool:
    """Whether the pod is running, ready and has been so for long enough."""
    if meta.is_deleting(pod) or pods.phase(pod) != pods.RUNNING:
        return False
    wait = available_in(pod, situation.spec.min_ready_seconds, situation.now)
    if wait:
        result.again = wait if result.again is None else min(wait, result.again)
    return wait == timedelta()


def _remove(situation: Situation, surplus: Sequence[Object], others: Iterable[Object], result: Plan) -> bool:
    """Pods beyond the last ordinal end from the highest on. Whether the next steps may be thought of."""
    if situation.spec.parallel:
        result.condemned = [pod for pod in surplus if not meta.is_deleting(pod)]
        return True
    unhealthy = _first_unhealthy(situation, [*others, *reversed(surplus)], result)
    for pod in surplus:
        if meta.is_deleting(pod):
            return False
        if _is_settled(situation, pod, result) or pod is unhealthy:
            result.condemned.append(pod)
        # One at a time, and none while another that is to stay, or to go first, is not well.
        return False
    return True


def _first_unhealthy(situation: Situation, everybody: Iterable[Object], result: Plan) -> Object | None:
    return next((pod for pod in everybody if not _is_settled(situation, pod, result)), None)


def _update(situation: Situation, by_ordinal: dict[int, Object], result: Plan) -> None:
    """From the highest ordinal down to the partition, one pod at a time, each waited for."""
    spec = situation.spec
    if not spec.rolling:
        return
    created = set(result.create)
    for ordinal in reversed(spec.ordinals):
        if ordinal < spec.start + spec.partition:
            return
        pod = by_ordinal.get(ordinal)
        if pod is None or ordinal in created:
            return
        if revision_of(pod) != situation.update and not meta.is_deleting(pod):
            result.replace.append(pod)
            return
        if not _is_settled(situation, pod, result):
            return
