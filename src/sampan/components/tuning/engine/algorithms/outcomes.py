"""What a trial came to, as algorithms count it.

Upstream's services hear one value for each metric, chosen by the metric's strategy, and take trials that succeeded or
were stopped early (kubeflow/katib 0.19 pkg/controller.v1beta1/suggestion/suggestionclient/suggestionclient.go,
pkg/suggestion/v1beta1/internal/trial.py). A value that is no finite number counts as none.
"""

from __future__ import annotations

import math

from sampan.components.tuning.api.suggesting import Objective, TrialRecord

COUNTED = frozenset({"Succeeded", "EarlyStopped"})
"""Conditions in which a trial's metrics are final."""
ENDED = COUNTED | frozenset({"Failed", "Killed", "MetricsUnavailable"})


def number(text: str) -> float | None:
    """None unless finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def metric_of(objective: Objective, trial: TrialRecord, name: str) -> float | None:
    """The value of a metric that counts, whatever the trial's condition; None where it has none that is a number."""
    found = trial.metrics.get(name)
    if found is None:
        return None
    default = {"minimize": "min", "maximize": "max"}.get(objective.type, "latest")
    strategy = objective.strategies.get(name, default)
    return number({"min": found.min, "max": found.max}.get(strategy, found.latest))


def value_of(objective: Objective, trial: TrialRecord) -> float | None:
    """The objective's value of a trial that ended with one; None for any other."""
    return metric_of(objective, trial, objective.metric) if trial.condition in COUNTED else None


def is_pending(trial: TrialRecord) -> bool:
    """Whether its outcome is still to come."""
    return trial.condition not in ENDED
