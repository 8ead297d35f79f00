"""An experiment, and a trial, in short: how it is and why, how far, and the best it has found. Pure.

For commands and pages. Status fields are upstream's: kubeflow/katib 0.19 pkg/apis/controller/experiments/v1beta1 and
pkg/apis/controller/trials/v1beta1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sampan.components.tuning.api import labels, reading
from sampan.components.tuning.api.ending import restarts
from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import Objective, Parameter
from sampan.kube import meta
from sampan.kube.meta import Object


class State(StrEnum):
    """Of an experiment: its latest condition that holds."""

    CREATED = "Created"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def is_finished(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED)


class TrialState(StrEnum):
    """Of a trial: its latest condition that holds; `Created` and none are both pending."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    EARLY_STOPPED = "EarlyStopped"
    FAILED = "Failed"
    KILLED = "Killed"
    METRICS_UNAVAILABLE = "MetricsUnavailable"

    @property
    def is_finished(self) -> bool:
        return self not in (TrialState.PENDING, TrialState.RUNNING)


COUNTS: Mapping[TrialState, str] = {
    TrialState.SUCCEEDED: "trialsSucceeded",
    TrialState.EARLY_STOPPED: "trialsEarlyStopped",
    TrialState.RUNNING: "trialsRunning",
    TrialState.PENDING: "trialsPending",
    TrialState.FAILED: "trialsFailed",
    TrialState.METRICS_UNAVAILABLE: "trialMetricsUnavailable",
    TrialState.KILLED: "trialsKilled",
}
"""The field of an experiment's status that counts trials of a state."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial so far, as the experiment's status has it."""

    trial: str
    assignments: Mapping[str, str]
    values: Mapping[str, str]
    """By metric, that which its strategy chooses."""


@dataclass(frozen=True, slots=True)
class Summary:
    """An experiment."""

    namespace: str
    name: str
    uid: str
    state: State
    reason: str
    message: str
    """What its condition says."""
    objective: Objective
    parameters: tuple[Parameter, ...]
    algorithm: str
    early_stopping: str
    trials: int
    counts: Mapping[TrialState, int]
    """Only states that some trial is in."""
    most_trials: int | None
    most_failed: int | None
    parallel: int
    resume_policy: str
    best: Best | None
    created: str
    started: str
    """RFC 3339; empty before."""
    ended: str
    is_nas: bool = False
    is_in_process: bool = False
    is_deleting: bool = False
    restarts: bool = False
    """Whether it has ended and will go on, for its budget has grown: whoever acts on it has not seen that yet."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and stays so."""
        return self.state.is_finished and not self.restarts

    @property
    def done(self) -> int:
        """Trials that have ended, however."""
        return sum(count for state, count in self.counts.items() if state.is_finished)

    @property
    def best_value(self) -> float | None:
        return number(self.best.values.get(self.objective.metric)) if self.best is not None else None


@dataclass(frozen=True, slots=True)
class TrialSummary:
    namespace: str
    name: str
    experiment: str
    state: TrialState
    reason: str
    message: str
    assignments: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict)
    """By metric, that which its strategy chooses; as it was written."""
    created: str = ""
    started: str = ""
    ended: str = ""


def summarise(experiment: Object) -> Summary:
    spec, status = meta.spec(experiment), meta.status(experiment)
    state = state_of(experiment)
    reason, message = said(experiment)
    objective = reading.objective_of(spec)
    counts = {each: _count(status.get(name)) for each, name in COUNTS.items()}
    return Summary(
        namespace=meta.namespace(experiment),
        name=meta.name(experiment),
        uid=meta.uid(experiment),
        state=state,
        reason=reason,
        message=message,
        objective=objective,
        parameters=reading.parameters_of(spec.get("parameters")),
        algorithm=_text(spec.get("algorithm"), "algorithmName"),
        early_stopping=_text(spec.get("earlyStopping"), "algorithmName"),
        trials=_count(status.get("trials")),
        counts={each: count for each, count in counts.items() if count},
        most_trials=_limit(spec.get("maxTrialCount")),
        most_failed=_limit(spec.get("maxFailedTrialCount")),
        parallel=_count(spec.get("parallelTrialCount")),
        resume_policy=str(spec.get("resumePolicy") or ""),
        best=_best(status.get("currentOptimalTrial"), objective),
        created=_created(experiment),
        started=str(status.get("startTime") or ""),
        ended=str(status.get("completionTime") or "") if state.is_finished else "",
        is_nas=isinstance(spec.get("nasConfig"), Mapping),
        is_in_process=meta.annotations(experiment).get(labels.TRIALS_IN) == "in-process",
        is_deleting=meta.is_deleting(experiment),
        restarts=restarts(experiment),
    )


def summarise_trial(trial: Object) -> TrialSummary:
    spec, status = meta.spec(trial), meta.status(trial)
    state = trial_state(reading.condition_of(trial))
    reason, message = said(trial) if state.is_finished else waits(trial) or said(trial)
    metrics = reading.metrics_of(status.get("observation"))
    return TrialSummary(
        namespace=meta.namespace(trial),
        name=meta.name(trial),
        experiment=meta.labels(trial).get(labels.EXPERIMENT, ""),
        state=state,
        reason=reason,
        message=message,
        assignments=reading.named_values(spec.get("parameterAssignments")),
        values=chosen(metrics, reading.objective_of(spec)),
        created=_created(trial),
        started=str(status.get("startTime") or ""),
        ended=str(status.get("completionTime") or ""),
    )


def state_of(experiment: Object) -> State:
    found = reading.condition_of(experiment)
    return State(found) if found in set(State) else State.CREATED


def trial_state(condition: str) -> TrialState:
    return TrialState(condition) if condition in set(TrialState) else TrialState.PENDING


def said(obj: Object) -> tuple[str, str]:
    """Reason and message of the latest condition that holds."""
    found = meta.status(obj).get("conditions")
    told = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    true = [each for each in told if each.get("status") == "True"]
    return (str(true[-1].get("reason") or ""), str(true[-1].get("message") or "")) if true else ("", "")


def waits(trial: Object) -> tuple[str, str] | None:
    """Why a trial that has not ended does not run: its condition `Running` is False, and says it."""
    found = meta.status(trial).get("conditions")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping) and each.get("type") == "Running" and each.get("status") == "False":
            return str(each.get("reason") or ""), str(each.get("message") or "")
    return None


def chosen(metrics: Mapping[str, Metric], objective: Objective) -> dict[str, str]:
    """Of each metric the value that counts."""
    return {name: reading.counted(objective, metric) for name, metric in metrics.items()}


def number(text: str | None) -> float | None:
    """None for what is no number that can be compared."""
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _best(found: Any, objective: Objective) -> Best | None:
    if not isinstance(found, Mapping) or not found.get("bestTrialName"):
        return None
    metrics = reading.metrics_of(found.get("observation"))
    assignments = reading.named_values(found.get("parameterAssignments"))
    return Best(str(found["bestTrialName"]), assignments, chosen(metrics, objective))


def _created(obj: Object) -> str:
    return str(meta.metadata(obj).get("creationTimestamp") or "")


def _count(found: Any) -> int:
    return found if isinstance(found, int) else 0


def _limit(found: Any) -> int | None:
    return found if isinstance(found, int) else None


def _text(found: Any, key: str) -> str:
    return str(found.get(key) or "") if isinstance(found, Mapping) else ""
