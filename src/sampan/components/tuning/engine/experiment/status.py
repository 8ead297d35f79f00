"""The status of an experiment: counts, lists, the best trial so far, its conditions, and what it waits for.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/util/status_util.go, experiment_controller.go. Beyond
upstream: the message of Running says what the experiment waits for, and the last one whether any trial has succeeded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.conditions import (
    CREATED,
    EARLY_STOPPED,
    FAILED,
    KILLED,
    METRICS_UNAVAILABLE,
    RESTARTING,
    RUNNING,
    SUCCEEDED,
    Conditions,
    conditions_of,
    find,
    holds,
    marked,
    without,
)
from sampan.components.tuning.api.ending import MAX_TRIALS_REASON, STOPPED_REASON, is_completed
from sampan.components.tuning.api.suggesting import Problem
from sampan.components.tuning.engine.experiment.tally import PENDING, Tally
from sampan.kube import meta
from sampan.kube.meta import Object

_CREATED_REASON = "ExperimentCreated"
_RUNNING_REASON = "ExperimentRunning"
_RESTARTING_REASON = "ExperimentRestarting"
_GOAL_REASON = "ExperimentGoalReached"
_END_REASON = "ExperimentSuggestionEndReached"
FAILED_REASON = "ExperimentFailed"
_RUNNING = "Experiment is running"
_COUNTS = {
    "trialsSucceeded": SUCCEEDED,
    "trialsFailed": FAILED,
    "trialsKilled": KILLED,
    "trialsPending": PENDING,
    "trialsRunning": RUNNING,
    "trialsEarlyStopped": EARLY_STOPPED,
    "trialMetricsUnavailable": METRICS_UNAVAILABLE,
}
_LISTS = {
    "runningTrialList": RUNNING,
    "pendingTrialList": PENDING,
    "failedTrialList": FAILED,
    "succeededTrialList": SUCCEEDED,
    "killedTrialList": KILLED,
    "earlyStoppedTrialList": EARLY_STOPPED,
    "metricsUnavailableTrialList": METRICS_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an experiment's conditions depend on besides its trials."""

    problem: Problem
    max_failed: int | None = None
    failure: str = ""
    """Why it cannot go on, whatever its trials do."""
    exhausted: bool = False
    """Whether the algorithm has no more to give, and all it gave became trials."""
    waiting_for: str = ""
    """Of the suggestion, or of the making of trials."""
    stopped: bool = False
    """Whether its user has ended it (`labels.STOP`)."""


def is_settled(experiment: Object) -> bool:
    """Whether it is completed, and so are all trials that it has counted: what becomes of those changes nothing."""
    status = meta.status(experiment)
    return is_completed(experiment) and not status.get("trialsRunning") and not status.get("trialsPending")


def restarted(experiment: Object, now: str) -> Object:
    """The status of one that goes on."""
    kept = {key: value for key, value in meta.status(experiment).items() if key != "completionTime"}
    conditions = without(conditions_of(experiment), SUCCEEDED, FAILED)
    message = "Experiment is restarted"
    kept["conditions"] = marked(
        conditions, RESTARTING, "True", reason=_RESTARTING_REASON, message=message, now=now
    )
    return kept


def held_up(experiment: Object, why: str, now: str) -> Object:
    """The status of one that cannot go on for now."""
    conditions = conditions_of(experiment)
    if not is_completed(experiment):
        conditions = marked(
            conditions, RUNNING, "True", reason=_RUNNING_REASON, message=f"{_RUNNING}: {why}", now=now
        )
    return {**meta.status(experiment), "conditions": conditions}


def summary(problem: Problem, tally: Tally) -> Object:
    """Counts, lists and the best trial."""
    found: Object = {}
    if len(tally):
        found["trials"] = len(tally)
    found |= {key: tally.count(state) for key, state in _COUNTS.items() if tally.count(state)}
    found |= {key: tally.names(state) for key, state in _LISTS.items() if tally.count(state)}
    best = tally.best(problem.objective)
    if best is not None:
        found["currentOptimalTrial"] = {
            "bestTrialName": best.record.name,
            "parameterAssignments": [
                {"name": name, "value": value} for name, value in best.record.assignments.items()
            ],
            "observation": {
                "metrics": [
                    {"name": each.name, "min": each.min, "max": each.max, "latest": each.latest}
                    for each in best.record.metrics.values()
                ]
            },
        }
    return found


