"""What a DaemonSet needs now, node by node. Pure.

Source: pkg/controller/daemon/{daemon_controller,update}.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sampan.client.protocol import Object
from sampan.cluster.workloads.daemonset.placement import REVISION, Verdict, node_of
from sampan.cluster.workloads.podcontrol import available_in
from sampan.kube import intstr, meta, pods


@dataclass(frozen=True, slots=True)
class Situation:
    daemon_set: Object
    verdicts: Mapping[str, Verdict]
    """By the node's name."""
    pods: Sequence[Object]
    revision: str
    """The hash of the template as it is now."""
    now: datetime

    @property
    def wanted(self) -> int:
        return sum(verdict.should_run for verdict in self.verdicts.values())

    def is_new(self, pod: Object) -> bool:
        return meta.labels(pod).get(REVISION) == self.revision

    def wait(self, pod: Object) -> timedelta | None:
        seconds = int(meta.spec(self.daemon_set).get("minReadySeconds") or 0)
        return available_in(pod, seconds, self.now)

    def is_available(self, pod: Object) -> bool:
        return not meta.is_deleting(pod) and self.wait(pod) == timedelta()


@dataclass(slots=True)
class Plan:
    create: list[str] = field(default_factory=list)
    """Names of nodes."""
    delete: list[Object] = field(default_factory=list)
    ended: list[Object] = field(default_factory=list)
    """Pods at their end: deleted too, and told about."""
    again: timedelta | None = None


def plan(situation: Situation) -> Plan:
    result = Plan()
    by_node = _by_node(situation)
    waits = [wait for pod in situation.pods if (wait := situation.wait(pod))]
    result.again = min(waits, default=None)
    for node, found in by_node.items():
        _manage(situation, node, found, result)
    for node, verdict in situation.verdicts.items():
        if verdict.should_run and node not in by_node:
            result.create.append(node)
    if _strategy(situation).get("type", "RollingUpdate") == "RollingUpdate" and not result.create:
        _roll(situation, by_node, result)
    return result


def _by_node(situation: Situation) -> dict[str, list[Object]]:
    result: dict[str, list[Object]] = {}
    for pod in situation.pods:
        result.setdefault(node_of(pod), []).append(pod)
    return result


def _manage(situation: Situation, node: str, found: Sequence[Object], result: Plan) -> None:
    """One pod on each node where it belongs, and none elsewhere."""
    verdict = situation.verdicts.get(node, Verdict(False, False))
    alive = [pod for pod in found if not meta.is_deleting(pod)]
    if not verdict.may_stay:
        result.delete += alive
        return
    ended = [pod for pod in alive if pods.is_terminal(pod)]
    result.ended += ended
    running = [pod for pod in alive if not pods.is_terminal(pod)]
    surge = _limits(situation)[1]
    for same in (
        [pod for pod in running if situation.is_new(pod)],
        [pod for pod in running if not situation.is_new(pod)],
    ):
        result.delete += sorted(same, key=_age)[1:]
    if not surge and len({situation.is_new(pod) for pod in running}) > 1:
        result.delete += [pod for pod in running if not situation.is_new(pod) and pod not in result.delete]


def _roll(situation: Situation, by_node: Mapping[str, Sequence[Object]], result: Plan) -> None:
    """Old pods make room for new ones, as many at a time as may be missing, or be too many."""
    unavailable_limit, surge = _limits(situation)
    going = {meta.uid(pod) for pod in (*result.delete, *result.ended)}
    missing, extra, candidates = 0, 0, []
    for node, verdict in situation.verdicts.items():
        if not verdict.should_run:
            continue
        found = [pod for pod in by_node.get(node, ()) if meta.uid(pod) not in going]
        new = next((pod for pod in found if situation.is_new(pod) and not meta.is_deleting(pod)), None)
        old = next((pod for pod in found if not situation.is_new(pod) and not meta.is_deleting(pod)), None)
        if new is not None and old is not None:
            extra += 1
            if situation.is_available(new):
                result.delete.append(old)
        elif old is None:
            missing += new is None or not situation.is_available(new)
        elif not situation.is_available(old) and not surge:
            # Missed by nobody: it goes whatever the limit.
            missing += 1
            result.delete.append(old)
        else:
            candidates.append((node, old))
    if surge:
        result.create += [node for node, _ in candidates[: max(surge - extra, 0)]]
    else:
        result.delete += [old for _, old in candidates[: max(unavailable_limit - missing, 0)]]


def _limits(situation: Situation) -> tuple[int, int]:
    """maxUnavailable and maxSurge as numbers."""
    rolling = _strategy(situation).get("rollingUpdate") or {}
    wanted = situation.wanted
    surge = intstr.scaled(rolling.get("maxSurge", 0), wanted, round_up=True)
    unavailable = intstr.scaled(rolling.get("maxUnavailable", 1), wanted, round_up=True)
    return (unavailable if unavailable or surge else 1), surge


def _strategy(situation: Situation) -> Object:
    return meta.spec(situation.daemon_set).get("updateStrategy") or {}


def _age(pod: Object) -> tuple[bool, str, str]:
    return not pods.node_name(pod), str(meta.metadata(pod).get("creationTimestamp") or ""), meta.name(pod)
