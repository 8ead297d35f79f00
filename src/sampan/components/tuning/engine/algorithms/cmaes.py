"""`cmaes`: the covariance matrix adaptation evolution strategy.

Hansen 2016, "The CMA Evolution Strategy: A Tutorial" (arXiv 1604.00772); restarts by Auger and Hansen 2005 (IPOP) and
Hansen 2009 (BIPOP); by the library `cmaes`, which Optuna's CmaEsSampler uses too, over the same space scaled to 0..1.
Upstream: goptuna's sampler (kubeflow/katib 0.19 pkg/suggestion/v1beta1/goptuna), which started restarts as well.
Parameters that are choices are drawn at random.

The strategy's state follows from the trials: each trial has its generation as a label, and a generation is complete
when as many of its trials have a value as the population counts. The states that came out of complete generations are
kept in memory, with what they came out of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cmaes import CMA

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms import checks
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.outcomes import value_of
from sampan.components.tuning.engine.algorithms.random_search import drawn
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.settings import read
from sampan.components.tuning.engine.algorithms.space import Dimension, at, dimensions, unit

GENERATION = "sampan.dev/generation"
"""Label of a trial."""
_KEY = "cmaes"
_GROWTH = 2
"""Of the population with each restart (Auger and Hansen: 2 to 3)."""

Solution = tuple[tuple[float, ...], float]


@dataclass(slots=True)
class Strategy:
    """The state after some complete generations."""

    optimizer: CMA
    learnt_from: list[list[Solution]] = field(default_factory=list)
    """The generations, each in the order in which it was told."""
    restarts: int = 0
    large_restarts: int = 0
    evaluations: dict[str, int] = field(default_factory=lambda: {"small": 0, "large": 0})
    """BIPOP's, by regime."""
    regime: str = "small"


class CmaEs:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        numeric = [each for each in space if not each.span.choices]
        evolution = Evolution(problem, len(numeric), read(problem, checks.CMAES))
        strategy = evolution.advanced(memory.kept.get(_KEY), _generations(problem, numeric, trials))
        memory.kept[_KEY] = strategy
        label = {GENERATION: str(len(strategy.learnt_from))}
        return Answer(
            tuple(
                Assignment(self._one(problem, space, numeric, strategy, number), labels=label)
                for number in numbers(count, asked)
            )
        )

    def _one(
        self,
        problem: Problem,
        space: Sequence[Dimension],
        numeric: Sequence[Dimension],
        strategy: Strategy,
        number: int,
    ) -> Mapping[str, str]:
        values = drawn(space, seed(problem, number, "choices"))
        strategy.optimizer.reseed_rng(seed(problem, number))
        for each, found in zip(numeric, strategy.optimizer.ask(), strict=True):
            values[each.name] = each.text(at(each.span, float(found)))
        return values


class Evolution:
    """How one generation leads to the next, for one problem."""

    def __init__(self, problem: Problem, size: int, settings: Mapping[str, Any]) -> None:
        self._problem = problem
        self._size = size
        self._sigma = settings.get("sigma") or 1 / 6
        """Optuna's default: a sixth of the space."""
        self._restarts = settings.get("restart_strategy")
        self._population = 4 + math.floor(3 * math.log(size))
        """Hansen 2016, table 1."""

    def advanced(self, known: Strategy | None, generations: Mapping[int, Sequence[Solution]]) -> Strategy:
        """The state after all complete generations; goes on from `known` if that came out of the same."""
        strategy = known if known is not None and self._came_from(known, generations) else self._first()
        while True:
            told = generations.get(len(strategy.learnt_from), ())[: strategy.optimizer.population_size]
            if len(told) < strategy.optimizer.population_size:
                return strategy
            self._tell(strategy, list(told))

    def _came_from(self, known: Strategy, generations: Mapping[int, Sequence[Solution]]) -> bool:
        return all(
            list(generations.get(place, ())[: len(told)]) == told
            for place, told in enumerate(known.learnt_from)
        )

    def _first(self) -> Strategy:
        return Strategy(self._optimizer(np.full(self._size, 0.5), self._population, 0))

    def _tell(self, strategy: Strategy, told: list[Solution]) -> None:
        strategy.learnt_from.append(told)
        strategy.evaluations[strategy.regime] += len(told)
        strategy.optimizer.tell([(np.array(point), value) for point, value in told])
        if self._restarts is not None and strategy.optimizer.should_stop():
            self._restart(strategy)

    def _restart(self, strategy: Strategy) -> None:
        strategy.restarts += 1
        source = np.random.default_rng([seed(self._problem, 0, "restart"), strategy.restarts])
        if self._restarts == "bipop" and strategy.evaluations["small"] < strategy.evaluations["large"]:
            strategy.regime = "small"
            factor = _GROWTH ** (strategy.large_restarts * source.random() ** 2)
        else:
            strategy.regime = "large"
            strategy.large_restarts += 1
            factor = _GROWTH**strategy.large_restarts
        population = math.floor(self._population * factor)
        strategy.optimizer = self._optimizer(source.random(self._size), population, strategy.restarts)

    def _optimizer(self, mean: Any, population: int, restarts: int) -> CMA:
        return CMA(
            mean=mean,
            sigma=self._sigma,
            bounds=np.array([[0.0, 1.0]] * self._size),
            n_max_resampling=10 * self._size,
            seed=seed(self._problem, restarts, "strategy"),
            population_size=population,
        )


def _generations(
    problem: Problem, numeric: Sequence[Dimension], trials: Sequence[TrialRecord]
) -> dict[int, list[Solution]]:
    """What was found in each, in the order in which it was known; smaller is better."""
    sign = -1 if problem.objective.type == "maximize" else 1
    found: dict[int, list[Solution]] = {}
    for record in sorted(trials, key=lambda each: each.completion_time):
        value = value_of(problem.objective, record)
        label = record.labels.get(GENERATION, "")
        if value is None or not label.isdecimal():
            continue
        try:
            point = tuple(unit(each.span, each.latent(record.assignments[each.name])) for each in numeric)
        except (KeyError, ValueError):
            continue
        found.setdefault(int(label), []).append((point, sign * value))
    return found
