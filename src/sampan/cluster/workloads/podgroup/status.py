"""The status of a PodGroup, of either kind. Pure.

Source: kubernetes-sigs/scheduler-plugins pkg/controllers/podgroup_controller.go, v0.32; volcano-sh/volcano
pkg/scheduler/framework/session.go (jobStatus), v1.12.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import conditions, meta, owners, pods

_OVER = ("Finished", "Failed")


def coscheduling(group: Object, members: Sequence[Object], now: str) -> dict[str, Any]:
    """Of scheduling.x-k8s.io. What has ended stays so."""
    status = dict(meta.status(group))
    phase, least = str(status.get("phase") or ""), int(meta.spec(group).get("minMember") or 0)
    if phase in _OVER:
        return status
    counts = _counts(members)
    if members:
        status |= counts
        status.setdefault("occupiedBy", _occupant(members[0]))
    after = _coscheduling_phase(counts, len(members), least)
    if after == "Scheduling" and phase != after:
        status["scheduleStartTime"] = now
    status["phase"] = after
    return {key: value for key, value in status.items() if value not in ("", None)}


def _coscheduling_phase(counts: dict[str, int], members: int, least: int) -> str:
    running, succeeded, failed = counts["running"], counts["succeeded"], counts["failed"]
    if members < least or not members:
        return "Pending"
    if succeeded >= least:
        return "Finished"
    if failed and failed + running + succeeded >= least:
        return "Failed"
    return "Running" if running + succeeded >= least else "Scheduling"


def volcano(group: Object, members: Sequence[Object], now: str) -> dict[str, Any]:
    """Of scheduling.volcano.sh."""
    least, counts = int(meta.spec(group).get("minMember") or 0), _counts(members)
    allocated = sum(1 for pod in members if pods.node_name(pod) and pods.phase(pod) != pods.FAILED)
    ended = counts["succeeded"] + counts["failed"]
    phase = "Inqueue" if members else "Pending"
    if members and allocated >= least:
        phase = "Completed" if ended == len(members) else "Running"
    elif counts["succeeded"] and ended == len(members):
        phase = "Completed"
    changed: Object = {"status": {**meta.status(group)}}
    held = changed["status"].get("conditions") or ()
    changed["status"]["conditions"] = [dict(each) for each in held]
    waiting = len(members) - allocated - counts["failed"]
    if members and allocated >= least:
        conditions.remove(changed, "Unschedulable")
        reason = "tasks in gang are ready to be scheduled"
        conditions.put(changed, "Scheduled", "True", now=now, reason=reason)
    elif members:
        conditions.remove(changed, "Scheduled")
        message = f"{waiting}/{len(members)} tasks in gang unschedulable: pod group is not ready, {least} minAvailable"
        conditions.put(
            changed, "Unschedulable", "True", now=now, reason="NotEnoughResources", message=message
        )
    status = {**changed["status"], "phase": phase, **{key: value for key, value in counts.items() if value}}
    for key, value in counts.items():
        if not value:
            status.pop(key, None)
    if not status["conditions"]:
        del status["conditions"]
    return status


def _counts(members: Sequence[Object]) -> dict[str, int]:
    phases = Counter(map(pods.phase, members))
    return {
        "running": phases[pods.RUNNING],
        "succeeded": phases[pods.SUCCEEDED],
        "failed": phases[pods.FAILED],
    }


def _occupant(pod: Object) -> str:
    controller = owners.controller_of(pod)
    return f"{meta.namespace(pod)}/{controller.get('name')}" if controller else ""