def status_of(before: Mapping[str, Any], tally: Tally, around: Circumstances, now: str) -> Object:
    """`before`: the status so far, which counts by its conditions and times."""
    conditions, ends = conditions_after(before, tally, around, now)
    status: Object = {
        "startTime": before.get("startTime") or now,
        "conditions": conditions,
        **summary(around.problem, tally),
    }
    if ends or before.get("completionTime"):
        status["completionTime"] = now if ends else before["completionTime"]
    return status


def conditions_after(
    before: Mapping[str, Any], tally: Tally, around: Circumstances, now: str
) -> tuple[Conditions, bool]:
    """Those of `status_of`, without its lists, and whether the experiment ends with them."""
    conditions: Conditions = list(before.get("conditions") or ())
    if holds(conditions, SUCCEEDED) or holds(conditions, FAILED):
        return conditions, False
    if not holds(conditions, CREATED):
        conditions = marked(
            conditions,
            CREATED,
            "True",
            reason=_CREATED_REASON,
            message="Experiment is created",
            now=now,
        )
    end = end_of(tally, around)
    if end is None:
        message = _waiting(tally, around)
        conditions = marked(conditions, RUNNING, "True", reason=_RUNNING_REASON, message=message, now=now)
        return conditions, False
    type_, reason, message = end
    running = find(conditions, RUNNING)
    if running is not None:
        conditions = marked(conditions, RUNNING, "False", reason=_RUNNING_REASON, message=_RUNNING, now=now)
    return marked(conditions, type_, "True", reason=reason, message=message, now=now), True


def end_of(tally: Tally, around: Circumstances) -> tuple[str, str, str] | None:
    """Type, reason and message of the condition that ends it; None while it goes on."""
    if around.failure:
        return FAILED, FAILED_REASON, around.failure
    if _goal_reached(around.problem, tally):
        return SUCCEEDED, _GOAL_REASON, "Experiment has succeeded because Objective goal has reached"
    if around.stopped:
        message = "Experiment has ended because it was stopped"
        return SUCCEEDED, STOPPED_REASON, message + _without_a_best(tally, around)
    failed = tally.count(FAILED, METRICS_UNAVAILABLE)
    if around.max_failed is not None and failed and failed >= around.max_failed:
        message = "Experiment has failed because max failed count has reached"
        return FAILED, FAILED_REASON, message + _last_failure(tally)
    most = around.problem.max_trial_count
    if most is not None and tally.completed >= most:
        message = "Experiment has succeeded because max trial count has reached"
        return SUCCEEDED, MAX_TRIALS_REASON, message + _without_a_best(tally, around)
    if around.exhausted and tally.active == 0:
        message = "Experiment has succeeded because suggestion service has reached the end"
        return SUCCEEDED, _END_REASON, message + _without_a_best(tally, around)
    return None


def _goal_reached(problem: Problem, tally: Tally) -> bool:
    best = tally.best(problem.objective)
    goal = problem.objective.goal
    if goal is None or best is None or best.value is None:
        return False
    return best.value >= goal if problem.objective.type == "maximize" else best.value <= goal


def _waiting(tally: Tally, around: Circumstances) -> str:
    """The message of Running: upstream's, and what it waits for if it does."""
    found = [around.waiting_for] if around.waiting_for else []
    if tally.awaiting_metrics:
        found.append(f"waiting for the metrics of {_listed(tally.awaiting_metrics)}, stopped early")
    pending = tally.latest(PENDING) if not tally.count(RUNNING) else None
    if pending is not None and pending.message:
        found.append(f"no trial runs; {pending.record.name}: {pending.message}")
    if tally.completed and not tally.count(SUCCEEDED, EARLY_STOPPED):
        found.append(f"none of {tally.completed} trials that ended has succeeded" + _last_failure(tally))
    return ": ".join([_RUNNING, "; ".join(found)]) if found else _RUNNING


def _without_a_best(tally: Tally, around: Circumstances) -> str:
    if tally.best(around.problem.objective) is not None:
        return ""
    metric = around.problem.objective.metric
    return f"; there is no best trial, for none has reported a number for {metric!r}" + _last_failure(tally)


def _last_failure(tally: Tally) -> str:
    found = [each for each in (tally.latest(FAILED), tally.latest(METRICS_UNAVAILABLE)) if each is not None]
    if not found:
        return ""
    last = max(found, key=lambda each: (each.since, each.order))
    return f"; the last to fail was {last.record.name}" + (f": {last.message}" if last.message else "")


def _listed(names: Any) -> str:
    shown = ", ".join(list(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
