"""Which names of Optuna's samplers are known, what can be set about each, and what is refused. Imports none of them.

Each answers to a short name and to its class: `nsgaii` and `NSGAIISampler`. Where an algorithm of Katib's is the same,
the class leads to that.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem
from sampan.components.tuning.engine.algorithms import checks
from sampan.components.tuning.engine.algorithms.contract import Entry
from sampan.components.tuning.engine.algorithms.settings import (
    RANDOM_STATE,
    Setting,
    Table,
    above,
    at_least,
    flag,
    one_of,
    read,
)
from sampan.components.tuning.engine.algorithms.space import dimensions

_HERE = "sampan.components.tuning.engine.algorithms"
_SEEDS: Table = {"random_state": RANDOM_STATE, "seed": RANDOM_STATE}
_NOT_NEGATIVE = "{name} should be great or equal than zero, not {value}"
_PROBABILITY = Setting(float, lambda value: 0 <= value <= 1, "{name} should be between 0 and 1, not {value}")
CROSSOVERS = ("uniform", "blxalpha", "spx", "sbx", "vsbx", "undx")

TPE: Table = {
    **_SEEDS,
    "n_startup_trials": at_least(0, _NOT_NEGATIVE),
    "n_ei_candidates": above(0, "{name} should be great than zero, not {value}"),
    "prior_weight": above(0, "{name} should be great than zero, not {value}", whole=False),
    "consider_endpoints": flag(),
    "consider_magic_clip": flag(),
    "multivariate": flag(),
    "group": flag(),
    "constant_liar": flag(),
}
SEVERAL_TPE: Table = checks.TPE
NSGA2: Table = {
    **_SEEDS,
    "population_size": at_least(2, "{name} should be great or equal than 2, not {value}"),
    "mutation_prob": _PROBABILITY,
    "crossover_prob": _PROBABILITY,
    "swapping_prob": _PROBABILITY,
    "crossover": one_of(CROSSOVERS, "{name} {value} is none of " + ", ".join(CROSSOVERS)),
}
NSGA3: Table = {**NSGA2, "dividing_parameter": above(0, "{name} should be great than zero, not {value}")}
GP: Table = {**_SEEDS, "n_startup_trials": at_least(0, _NOT_NEGATIVE), "deterministic_objective": flag()}
_PARENTS = {"undx": 3, "spx": 3}
"""Crossovers that need more than two."""


def _tpe(problem: Problem) -> None:
    given = read(problem, TPE)
    if given.get("group") and given.get("multivariate") is False:
        raise InvalidSettingsError("group needs multivariate to be true")
    dimensions(problem.parameters)


def _nsga2(problem: Problem) -> None:
    _check_genetic(problem, NSGA2)


def _nsga3(problem: Problem) -> None:
    _check_genetic(problem, NSGA3)


def _check_genetic(problem: Problem, table: Table) -> None:
    given = read(problem, table)
    needed = _PARENTS.get(given.get("crossover", ""), 2)
    if given.get("population_size", 50) < needed:
        raise InvalidSettingsError(f"population_size must be at least {needed} for this crossover")
    dimensions(problem.parameters)


def _gp(problem: Problem) -> None:
    read(problem, GP)
    dimensions(problem.parameters)
    if importlib.util.find_spec("torch") is None:
        raise InvalidSettingsError(
            f"{problem.algorithm} needs PyTorch where the platform runs, and it is not there: install it into the "
            "platform's own Python (pip install torch; the build for CPUs will do), or take bayesianoptimization, "
            "which has a Gaussian process that does without"
        )


_NSGA2 = Entry(_nsga2, f"{_HERE}.optuna_samplers:Nsga2", several=True)
_NSGA3 = Entry(_nsga3, f"{_HERE}.optuna_samplers:Nsga3", several=True)
_TPE = Entry(_tpe, f"{_HERE}.optuna_samplers:OptunaTpe", several=True)
_GP = Entry(_gp, f"{_HERE}.optuna_samplers:GaussianProcess", several=True)
_QMC = Entry(checks.qmc, f"{_HERE}.sobol:QuasiMonteCarlo", needs_trials=False, several=True)
_GRID = Entry(checks.grid, f"{_HERE}.grid:Grid", needs_trials=False, several=True)
_RANDOM = Entry(checks.random, f"{_HERE}.random_search:RandomSearch", needs_trials=False, several=True)
_CMAES = Entry(checks.cmaes, f"{_HERE}.cmaes:CmaEs")

SAMPLERS: Mapping[str, Entry] = {
    "nsgaii": _NSGA2,
    "NSGAIISampler": _NSGA2,
    "nsgaiii": _NSGA3,
    "NSGAIIISampler": _NSGA3,
    "optuna-tpe": _TPE,
    "TPESampler": _TPE,
    "optuna-gp": _GP,
    "GPSampler": _GP,
    "qmc": _QMC,
    "QMCSampler": _QMC,
    "brute-force": _GRID,
    "BruteForceSampler": _GRID,
    "GridSampler": _GRID,
    "RandomSampler": _RANDOM,
    "CmaEsSampler": _CMAES,
}
