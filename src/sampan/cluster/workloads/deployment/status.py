"""The status of a Deployment and its conditions: Available, Progressing, ReplicaFailure. Pure.

Source: pkg/controller/deployment/{progress,sync}.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.deployment.plan import Situation, is_complete
from sampan.cluster.workloads.deployment.spec import counted, total
from sampan.kube import conditions, meta
from sampan.lib.clock import parse_rfc3339, rfc3339

AVAILABLE, PROGRESSING, REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"
NEW_SET_AVAILABLE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"


@dataclass(frozen=True, slots=True)
class News:
    """What happened in this reconcile that the Progressing condition tells."""

    status: str
    reason: str
    message: str


def status(situation: Situation, *, resting: bool, news: News | None = None) -> dict[str, Any]:
    """`resting`: paused or only scaled, so that no progress is looked for."""
    deployment, spec = situation.deployment, situation.spec
    before = meta.status(deployment)
    holder = {"status": deepcopy(before)}
    result: dict[str, Any] = holder["status"]
    everything = situation.everything
    available = counted(everything, "availableReplicas")
    counts = {
        "replicas": counted(everything, "replicas"),
        "updatedReplicas": counted([situation.new] if situation.new is not None else [], "replicas"),
        "readyReplicas": counted(everything, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(total(everything) - available, 0),
    }
    for key, value in counts.items():
        if value:
            result[key] = value
        else:
            result.pop(key, None)
    result["observedGeneration"] = meta.generation(deployment)
    now = rfc3339(situation.now)
    _pauses(holder, situation, now)
    if news is not None and spec.deadline_seconds is not None:
        _put(holder, PROGRESSING, news, now)
    _availability(holder, available >= spec.replicas - spec.max_unavailable, now)
    if not resting and not meta.is_deleting(deployment):
        _progress(holder, situation, counts, before, now)
        _failures(holder, situation, now)
    return result


def look_again(situation: Situation, stored: Mapping[str, Any]) -> timedelta | None:
    """When the deadline for progress passes, if there is something to wait for."""
    spec = situation.spec
    progressing = conditions.find({"status": stored}, PROGRESSING)
    if spec.deadline_seconds is None or progressing is None or situation.spec.paused:
        return None
    if progressing.get("reason") in (TIMED_OUT, NEW_SET_AVAILABLE) or is_complete(situation):
        return None
    left = _updated(progressing) + timedelta(seconds=spec.deadline_seconds) - situation.now
    # A second later: the deadline must have passed by then, and times are stored in seconds.
    return max(left, timedelta()) + timedelta(seconds=1)


def _availability(holder: Object, enough: bool, now: str) -> None:
    if enough:
        news = News("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        news = News("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    _put(holder, AVAILABLE, news, now)


def _pauses(holder: Object, situation: Situation, now: str) -> None:
    """The time of a pause does not count towards the deadline."""
    progressing = conditions.find(holder, PROGRESSING) or {}
    reason = progressing.get("reason")
    if situation.spec.deadline_seconds is None or reason == TIMED_OUT:
        return
    if situation.spec.paused and reason != PAUSED:
        _put(holder, PROGRESSING, News("Unknown", PAUSED, "Deployment is paused"), now)
    elif not situation.spec.paused and reason == PAUSED:
        _put(holder, PROGRESSING, News("Unknown", RESUMED, "Deployment is resumed"), now)


def _progress(
    holder: Object, situation: Situation, counts: dict[str, int], before: Mapping[str, Any], now: str
) -> None:
    spec, new = situation.spec, situation.new
    if spec.deadline_seconds is None:
        conditions.remove(holder, PROGRESSING)
        return
    current = conditions.find(holder, PROGRESSING)
    settled = counts["replicas"] == counts["updatedReplicas"]
    if settled and current is not None and current.get("reason") == NEW_SET_AVAILABLE:
        return
    kind, name = (
        ("Deployment", meta.name(situation.deployment)) if new is None else ("ReplicaSet", meta.name(new))
    )
    if is_complete(situation):
        message = f'{kind} "{name}" has successfully progressed.'
        _put(holder, PROGRESSING, News("True", NEW_SET_AVAILABLE, message), now)
    elif _has_progressed(counts, before):
        message = f'{kind} "{name}" is progressing.'
        _put(holder, PROGRESSING, News("True", "ReplicaSetUpdated", message), now, renew=True)
    elif current is not None and _is_late(current, situation):
        message = f'{kind} "{name}" has timed out progressing.'
        _put(holder, PROGRESSING, News("False", TIMED_OUT, message), now)


def _has_progressed(counts: dict[str, int], before: Mapping[str, Any]) -> bool:
    def had(key: str) -> int:
        return int(before.get(key) or 0)

    return (
        counts["updatedReplicas"] > had("updatedReplicas")
        or counts["replicas"] - counts["updatedReplicas"] < had("replicas") - had("updatedReplicas")
        or counts["readyReplicas"] > had("readyReplicas")
        or counts["availableReplicas"] > had("availableReplicas")
    )


def _is_late(current: Object, situation: Situation) -> bool:
    if current.get("reason") == NEW_SET_AVAILABLE:
        return False
    deadline = _updated(current) + timedelta(seconds=situation.spec.deadline_seconds or 0)
    return current.get("reason") == TIMED_OUT or deadline < situation.now


def _updated(condition: Object) -> datetime:
    return parse_rfc3339(str(condition.get("lastUpdateTime") or condition.get("lastTransitionTime")))


def _failures(holder: Object, situation: Situation, now: str) -> None:
    """What a ReplicaSet cannot do, the new one's first."""
    candidates = [*([situation.new] if situation.new is not None else []), *situation.old]
    found = next((each for each in candidates if conditions.is_true(each, REPLICA_FAILURE)), None)
    condition = conditions.find(found, REPLICA_FAILURE) if found is not None else None
    if condition is None:
        conditions.remove(holder, REPLICA_FAILURE)
    else:
        news = News("True", str(condition.get("reason", "")), str(condition.get("message", "")))
        _put(holder, REPLICA_FAILURE, news, now)


def _put(holder: Object, kind: str, news: News, now: str, *, renew: bool = False) -> None:
    """`lastUpdateTime` moves with the status and the reason; with `renew`, whenever it is said again."""
    current = conditions.find(holder, kind)
    if (
        current is not None
        and not renew
        and (current.get("status"), current.get("reason")) == (news.status, news.reason)
    ):
        return
    conditions.put(holder, kind, news.status, now=now, reason=news.reason, message=news.message)
    written = conditions.find(holder, kind)
    assert written is not None
    written["lastUpdateTime"] = now
    # The one that changed last stands last (SetDeploymentCondition).
    listed = holder["status"]["conditions"]
    holder["status"]["conditions"] = [*(each for each in listed if each is not written), written]
