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
from sampan.components.tuning.engine.algorithms.outcomes import COUNTED, is_pending, metric_of
from sampan.components.tuning.engine.algorithms.space import Dimension, Span, dimensions
from sampan.components.tuning.engine.objectives import constraints, goals

_KEY = "optuna-search"
GENERATION = "sampan.dev/generation"
"""Label of a trial."""
_UNKNOWN = 1e30
"""How far a bound is broken by what was not measured."""


class Search:
    """One experiment's study. `of` finds it in the memory, or makes it."""

    def __init__(self, problem: Problem, generation_key: str = "") -> None:
        """`generation_key` is the attribute of a trial in which a genetic sampler keeps its generation; trials of the
        experiment keep it as a label."""
        self.problem = problem
        self.goals = goals(problem)
        self._constraints = constraints(problem)
        self._generation_key = generation_key
        self.dimensions: tuple[Dimension, ...] = dimensions(problem.parameters)
        self.distributions = {each.name: distribution(each.span) for each in self.dimensions}
        self.ledger = Ledger()
        self.ledger.create_new_study(
            [StudyDirection.MAXIMIZE if each.sign < 0 else StudyDirection.MINIMIZE for each in self.goals]
        )
        self._seen: list[TrialRecord] = []

    @classmethod
    def of(
        cls, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], generation_key: str = ""
    ) -> Search:
        found = memory.kept.get(_KEY)
        if not isinstance(found, cls) or not found._is_about(problem, generation_key):
            found = memory.kept[_KEY] = cls(problem, generation_key)
        found._learn(trials)
        return found

    def ask(self, numbers: Sequence[int], sampler: Callable[[int], BaseSampler]) -> tuple[Assignment, ...]:
        """One assignment for each number; what was given for one is pending for the next."""
        known = len(self._seen)
        # What samplers noted about trials as they were known then.
        self.ledger.forget_notes()
        try:
            return tuple(self._ask(sampler(number)) for number in numbers)
        finally:
            del self.ledger.trials[known:]

    def texts(self, params: Mapping[str, Any]) -> dict[str, str]:
        return {each.name: each.text(params[each.name]) for each in self.dimensions}

    def study(self, sampler: BaseSampler) -> optuna.Study:
        return optuna.Study(NAME, self.ledger, sampler=sampler)

    def _ask(self, sampler: BaseSampler) -> Assignment:
        # A study of its own for each question: studies remember the trials that they have seen.
        study = self.study(sampler)
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
        generation = running.system_attrs.get(self._generation_key)
        labels = {} if generation is None else {GENERATION: str(generation)}
        return Assignment(self.texts(params), labels=labels)

    def _is_about(self, problem: Problem, generation_key: str) -> bool:
        return (
            problem.parameters == self.problem.parameters
            and problem.objective == self.problem.objective
            and problem.annotations == self.problem.annotations
            and generation_key == self._generation_key
        )

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
        values = self._values(record)
        if values is None:
            return trial(number, TrialState.FAIL, params, self.distributions)
        return trial(
            number, TrialState.COMPLETE, params, self.distributions, values, self._attributes(record)
        )

    def _values(self, record: TrialRecord) -> list[float] | None:
        if record.condition not in COUNTED:
            return None
        found = [metric_of(self.problem.objective, record, goal.metric) for goal in self.goals]
        values = [each for each in found if each is not None]
        return values if len(values) == len(found) else None

    def _attributes(self, record: TrialRecord) -> dict[str, Any]:
        made: dict[str, Any] = {}
        label = record.labels.get(GENERATION, "")
        if self._generation_key and label.isdecimal():
            made[self._generation_key] = int(label)
        for each in self._constraints:
            value = metric_of(self.problem.objective, record, each.metric)
            # Optuna 5 trial/_trial.py, `set_constraint`: kept where it is not above zero.
            made[f"constraints:{each.metric}"] = _UNKNOWN if value is None else each.excess(value)
        return made


def distribution(span: Span) -> BaseDistribution:
    if span.choices:
        return CategoricalDistribution(span.choices)
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.log, step=span.step)
    return FloatDistribution(span.low, span.high, log=span.log)
