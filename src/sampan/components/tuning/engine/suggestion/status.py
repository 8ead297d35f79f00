"""The conditions of a Suggestion.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/suggestion/suggestion_controller.go,
pkg/apis/controller/suggestions/v1beta1/util.go. Beyond upstream: Running says by its reason when the algorithm waits,
has come to its end, or cannot be asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from sampan.components.tuning.api.conditions import (
    CREATED,
    DEPLOYMENT_READY,
    FAILED,
    RUNNING,
    SUCCEEDED,
    Conditions,
    conditions_of,
    find,
    holds,
    marked,
    without,
)
from sampan.kube.meta import Object

_RUNNING_REASON = "SuggestionRunning"
WAITING_REASON = "SuggestionWaiting"
END_REASON = "SuggestionEndReached"
NOT_ANSWERING_REASON = "SuggestionServiceNotAnswering"
_RESTART_REASON = "Experiment is restarting"
_READY_REASON, _NOT_READY_REASON = "DeploymentReady", "DeploymentNotReady"
_FAILED_REASON = "SuggestionFailed"
_SUCCEEDED_REASON = "Suggestion is succeeded"


@dataclass(frozen=True, slots=True)
class Said:
    """What its conditions say to the experiment."""

    failure: str = ""
    exhausted: bool = False
    waiting_for: str = ""


def said_by(suggestion: Object | None) -> Said:
    conditions = conditions_of(suggestion or {})
    failed, running = find(conditions, FAILED) or {}, find(conditions, RUNNING) or {}
    ready = find(conditions, DEPLOYMENT_READY) or {}
    if failed.get("status") == "True":
        return Said(failure=str(failed.get("message") or ""))
    if running.get("reason") == END_REASON:
        return Said(exhausted=True)
    if running.get("reason") in (WAITING_REASON, NOT_ANSWERING_REASON):
        return Said(waiting_for=str(running.get("message") or ""))
    if ready.get("status") == "False":
        return Said(waiting_for=str(ready.get("message") or ""))
    return Said()


def is_over(suggestion: Object) -> bool:
    return holds(conditions_of(suggestion), SUCCEEDED)


def has_failed(suggestion: Object) -> bool:
    return holds(conditions_of(suggestion), FAILED)


def is_validated(suggestion: Object) -> bool:
    """Whether the algorithm has agreed to the experiment."""
    return holds(conditions_of(suggestion), RUNNING)


def is_restarting(suggestion: Object) -> bool:
    found = find(conditions_of(suggestion), RUNNING) or {}
    return found.get("status") == "False" and found.get("reason") == _RESTART_REASON


def created(conditions: Conditions, now: str) -> list[Object]:
    if holds(conditions, CREATED):
        return list(conditions)
    return marked(
        conditions, CREATED, "True", reason="SuggestionCreated", message="Suggestion is created", now=now
    )


def ready(conditions: Conditions, now: str, *, message: str = "Deployment is ready") -> list[Object]:
    return marked(conditions, DEPLOYMENT_READY, "True", reason=_READY_REASON, message=message, now=now)


def not_ready(conditions: Conditions, now: str, why: str) -> list[Object]:
    message = f"Deployment is not ready: {why}" if why else "Deployment is not ready"
    return marked(conditions, DEPLOYMENT_READY, "False", reason=_NOT_READY_REASON, message=message, now=now)


def running(conditions: Conditions, now: str) -> list[Object]:
    return _running(conditions, now, _RUNNING_REASON, "Suggestion is running")


def waiting(conditions: Conditions, now: str, what_for: str) -> list[Object]:
    return _running(conditions, now, WAITING_REASON, what_for)


def at_the_end(conditions: Conditions, now: str) -> list[Object]:
    return _running(
        conditions, now, END_REASON, "Suggestion is running: the algorithm has no more to suggest"
    )


def not_answering(conditions: Conditions, now: str, why: str) -> list[Object]:
    return marked(conditions, RUNNING, "False", reason=NOT_ANSWERING_REASON, message=why, now=now)


def without_experiment(conditions: Conditions, now: str) -> list[Object]:
    """Of one that somebody has made by hand. Upstream's tries for ever to read its experiment."""
    message = (
        "Suggestion is not running: it belongs to no Experiment, and those make their suggestions themselves"
    )
    return marked(conditions, RUNNING, "False", reason=WAITING_REASON, message=message, now=now)


def restarting(conditions: Conditions, now: str) -> list[Object]:
    kept = without(conditions, SUCCEEDED)
    return marked(
        kept, RUNNING, "False", reason=_RESTART_REASON, message="Suggestion is not running", now=now
    )


def failed(conditions: Conditions, now: str, why: str) -> list[Object]:
    held = find(conditions, RUNNING)
    if held is not None:
        reason, message = str(held.get("reason") or ""), str(held.get("message") or "")
        conditions = marked(conditions, RUNNING, "False", reason=reason, message=message, now=now)
    return marked(conditions, FAILED, "True", reason=_FAILED_REASON, message=why, now=now)


def succeeded(conditions: Conditions, now: str, *, has_volume: bool) -> list[Object]:
    """Of a suggestion whose experiment is over, and which is kept for no other."""
    for type_, message in (
        (RUNNING, "Suggestion is not running"),
        (DEPLOYMENT_READY, "Deployment is not ready"),
    ):
        if find(conditions, type_) is not None:
            conditions = marked(
                conditions, type_, "False", reason=_SUCCEEDED_REASON, message=message, now=now
            )
    kept = "suggestion volume is not deleted, can be restarted" if has_volume else "can't be restarted"
    return marked(
        conditions,
        SUCCEEDED,
        "True",
        reason="Experiment is succeeded",
        message=f"Suggestion is succeeded, {kept}",
        now=now,
    )


def _running(conditions: Conditions, now: str, reason: str, message: str) -> list[Object]:
    return marked(without(conditions, SUCCEEDED), RUNNING, "True", reason=reason, message=message, now=now)
