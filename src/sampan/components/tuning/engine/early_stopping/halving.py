"""Asynchronous successive halving, and Hyperband's brackets of it: Optuna's pruners.

Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2 (ASHA); Li et al. 2018, Hyperband,
algorithm 1. Source: optuna 5.0 pruners/_successive_halving.py, _hyperband.py: what Optuna keeps with each trial, its
value at each rung, follows here from its curve.

Hyperband's brackets are drawn by the names of experiment and trial, as Optuna draws them by study and number.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import Curve, InvalidSettingsError, Problem
from sampan.components.tuning.engine.early_stopping.rivals import Everyone, Group, Rivals
from sampan.components.tuning.engine.early_stopping.settings import Settings
from sampan.components.tuning.engine.early_stopping.steps import said

_MOST_RATE = 64
"""The first rung is as many powers of the factor away: more steps than any trial has."""


@dataclass(frozen=True, slots=True)
class SuccessiveHalving:
    """Implements `api.suggesting.Pruner`."""

    min_resource: int | None = None
    """In steps. None: a hundredth of the steps of the first trial that finished."""
    reduction_factor: int = 4
    min_early_stopping_rate: int = 0
    bootstrap_count: int = 0

    def decide(self, problem: Problem, curve: Curve, others: Sequence[Curve]) -> str:
        return self.decide_among(problem, curve, Rivals.of(others), Everyone())

    def decide_among(self, problem: Problem, curve: Curve, rivals: Rivals, group: Group) -> str:
        """As `decide`, with competitors of that group only."""
        resource = self.min_resource or _first_finished(rivals, curve, lambda last: max(last // 100, 1))
        step = len(curve.values) - 1
        rung = None if resource is None else self._rung_at(step, resource)
        if rung is None:
            return ""
        value = curve.values[step]
        if math.isnan(value):
            return f"{problem.objective.metric} is no number at step {step}, rung {rung}"
        reached = rivals.at(step, group, curve.trial)
        competing = len(reached) + 1
        if competing <= self.bootstrap_count:
            return f"fewer than {self.bootstrap_count + 1} trials have reached rung {rung}, at step {step}"
        ahead = reached.above(value) if problem.objective.type == "maximize" else reached.below(value)
        # With fewer competitors than the factor, only the best of them goes on.
        if ahead <= max(competing // self.reduction_factor - 1, 0):
            return ""
        return (
            f"at step {step}, rung {rung}, its {problem.objective.metric} {said(value)} is not among the best "
            f"{max(competing // self.reduction_factor, 1)} of {competing} trials"
        )

    def _rung_at(self, step: int, resource: int) -> int | None:
        """The rung that is reached with this very step."""
        rung, due = 0, resource * self.reduction_factor**self.min_early_stopping_rate
        while due < step:
            rung, due = rung + 1, due * self.reduction_factor
        return rung if due == step else None


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Implements `api.suggesting.Pruner`."""

    min_resource: int = 1
    max_resource: int | None = None
    """In steps. None: those of the first trial that finished."""
    reduction_factor: int = 3
    bootstrap_count: int = 0

    def decide(self, problem: Problem, curve: Curve, others: Sequence[Curve]) -> str:
        rivals = Rivals.of(others)
        most = self.max_resource or _first_finished(rivals, curve, lambda last: last + 1)
        if most is None:
            return ""
        budgets = self.budgets(most)
        bracket = bracket_of(problem.name, curve.trial, budgets)
        halving = SuccessiveHalving(self.min_resource, self.reduction_factor, bracket, self.bootstrap_count)
        why = halving.decide_among(problem, curve, rivals, Bracket(problem.name, tuple(budgets), bracket))
        return f"in bracket {bracket}: {why}" if why else ""

    def budgets(self, most: int) -> list[int]:
        """The share of each bracket in the trials: n of the paper's algorithm 1, line 3."""
        count = int(math.log(max(most / self.min_resource, 1), self.reduction_factor)) + 1
        left = range(count - 1, -1, -1)
        return [math.ceil(count * self.reduction_factor**each / (each + 1)) for each in left]


@dataclass(frozen=True, slots=True)
class Bracket:
    """The trials of one bracket. Implements `rivals.Group`."""

    experiment: str
    budgets: tuple[int, ...]
    number: int

    def has(self, curve: Curve) -> bool:
        return bracket_of(self.experiment, curve.trial, self.budgets) == self.number


def bracket_of(experiment: str, trial: str, budgets: Sequence[int]) -> int:
    drawn = binascii.crc32(f"{experiment}_{trial}".encode()) % sum(budgets)
    for bracket, budget in enumerate(budgets):
        drawn -= budget
        if drawn < 0:
            return bracket
    raise AssertionError("the remainder is less than the sum of the budgets")


def _first_finished(rivals: Rivals, curve: Curve, resource: Callable[[int], int]) -> int | None:
    """From the last step of the first trial that succeeded."""
    first = rivals.first_finished(curve.trial)
    return None if first is None else resource(len(first.values) - 1)


def successive_halving(settings: Settings) -> SuccessiveHalving:
    """Raises InvalidSettingsError."""
    settings.only("min_resource", "reduction_factor", "min_early_stopping_rate", "bootstrap_count")
    made = SuccessiveHalving(
        settings.whole_or_auto("min_resource", None),
        settings.whole("reduction_factor", 4, 2),
        settings.whole("min_early_stopping_rate", 0, 0, _MOST_RATE),
        settings.whole("bootstrap_count", 0, 0),
    )
    if made.bootstrap_count and made.min_resource is None:
        raise InvalidSettingsError("bootstrap_count needs min_resource, a whole number of steps")
    return made


def hyperband(settings: Settings) -> Hyperband:
    """Raises InvalidSettingsError."""
    settings.only("min_resource", "max_resource", "reduction_factor", "bootstrap_count")
    made = Hyperband(
        settings.whole("min_resource", 1, 1),
        settings.whole_or_auto("max_resource", None),
        settings.whole("reduction_factor", 3, 2),
        settings.whole("bootstrap_count", 0, 0),
    )
    if made.max_resource is not None and made.max_resource < made.min_resource:
        raise InvalidSettingsError(
            f"max_resource must be at least min_resource, {made.min_resource}, not {made.max_resource}"
        )
    if made.bootstrap_count and made.max_resource is None:
        raise InvalidSettingsError("bootstrap_count needs max_resource, a whole number of steps")
    return made
