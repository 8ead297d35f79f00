"""Why a trial does not begin, does not go on, or has failed: what its run object and its pods say. Pure.

Called by the reconciler of trials, for its conditions. Upstream says that a trial runs as soon as its run
object is there (katib#2163: stuck, and no word why).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sampan.kube import meta, pods
from sampan.kube.meta import Object
from sampan.kube.troubles import summary, troubles_of
from sampan.lib.clock import parse_rfc3339

SUSPENDED, NO_PODS, UNJUDGED = "Suspended", "NoPods", "NoConditionHolds"
_ENDS = frozenset(("Complete", "Completed", "Succeeded", "Failed", "Error"))
"""Types of conditions, and phases, of what has ended."""
_SAID = 300
"""Characters of what a container left as its message."""
_ENDED_SECONDS = 30.0
"""After the end of the last pod of what says nothing of its own end: another may come, as after a failure."""


@dataclass(frozen=True, slots=True)
class Wait:
    reason: str
    """One word, as reasons of conditions are."""
    message: str


def why_waiting(run: Object, found: Sequence[Object]) -> Wait | None:
    """Of a run object that is there and has not ended, with its pods; None where nothing says that it waits."""
    if _is_suspended(run):
        return Wait(SUSPENDED, f"{_named(run)} is suspended")
    active = [pod for pod in found if not pods.is_terminal(pod) and not meta.is_deleting(pod)]
    if any(pods.phase(pod) == pods.RUNNING for pod in active):
        return None
    waiting = [each for each in troubles_of(active) if each.is_waiting]
    if waiting:
        return Wait(waiting[0].reason, summary(waiting, len(found)))
    return None


def why_unjudged(run: Object, found: Sequence[Object], now: datetime) -> Wait | None:
    """Of a run that is over, as far as anybody can see, and of which neither condition of the trial holds: it would
    run for ever. Upstream's does."""
    if any(not pods.is_terminal(pod) for pod in found):
        return None
    said = _end_of(run)
    if not said:
        ends = [_ended_at(pod) for pod in found]
        times = [each for each in ends if each is not None]
        if not ends or len(times) < len(ends) or (now - max(times)).total_seconds() < _ENDED_SECONDS:
            return None
        said = "all of its pods have ended"
    neither = "neither spec.successCondition nor spec.failureCondition finds anything in it"
    how = "write them for what its status says, in a new experiment"
    return Wait(UNJUDGED, f"{_named(run)} has ended ({said}), but {neither}: {how}")


def _end_of(run: Object) -> str:
    """What its status says of its end; empty where that says none."""
    status = meta.status(run)
    found = status.get("conditions")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and each.get("status") == "True" and each.get("type") in _ENDS:
            return f"{each['type']} is True"
    phase = status.get("phase")
    return f"phase {phase}" if isinstance(phase, str) and phase in _ENDS else ""


def _ended_at(pod: Object) -> datetime | None:
    """When the last of its containers ended."""
    found = []
    for each in meta.status(pod).get("containerStatuses") or ():
        ended = (each.get("state") or {}).get("terminated") or {}
        try:
            found.append(parse_rfc3339(str(ended.get("finishedAt") or "")))
        except ValueError:
            return None
    return max(found, default=None)


def why_failed(found: Sequence[Object]) -> str:
    """Which container of its pods failed last, and how; empty where none did."""
    failed = [
        (str(ended.get("finishedAt") or ""), meta.name(pod), str(each.get("name")), ended)
        for pod in found
        for each in pods.container_statuses(pod)
        if (ended := (each.get("state") or {}).get("terminated") or {}).get("exitCode")
        and each.get("name") not in pods.named_in(pod, pods.ATTENDANTS)
    ]
    if not failed:
        return ""
    last = max(failed, key=lambda each: each[:2])[1]
    # Others of that pod may have been ended because of its first.
    _, pod, name, ended = min((each for each in failed if each[1] == last), key=lambda each: each[0])
    said = f"container {name} of pod {pod} ended with exit code {ended['exitCode']}"
    why = ", ".join(filter(None, (_unless_usual(ended), str(ended.get("message") or "").strip()[:_SAID])))
    return f"{said}: {why}" if why else said


def _unless_usual(ended: dict[str, Any]) -> str:
    reason = str(ended.get("reason") or "")
    return "" if reason == "Error" else reason


def has_begun(found: Sequence[Object]) -> bool:
    return any(pods.phase(pod) != pods.PENDING for pod in found)


def no_pods(run: Object, warning: str) -> Wait:
    """`warning` is what an Event of the run object says."""
    return Wait(NO_PODS, f"{_named(run)} has no pods: {warning}")


def _is_suspended(run: Object) -> bool:
    spec: dict[str, Any] = meta.spec(run)
    policy = spec.get("runPolicy")
    return spec.get("suspend") is True or (isinstance(policy, dict) and policy.get("suspend") is True)


def _named(run: Object) -> str:
    return f"{run.get('kind')} {meta.name(run)}"
