"""`tpe`: the tree-structured Parzen estimator, each parameter on its own; `multivariate-tpe`: all of them together.

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4: the trials are split into the best few
and the rest, the density of each is estimated, and of some points drawn from the first the one is taken at which the
first is largest against the second. Multivariate: Falkner et al. 2018, arXiv 1807.01774.

Upstream's is hyperopt's (kubeflow/katib 0.19 pkg/suggestion/v1beta1/hyperopt), whose settings are read here: `gamma` g
makes the best ceil(g·√n), at most 25, of n trials the good ones (hyperopt 0.2.7 tpe.py, `ap_split_trials`); without it
they are Optuna's tenth. The settings of upstream's Optuna service are taken as well, and by `multivariate-tpe` alone
those. Trials that still run count among the rest (the constant liar), so that parallel ones spread.

Ours rather than Optuna's sampler, which spends most of its time in loops over trials: decision 50.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms import checks
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.optuna_samplers import (
    SeveralObjectivesMultivariateTpe,
    SeveralObjectivesTpe,
)
from sampan.components.tuning.engine.algorithms.parzen import Axis, Mixture, ages, latent
from sampan.components.tuning.engine.algorithms.random_search import drawn
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.settings import read
from sampan.components.tuning.engine.algorithms.table import Table
from sampan.components.tuning.engine.objectives import constraints, goals

_MOST_GOOD = 25
_GOOD_SHARE = 0.1
_STARTUP = 10
_CANDIDATES = 24


class Tpe:
    multivariate = False
    _several: SeveralObjectivesTpe = SeveralObjectivesTpe()

    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        if len(goals(problem)) > 1 or constraints(problem):
            return self._several.suggest(memory, problem, trials, count, asked)
        table = Table.of(memory, problem, trials)
        settings = read(problem, checks.TPE)
        assignments = []
        for number in numbers(count, asked):
            values = self._one(table, problem, settings, number)
            table.expect(values)
            assignments.append(Assignment(values))
        return Answer(tuple(assignments))

    def _one(
        self, table: Table, problem: Problem, settings: Mapping[str, Any], number: int
    ) -> Mapping[str, str]:
        good, rest = table.split(_good_count(settings, table.ended))
        if table.ended < settings.get("n_startup_trials", _STARTUP) or not len(good):
            return table.conditions.settled(drawn(table.space, seed(problem, number)))
        source = np.random.default_rng(seed(problem, number))
        values = {each.name: table.conditions.first.get(each.name, "") for each in table.space}
        for places in self._together(table):
            if not table.conditions.is_active(table.space[places[0]].name, values):
                continue
            spans = [table.spans[place] for place in places]
            at = _best(
                [Axis.of(each) for each in spans],
                _that_mean_it(good[:, places]),
                _that_mean_it(rest[:, places]),
                settings,
                source,
            )
            for place, span, where in zip(places, spans, at, strict=True):
                values[table.space[place].name] = table.space[place].text(latent(span, float(where)))
        return values

    def _together(self, table: Table) -> list[list[int]]:
        """Places of parameters whose density is estimated together; parents come before what depends on them."""
        wanted = table.conditions.wanted
        order = [*(each.name for each in table.space if each.name not in wanted), *wanted]
        places = {each.name: place for place, each in enumerate(table.space)}
        if not self.multivariate:
            return [[places[name]] for name in order]
        # Those under the same conditions mean something in the same trials.
        groups: dict[str, list[int]] = {}
        for name in order:
            groups.setdefault(repr(sorted(wanted.get(name, {}).items())), []).append(places[name])
        return list(groups.values())


class MultivariateTpe(Tpe):
    multivariate = True
    _several = SeveralObjectivesMultivariateTpe()


def _that_mean_it(points: Any) -> Any:
    return points[~np.isnan(points[:, 0])]


def _good_count(settings: Mapping[str, Any], ended: int) -> int:
    gamma = settings.get("gamma")
    wanted = _GOOD_SHARE * ended if gamma is None else gamma * math.sqrt(ended)
    return min(math.ceil(wanted), _MOST_GOOD)


def _best(
    axes: Sequence[Axis], good: Any, rest: Any, settings: Mapping[str, Any], source: np.random.Generator
) -> Any:
    """Of points drawn from the good ones' density, where it is largest against that of the rest. Shape (d)."""
    prior = settings.get("prior_weight", 1.0)
    near = Mixture(axes, good, ages(len(good)), prior)
    far = Mixture(axes, rest, ages(len(rest)), prior)
    samples = near.sample(source, settings.get("n_ei_candidates", _CANDIDATES))
    return samples[np.argmax(near.log_density(samples) - far.log_density(samples))]
