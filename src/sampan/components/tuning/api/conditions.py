"""Conditions of experiments, suggestions and trials: the latest stands last, as upstream's clients and columns read it.

Source: kubeflow/katib 0.19 pkg/apis/controller/{experiments,suggestions,trials}/v1beta1/util.go (setCondition). Beyond
upstream, whose messages stay what they were when only they change: a message is kept current, in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.kube.meta import Object

Conditions = Sequence[Object]

CREATED = "Created"
RUNNING = "Running"
RESTARTING = "Restarting"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
KILLED = "Killed"
METRICS_UNAVAILABLE = "MetricsUnavailable"
EARLY_STOPPED = "EarlyStopped"
DEPLOYMENT_READY = "DeploymentReady"


def conditions_of(obj: Mapping[str, Any]) -> list[Object]:
    """Those that are conditions; the list is the caller's, they are not."""
    status = obj.get("status")
    found = status.get("conditions") if isinstance(status, (dict, Mapping)) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def find(conditions: Conditions, type_: str) -> Object | None:
    return next((each for each in conditions if each.get("type") == type_), None)


def holds(conditions: Conditions, type_: str) -> bool:
    found = find(conditions, type_)
    return found is not None and found.get("status") == "True"


def marked(
    conditions: Conditions, type_: str, status: str, *, reason: str, message: str, now: str
) -> list[Object]:
    """The list with that condition, `now` in RFC 3339. A new status or reason makes it the latest."""
    current = find(conditions, type_)
    wanted = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
    }
    if current is None:
        return [*conditions, wanted]
    if current.get("status") == status:
        wanted["lastTransitionTime"] = current.get("lastTransitionTime") or now
        if current.get("reason") == reason:
            if current.get("message") == message:
                return list(conditions)
            return [wanted if each is current else each for each in conditions]
    return [*(each for each in conditions if each is not current), wanted]


def without(conditions: Conditions, *types: str) -> list[Object]:
    return [each for each in conditions if each.get("type") not in types]
