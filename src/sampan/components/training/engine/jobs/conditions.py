"""The conditions of a job, and how one drives another out.

Running and Restarting replace each other. At the end they turn False. Once a job has Failed or Succeeded nothing
changes any more. Upstream stops at Failed alone, and lets a job that has succeeded fail as well; see decision 38.

Source: kubeflow/training-operator v1.9.0 pkg/util/status.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CREATED, RUNNING, RESTARTING = "Created", "Running", "Restarting"
SUSPENDED, SUCCEEDED, FAILED = "Suspended", "Succeeded", "Failed"

RESUMED = "Resumed"
FAILED_VALIDATION = "FailedValidation"
"""Reasons that are no types."""

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One condition to be set. `reason` without the kind: `Running` becomes PyTorchJobRunning."""

    type: str
    reason: str
    message: str
    status: str = "True"
    is_warning: bool = False
    """Of the event that tells of it."""
    is_told: bool = False
    """Whether an event tells of it, the first time."""


def holds(status: Mapping[str, Any], type_: str) -> bool:
    return any(
        each.get("type") == type_ and each.get("status") == "True"
        for each in status.get("conditions") or ()
        if isinstance(each, Mapping)
    )


def is_finished(status: Mapping[str, Any]) -> bool:
    return holds(status, SUCCEEDED) or holds(status, FAILED)


def find(status: Mapping[str, Any], type_: str) -> Mapping[str, Any] | None:
    return next(
        (
            each
            for each in status.get("conditions") or ()
            if isinstance(each, Mapping) and each.get("type") == type_
        ),
        None,
    )


def put(status: Status, kind: str, change: Change, now: str) -> bool:
    """Sets the condition in place, at the time `now` (RFC 3339). Whether anything changed."""
    if is_finished(status):
        return False
    reason = f"{kind}{change.reason}"
    current = find(status, change.type)
    if current is not None and current.get("status") == change.status and current.get("reason") == reason:
        return False
    since = now
    if current is not None and current.get("status") == change.status:
        since = str(current.get("lastTransitionTime") or now)
    wanted = {
        "type": change.type,
        "status": change.status,
        "reason": reason,
        "message": change.message,
        "lastUpdateTime": now,
        "lastTransitionTime": since,
    }
    status["conditions"] = [*_others(status, change.type, now), wanted]
    return True


def reword(status: Status, type_: str, message: str, now: str) -> bool:
    """Another message for a condition that is there, where it stands. Whether anything changed."""
    current = find(status, type_)
    if current is None or current.get("message") == message or is_finished(status):
        return False
    changed = {**current, "message": message, "lastUpdateTime": now}
    status["conditions"] = [changed if each is current else each for each in status["conditions"]]
    return True


def _others(status: Status, type_: str, now: str) -> list[Mapping[str, Any]]:
    gone = {type_, *({RUNNING: (RESTARTING,), RESTARTING: (RUNNING,)}.get(type_, ()))}
    kept = [
        each
        for each in status.get("conditions") or ()
        if isinstance(each, Mapping) and each.get("type") not in gone
    ]
    if type_ not in (FAILED, SUCCEEDED):
        return kept
    return [
        {**each, "status": "False", "lastUpdateTime": now, "lastTransitionTime": now}
        if each.get("type") in (RUNNING, RESTARTING) and each.get("status") == "True"
        else each
        for each in kept
    ]
