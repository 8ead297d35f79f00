"""Asking Optuna's samplers about an experiment: its trials become a study, a sampler's numbers become assignments.

Called by every algorithm that is one of Optuna's. A sampler is made anew for each suggestion, with that suggestion's
seed, so that nothing depends on what this process has answered before. Kept in memory is only the study, which follows
from the trials.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sampan.components.tuning.api.suggesting import Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.ledger import NAME, Ledger, trial
from sampan.components.tuning.engine.algorithms.outcomes import is_pending, value_of
from sampan.components.tuning.engine.algorithms.space import Dimension, Span, dimensions

_KEY = "optuna-search"


class Search:
    """One experiment's study. `of` finds it in the memory, or makes it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.dimensions: tuple[Dimension, ...] = dimensions(problem.parameters)
        self.distributions = {each.name: distribution(each.span) for each in self.dimensions}
        self.ledger = Ledger()
        maximize = problem.objective.type == "maximize"
        direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
        self.ledger.create_new_study([direction])
        self._seen: list[TrialRecord] = []

    @classmethod
    def of(cls, memory: Memory, problem: Problem, trials: Sequence[TrialRecord]) -> Search:
        found = memory.kept.get(_KEY)
        if not isinstance(found, cls) or not found._is_about(problem):
            found = memory.kept[_KEY] = cls(problem)
        found._learn(trials)
        return found

    def ask(self, numbers: Sequence[int], sampler: Callable[[int], BaseSampler]) -> tuple[Assignment, ...]:
        """One assignment for each number; what was given for one is pending for the next."""
        known = len(self._seen)
        try:
            return tuple(Assignment(self._ask(sampler(number))) for number in numbers)
        finally:
            del self.ledger.trials[known:]

    def texts(self, params: Mapping[str, Any]) -> dict[str, str]:
        return {each.name: each.text(params[each.name]) for each in self.dimensions}

    def _ask(self, sampler: BaseSampler) -> dict[str, str]:
        # A study of its own for each question: studies remember the trials that they have seen.
        study = optuna.Study(NAME, self.ledger, sampler=sampler)
        running = self.ledger.begin()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler.before_trial(study, running)
            space = sampler.infer_relative_search_space(study, running)
            related = sampler.sample_relative(study, running, space)
            params = {
                name: related[name]
                if name in related
                else sampler.sample_independent(study, running, name, spread)
                for name, spread in self.distributions.items()
            }
        running.params = params
        running.distributions = self.distributions
        return self.texts(params)

    def _is_about(self, problem: Problem) -> bool:
        return problem.parameters == self.problem.parameters and problem.objective == self.problem.objective

    def _learn(self, trials: Sequence[TrialRecord]) -> None:
        del self._seen[len(trials) :]
        del self.ledger.trials[len(trials) :]
        for place, record in enumerate(trials):
            if place == len(self._seen):
                self._seen.append(record)
                self.ledger.trials.append(self._frozen(place, record))
            elif self._seen[place] is not record:
                self._seen[place] = record
                self.ledger.trials[place] = self._frozen(place, record)

    def _frozen(self, number: int, record: TrialRecord) -> FrozenTrial:
        try:
            params = {each.name: each.latent(record.assignments[each.name]) for each in self.dimensions}
        except (KeyError, ValueError):
            # Somebody else's idea: nothing to be learnt in this space.
            return trial(number, TrialState.FAIL, {}, {})
        if is_pending(record):
            return trial(number, TrialState.RUNNING, params, self.distributions)
        value = value_of(self.problem.objective, record)
        if value is None:
            return trial(number, TrialState.FAIL, params, self.distributions)
        return trial(number, TrialState.COMPLETE, params, self.distributions, [value])


def distribution(span: Span) -> BaseDistribution:
    if span.choices:
        return CategoricalDistribution(span.choices)
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.log, step=span.step)
    return FloatDistribution(span.low, span.high, log=span.log)
