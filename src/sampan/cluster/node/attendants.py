"""Containers that attend others: those without a process of their own, those that end after the others, and the end
of a pod that somebody calls complete. Pure; called by `pod_sync` and `decisions`.

The work of an attendant is done elsewhere, such as in the server that reads what its pod prints; in the pod's spec, its
status and its logs it is a container like any other.
"""

from __future__ import annotations

from dataclasses import replace

from sampan.client.protocol import Object
from sampan.cluster.node import decisions
from sampan.cluster.node.records import ContainerRecord, Terminated, ended, started
from sampan.cluster.node.runtimes.protocol import Exit
from sampan.cluster.node.status import PodState
from sampan.kube import meta, pods


def turn(state: PodState, pod: Object, now: str, monotonic: float, *, stopping: bool) -> bool:
    """Attendants begin once another container has, and end once all others have. Whether one did."""
    waiting = [each for each in state.records.values() if each.is_attendant and each.end is None]
    if not waiting:
        return False
    others = [each for each in state.records.values() if not each.is_attendant]
    busy = any(each.is_running or each.is_starting for each in others)
    if not busy and (stopping or decisions.is_settled(state.policy, others)):
        for record in waiting:
            _begin(record, pod, now, monotonic)
            ended(record, Exit(0, _since(record, pod, now), now), monotonic)
        return True
    if not any(each.has_run and each.is_main for each in others):
        return False
    begun = [_begin(record, pod, now, monotonic) for record in waiting]
    return any(begun)


def _begin(record: ContainerRecord, pod: Object, now: str, monotonic: float) -> bool:
    if record.is_running:
        return False
    started(record, 0, _since(record, pod, now), monotonic)
    record.is_started = record.is_ready = True
    return True


def _since(record: ContainerRecord, pod: Object, now: str) -> str:
    """Before a restart of the server, too."""
    state = (pods.container_status(pod, record.name) or {}).get("state") or {}
    return str((state.get("running") or {}).get("startedAt") or now)


def completes(pod: Object) -> bool:
    """Whether it is to end, and to have succeeded."""
    return pods.COMPLETED in meta.annotations(pod)


def as_completed(end: Exit) -> Exit:
    """How a container of such a pod has ended."""
    return end if end.exit_code == 0 else replace(end, exit_code=0, signal=0, reason="Completed")


def complete(state: PodState) -> list[ContainerRecord]:
    """Nothing is begun again; the containers that are to be stopped. Ends that were written down before count so
    too."""
    state.policy = "Never"
    for record in state.records.values():
        if isinstance(record.state, Terminated):
            record.state = Terminated(as_completed(record.state.exit))
    return [each for each in state.records.values() if each.is_running and not each.is_attendant]
