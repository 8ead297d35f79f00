"""Optuna's samplers by name, as they are: NSGA-II, NSGA-III, its own TPE, and its Gaussian process where torch is.

Deb et al. 2002 (NSGA-II), Deb and Jain 2014 (NSGA-III), Ozaki et al. 2022 (TPE for several objectives). Settings are
the arguments of their constructors; `optuna_names` says which.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna import samplers
from optuna.samplers import BaseSampler, nsgaii

from sampan.components.tuning.api.suggesting import Answer, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms import optuna_names
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.optuna_search import Search
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.settings import Table, read

_CROSSOVERS: Mapping[str, Callable[[], nsgaii.BaseCrossover]] = {
    "uniform": nsgaii.UniformCrossover,
    "blxalpha": nsgaii.BLXAlphaCrossover,
    "spx": nsgaii.SPXCrossover,
    "sbx": nsgaii.SBXCrossover,
    "vsbx": nsgaii.VSBXCrossover,
    "undx": nsgaii.UNDXCrossover,
}


class _Named:
    """One class of Optuna's."""

    made: type[BaseSampler]
    table: Table
    generation_key = ""

    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        arguments = self.arguments(read(problem, self.table))

        def sampler(number: int) -> BaseSampler:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.made(seed=seed(problem, number), **arguments)  # type: ignore[call-arg]

        search = Search.of(memory, problem, trials, self.generation_key)
        return Answer(search.ask(list(numbers(count, asked)), sampler))

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if name not in ("random_state", "seed")}


class OptunaTpe(_Named):
    made = samplers.TPESampler
    table = optuna_names.TPE


class SeveralObjectivesTpe(_Named):
    """`tpe` of several objectives or with constraints; settings as `tpe` has them."""

    made = samplers.TPESampler
    table = optuna_names.SEVERAL_TPE
    multivariate = False

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        gamma = given.get("gamma")
        made = {name: value for name, value in super().arguments(given).items() if name != "gamma"}
        if gamma is not None:
            made["gamma"] = lambda n: max(int(gamma * n**0.5), 1)
        return {**made, "multivariate": self.multivariate}


class SeveralObjectivesMultivariateTpe(SeveralObjectivesTpe):
    multivariate = True


class Nsga2(_Named):
    made: type[BaseSampler] = samplers.NSGAIISampler
    table = optuna_names.NSGA2
    generation_key = "NSGAIISampler:generation"

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        made = super().arguments(given)
        if "crossover" in made:
            made["crossover"] = _CROSSOVERS[made["crossover"]]()
        return made


class Nsga3(Nsga2):
    made = samplers.NSGAIIISampler
    table = optuna_names.NSGA3
    generation_key = "NSGAIIISampler:generation"


class GaussianProcess(_Named):
    made = samplers.GPSampler
    table = optuna_names.GP
