"""Median stopping: a trial is stopped whose best value so far is worse than others' averages.

Golovin et al. 2017, Google Vizier, section 3.2.2, as upstream has it: of each succeeded trial the average of its first
`start_step` values of the objective; what new trials are compared with is the *mean* of these averages, whatever the
name says. The comparison is made after `start_step` reports by whoever reads the metrics.
Source: kubeflow/katib 0.19 pkg/earlystopping/v1beta1/medianstop/service.py.

Values that are no numbers are left out of the average, where upstream's service fails.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.suggesting import InvalidSettingsError, Objective, Rule
from sampan.components.tuning.engine.early_stopping.settings import Settings

NAME = "medianstop"


@dataclass(frozen=True, slots=True)
class MedianStop:
    min_trials_required: int = 3
    start_step: int = 4


def median_stop(given: Mapping[str, str]) -> MedianStop:
    """Raises InvalidSettingsError, in upstream's words."""
    settings = Settings(NAME, given)
    for name in given:
        if name not in ("min_trials_required", "start_step"):
            raise InvalidSettingsError(f"unknown setting {name} for algorithm {NAME}")
    trials = settings.whole("min_trials_required", 3, -(2**63))
    start_step = settings.whole("start_step", 4, -(2**63))
    if trials <= 0:
        raise InvalidSettingsError("min_trials_required must be greater than zero (>0)")
    if start_step < 1:
        raise InvalidSettingsError("start_step must be greater or equal than one (>=1)")
    return MedianStop(trials, start_step)


def average(log: Sequence[MetricLog], start_step: int) -> float | None:
    """Of the first values of one metric of one trial. None if it has reported no number."""
    values = [value for value in map(number, log) if math.isfinite(value)][:start_step]
    return sum(values) / len(values) if values else None


def rules(algorithm: MedianStop, objective: Objective, averages: Sequence[float]) -> tuple[Rule, ...]:
    """For new trials, from those of the succeeded ones."""
    if not averages or len(averages) < algorithm.min_trials_required:
        return ()
    value = sum(averages) / len(averages)
    comparison = "less" if objective.type == "maximize" else "greater"
    return (Rule(objective.metric, str(value), comparison, algorithm.start_step),)


def number(log: MetricLog) -> float:
    """`nan` for what is none."""
    try:
        return float(log.value)
    except ValueError:
        return math.nan
