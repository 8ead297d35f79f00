"""What each sampler refuses, before any of its libraries is loaded: its settings by their tables, and the space.

Source: kubeflow/katib 0.19 pkg/suggestion/v1beta1/{hyperopt,optuna,skopt}/service.py, goptuna/service.go.
"""

from __future__ import annotations

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem
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
from sampan.components.tuning.engine.algorithms.space import dimensions, distinct, size
from sampan.components.tuning.engine.conditions import conditions

RANDOM: Table = {"random_state": RANDOM_STATE}
MULTIVARIATE_TPE: Table = {
    "n_startup_trials": at_least(0, "{name} should be greate or equal than zero"),
    "n_ei_candidates": above(0, "{name} should be great than zero"),
    "random_state": RANDOM_STATE,
}
TPE: Table = {
    **MULTIVARIATE_TPE,
    "gamma": Setting(float, lambda value: 0 < value < 1, "gamma should be in the range of (0, 1)"),
    "prior_weight": above(0, "prior_weight should be great than zero", whole=False),
    "n_EI_candidates": above(0, "n_EI_candidates should be great than zero", "n_ei_candidates"),
}
_RESTARTS = ("ipop", "bipop", "none", "None")
CMAES: Table = {
    "sigma": at_least(0, "sigma should be greate or equal than zero", whole=False),
    "restart_strategy": Setting(
        lambda text: None if text.lower() == "none" else text,
        lambda value: value in (None, "ipop", "bipop"),
        "restart_strategy {value} is not supported in CMAES optimization",
        f"; it can be {', '.join(_RESTARTS[:3])}",
    ),
    "random_state": RANDOM_STATE,
}
_UNSUPPORTED = "{name} {value} is not supported in Bayesian optimization"
_ESTIMATORS = ("GP", "RF", "ET", "GBRT")
_FUNCTIONS = ("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps")
_OPTIMIZERS = ("auto", "sampling", "lbfgs")
BAYESIAN: Table = {
    "base_estimator": one_of(_ESTIMATORS, _UNSUPPORTED, f"; it can be {', '.join(_ESTIMATORS)}"),
    "n_initial_points": at_least(0, "n_initial_points should be great or equal than zero"),
    "acq_func": one_of(_FUNCTIONS, _UNSUPPORTED, f"; it can be {', '.join(_FUNCTIONS)}"),
    "acq_optimizer": one_of(_OPTIMIZERS, _UNSUPPORTED, f"; it can be {', '.join(_OPTIMIZERS)}"),
    "random_state": RANDOM_STATE,
}
QMC: Table = {
    **RANDOM,
    "qmc_type": one_of(("sobol", "halton"), "qmc_type {value} is none of sobol, halton"),
    "scramble": flag(),
}
_MOST_CONDITIONAL = 10_000
"""Combinations that are looked at one by one."""
_MOST_SOBOL = 21_201
"""Dimensions for which Joe and Kuo 2008 give direction numbers."""


def random(problem: Problem) -> None:
    read(problem, RANDOM)
    dimensions(problem.parameters)


def tpe(problem: Problem) -> None:
    read(problem, TPE)
    dimensions(problem.parameters)


def multivariate_tpe(problem: Problem) -> None:
    read(problem, MULTIVARIATE_TPE)
    dimensions(problem.parameters)


def qmc(problem: Problem) -> None:
    read(problem, QMC)
    dimensions(problem.parameters)


def sobol(problem: Problem) -> None:
    read(problem, RANDOM)
    if len(dimensions(problem.parameters)) > _MOST_SOBOL:
        raise InvalidSettingsError(f"sobol searches at most {_MOST_SOBOL} parameters")


def cmaes(problem: Problem) -> None:
    read(problem, CMAES)
    if sum(not each.span.choices for each in dimensions(problem.parameters)) < 2:
        raise InvalidSettingsError(
            "cmaes only supports two or more dimensional continuous search space.",
            " spec.parameters must have two of type double or int",
        )


def bayesian(problem: Problem) -> None:
    settings = read(problem, BAYESIAN)
    dimensions(problem.parameters)
    function, estimator = settings.get("acq_func", "gp_hedge"), settings.get("base_estimator", "GP")
    if function.endswith("ps") and estimator != "GP":
        raise InvalidSettingsError(f"acq_func {function} needs base_estimator GP, not {estimator}")


def grid(problem: Problem) -> None:
    read(problem, RANDOM)
    space = dimensions(problem.parameters)
    for each in space:
        if each.values is None:
            raise InvalidSettingsError(
                f"Param {each.name} step is nil; For discrete search space, all parameters must include step"
            )
    total = size(space)
    if conditions(problem):
        if total > _MOST_CONDITIONAL:
            raise InvalidSettingsError(
                f"grid with conditions between parameters takes {_MOST_CONDITIONAL} combinations, these are {total}"
            )
        total = len(distinct(problem))
    if problem.max_trial_count is not None and problem.max_trial_count > total:
        raise InvalidSettingsError(
            f"Max Trial Count: {problem.max_trial_count} > all possible search combinations: {total}"
        )
