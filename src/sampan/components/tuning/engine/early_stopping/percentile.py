"""Stopping what is worse than a share of the finished trials at the same step: Optuna's median and percentile pruners.

Source: optuna 5.0 pruners/_percentile.py, _median.py. The same decisions, from the same settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import Curve, Problem
from sampan.components.tuning.engine.early_stopping.rivals import Finished, Reached, Rivals
from sampan.components.tuning.engine.early_stopping.settings import Settings
from sampan.components.tuning.engine.early_stopping.steps import best, is_better, is_due, said

_STEPS = ("n_startup_trials", "n_warmup_steps", "interval_steps", "n_min_trials")


@dataclass(frozen=True, slots=True)
class Percentile:
    """Implements `api.suggesting.Pruner`."""

    percentile: float
    n_startup_trials: int = 5
    n_warmup_steps: int = 0
    interval_steps: int = 1
    n_min_trials: int = 1

    def decide(self, problem: Problem, curve: Curve, others: Sequence[Curve]) -> str:
        step = len(curve.values) - 1
        rivals = Rivals.of(others)
        finished = rivals.finished(curve.trial)
        if not finished or finished < self.n_startup_trials:
            return ""
        if not is_due(step, self.n_warmup_steps, self.interval_steps):
            return ""
        found = best(curve.values, problem.objective.type)
        if math.isnan(found):
            return f"{problem.objective.metric} has been no number so far, at step {step}"
        reached = rivals.at(step, Finished(), curve.trial)
        if reached.count < self.n_min_trials:
            return ""
        bound = self._bound(reached, problem.objective.type)
        if math.isnan(bound) or not is_better(bound, found, problem.objective.type):
            return ""
        return (
            f"at step {step} the best {problem.objective.metric} so far, {said(found)}, is worse than {said(bound)}, "
            f"which {self.percentile:g}% of {reached.count} finished trials have reached"
        )

    def _bound(self, values: Reached, direction: str) -> float:
        share = 100 - self.percentile if direction == "maximize" else self.percentile
        if not len(values):
            return math.nan
        # Between the two values that the share falls between, in proportion.
        place = share / 100 * (len(values) - 1)
        low, part = int(place), place - int(place)
        return values[low] if part == 0 else values[low] * (1 - part) + values[low + 1] * part


def median(settings: Settings) -> Percentile:
    """Raises InvalidSettingsError."""
    settings.only(*_STEPS)
    return _percentile(settings, 50.0)


def percentile(settings: Settings) -> Percentile:
    """Raises InvalidSettingsError."""
    settings.only("percentile", *_STEPS)
    return _percentile(settings, settings.real("percentile", 25.0, 0.0, 100.0))


def _percentile(settings: Settings, share: float) -> Percentile:
    return Percentile(
        share,
        n_startup_trials=settings.whole("n_startup_trials", 5, 0),
        n_warmup_steps=settings.whole("n_warmup_steps", 0, 0),
        interval_steps=settings.whole("interval_steps", 1, 1),
        n_min_trials=settings.whole("n_min_trials", 1, 1),
    )
