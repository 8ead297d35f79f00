"""Stopping by a trial's own curve, or by the best trial's: Optuna's threshold, patient and Wilcoxon pruners.

Source: optuna 5.0 pruners/_threshold.py, _patient.py, _wilcoxon.py. The same decisions, from the same settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import Curve, InvalidSettingsError, Problem, Pruner
from sampan.components.tuning.engine.early_stopping.rivals import Rivals
from sampan.components.tuning.engine.early_stopping.settings import Settings
from sampan.components.tuning.engine.early_stopping.signed_rank import p_value
from sampan.components.tuning.engine.early_stopping.steps import best, is_better, is_due, said


@dataclass(frozen=True, slots=True)
class Threshold:
    """Implements `api.suggesting.Pruner`."""

    lower: float = -math.inf
    upper: float = math.inf
    n_warmup_steps: int = 0
    interval_steps: int = 1

    def decide(self, problem: Problem, curve: Curve, others: Sequence[Curve]) -> str:
        step = len(curve.values) - 1
        if not is_due(step, self.n_warmup_steps, self.interval_steps):
            return ""
        value, name = curve.values[step], problem.objective.metric
        if math.isnan(value):
            return f"{name} is no number at step {step}"
        if value < self.lower:
            return f"{name} is {said(value)} at step {step}, less than {said(self.lower)}"
        if value > self.upper:
            return f"{name} is {said(value)} at step {step}, greater than {said(self.upper)}"
        return ""


@dataclass(frozen=True, slots=True)
class Patient:
    """Implements `api.suggesting.Pruner`."""

    patience: int
    min_delta: float = 0.0
    wrapped: Pruner | None = None
    """Asked once patience is over; None stops the trial then."""

    def decide(self, problem: Problem, curve: Curve, others: Sequence[Curve]) -> str:
        values, direction = curve.values, problem.objective.type
        if len(values) <= self.patience + 1:
            return ""
        before = best(values[: -self.patience - 1], direction)
        after = best(values[-self.patience - 1 :], direction)
        delta = -self.min_delta if direction == "maximize" else self.min_delta
        if not is_better(before + delta, after, direction):
            return ""
        if self.wrapped is not None:
            return self.wrapped.decide(problem, curve, others)
        return (
            f"{problem.objective.metric} has not become better than {said(before)} in the last "
            f"{self.patience + 1} steps"
        )


@dataclass(frozen=True, slots=True)
class Wilcoxon:
    """Implements `api.suggesting.Pruner`. The values at steps are of one kind, such as scores of one fold each."""

    p_threshold: float = 0.1
    n_startup_steps: int = 2

    def decide(self, problem: Problem, curve: Curve, others: Sequence[Curve]) -> str:
        direction = problem.objective.type
        # By the average of its values, which is what a trial whose values are of one kind comes to.
        rival = Rivals.of(others).best_finished(curve.trial, direction)
        if rival is None or not all(map(math.isfinite, [*curve.values, *rival.values])):
            return ""
        pairs = list(zip(curve.values, rival.values, strict=False))
        if len(pairs) < max(2, self.n_startup_steps):
            return ""
        sign = -1.0 if direction == "maximize" else 1.0
        found = p_value([sign * (value - other) for value, other in pairs])
        # A trial whose average is the better one is never stopped, however its steps compare.
        own, theirs = _mean(curve.values), _mean(rival.values)
        if found >= self.p_threshold or not is_better(theirs, own, direction):
            return ""
        return (
            f"at step {len(curve.values) - 1} it is worse than the best trial, {rival.trial}, with a p-value of "
            f"{found:.3g}"
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def threshold(settings: Settings) -> Threshold:
    """Raises InvalidSettingsError."""
    settings.only("lower", "upper", "n_warmup_steps", "interval_steps")
    lower, upper = settings.real_or_none("lower"), settings.real_or_none("upper")
    if lower is None and upper is None:
        raise InvalidSettingsError("lower or upper must be set, or both")
    made = Threshold(
        -math.inf if lower is None else lower,
        math.inf if upper is None else upper,
        settings.whole("n_warmup_steps", 0, 0),
        settings.whole("interval_steps", 1, 1),
    )
    if made.lower > made.upper:
        raise InvalidSettingsError(f"lower must be at most upper, {made.upper:g}, not {made.lower:g}")
    return made


def patient(settings: Settings, wrapped: Pruner | None) -> Patient:
    """Raises InvalidSettingsError."""
    return Patient(settings.whole("patience", 5, 0), settings.real("min_delta", 0.0, 0.0), wrapped)


def wilcoxon(settings: Settings) -> Wilcoxon:
    """Raises InvalidSettingsError."""
    settings.only("p_threshold", "n_startup_steps")
    return Wilcoxon(settings.real("p_threshold", 0.1, 0.0, 1.0), settings.whole("n_startup_steps", 2, 0))
