"""What the status of a trial says: its conditions, with upstream's types, reasons and messages. Pure.

Called by the reconciler, and by whoever ends a trial early. Each function takes a status and gives another one.

Source: kubeflow/katib 0.19 pkg/apis/controller/trials/v1beta1/util.go, pkg/controller.v1beta1/trial
(trial_controller_status.go, trial_controller_util.go).

Upstream says Running as soon as the run object is there. Here it turns False, with the reason, while that cannot start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.tuning.api import conditions
from sampan.components.tuning.api.conditions import (
    CREATED,
    EARLY_STOPPED,
    FAILED,
    KILLED,
    METRICS_UNAVAILABLE,
    RUNNING,
    SUCCEEDED,
)
from sampan.components.tuning.engine.trial.judging import RunState
from sampan.kube.meta import Object

ENDS = (SUCCEEDED, FAILED, KILLED, EARLY_STOPPED, METRICS_UNAVAILABLE)

TRIAL_CREATED, TRIAL_RUNNING, TRIAL_SUCCEEDED = "TrialCreated", "TrialRunning", "TrialSucceeded"
TRIAL_FAILED, TRIAL_EARLY_STOPPED = "TrialFailed", "TrialEarlyStopped"
_MESSAGE_LIMIT = 4096

Status = dict[str, Any]


def is_true(trial: Object, condition: str) -> bool:
    return conditions.holds(conditions.conditions_of(trial), condition)


def is_known(status: Mapping[str, Any], condition: str) -> bool:
    """Whether it says anything about that condition."""
    return conditions.find(conditions.conditions_of({"status": status}), condition) is not None


def ended_as(trial: Object) -> str:
    """The condition that has ended it; empty while none has."""
    return next((each for each in ENDS if is_true(trial, each)), "")


def created(status: Mapping[str, Any], now: str) -> Status:
    found = dict(status)
    found["startTime"] = found.get("startTime") or now
    return _with(found, CREATED, "True", TRIAL_CREATED, "Trial is created", now)


def running(status: Mapping[str, Any], note: str, now: str) -> Status:
    """`note` is what people should know about it all the same."""
    message = f"Trial is running: {note}" if note else "Trial is running"
    return _with(dict(status), RUNNING, "True", TRIAL_RUNNING, message, now)


def waiting(status: Mapping[str, Any], reason: str, message: str, now: str) -> Status:
    """It has not begun, or goes on no more, for that reason."""
    return _with(dict(status), RUNNING, "False", reason, message, now)


def succeeded(status: Mapping[str, Any], run: RunState, observation: Object, note: str, now: str) -> Status:
    message = _told("Trial has succeeded", run, note)
    return _ended(
        {**status, "observation": observation}, SUCCEEDED, _because(TRIAL_SUCCEEDED, run), message, now
    )


def unmeasured(
    status: Mapping[str, Any], run: RunState, observation: Object, problem: str, now: str
) -> Status:
    """The run has succeeded, and has left no value of the objective."""
    message = _told("Metrics are not available", run, problem)
    reason = _because(METRICS_UNAVAILABLE, run)
    return _ended({**status, "observation": observation}, METRICS_UNAVAILABLE, reason, message, now)


def failed(status: Mapping[str, Any], run: RunState, why: str, now: str) -> Status:
    """`why` is what its pods say beside what the run object does."""
    message = _told("Trial has failed", run, "")
    return _ended(
        dict(status), FAILED, _because(TRIAL_FAILED, run), f"{message}. {why}" if why else message, now
    )


def refused(status: Mapping[str, Any], message: str, now: str) -> Status:
    """It can never run as it is."""
    return _ended(dict(status), FAILED, TRIAL_FAILED, f"Trial has failed. {message}", now)


def stopped_early(status: Mapping[str, Any], why: str, now: str) -> Status:
    """Source: pkg/earlystopping/v1beta1/medianstop/service.py (SetTrialStatus)."""
    message = f"Trial is early stopped{f': {why}' if why else ''}"
    return _ended(dict(status), EARLY_STOPPED, TRIAL_EARLY_STOPPED, message, now)


def _because(reason: str, run: RunState) -> str:
    return f"{reason}. Job reason: {run.reason}" if run.reason else reason


def _told(message: str, run: RunState, more: str) -> str:
    said = f"{message}: {more}" if more else message
    return f"{said}. Job message: {run.message}" if run.message else said


def _ended(status: Status, condition: str, reason: str, message: str, now: str) -> Status:
    before = conditions.find(conditions.conditions_of({"status": status}), RUNNING)
    if before is not None and before.get("status") == "True":
        status = _with(status, RUNNING, "False", before.get("reason", ""), before.get("message", ""), now)
    return _with({**status, "completionTime": now}, condition, "True", reason, message, now)


def _with(status: Status, type_: str, value: str, reason: str, message: str, now: str) -> Status:
    said = message if len(message) <= _MESSAGE_LIMIT else f"{message[:_MESSAGE_LIMIT]} ..."
    found = conditions.conditions_of({"status": status})
    return {
        **status,
        "conditions": conditions.marked(found, type_, value, reason=reason, message=said, now=now),
    }
