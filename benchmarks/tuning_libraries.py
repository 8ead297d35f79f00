"""Katib's libraries called directly, one trial after the other.

`python tuning_libraries.py LIBRARY ALGORITHM PROBLEM TRIALS SEEDS` prints the best value of each seed as JSON.

Run by `tuning_quality.py` in an environment of its own. Each algorithm is set as Katib 0.19's service sets it
(pkg/suggestion/v1beta1/{hyperopt,optuna,skopt}), with defaults.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from typing import Any

from tuning_problems import PROBLEMS, Axis, Problem

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


def optuna_best(sampler: str, problem: Problem, trials: int, seed: int) -> float:
    import optuna

    optuna.logging.disable_default_handler()
    samplers = optuna.samplers
    made = {
        "tpe": lambda: samplers.TPESampler(seed=seed, multivariate=False, constant_liar=True),
        "multivariate-tpe": lambda: samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "sobol": lambda: samplers.QMCSampler(qmc_type="sobol", scramble=True, seed=seed),
        "grid": lambda: samplers.GridSampler(grid(problem), seed=seed),
    }[sampler]()
    study = optuna.create_study(sampler=made)
    spread = {name: _optuna(axis) for name, axis in problem.axes.items()}
    for _ in range(trials):
        trial = study.ask(spread)
        study.tell(trial, problem.value(trial.params))
    return float(study.best_value)


def _optuna(axis: Axis) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def grid(problem: Problem) -> dict[str, list[float]]:
    """Twenty steps of each of two axes."""
    return {
        name: [axis.low + (axis.high - axis.low) / 20 * place for place in range(21)]
        for name, axis in problem.axes.items()
    }


def hyperopt_best(algorithm: str, problem: Problem, trials: int, seed: int) -> float:
    import math

    import hyperopt
    import numpy as np

    space = {}
    for name, axis in problem.axes.items():
        if axis.whole:
            space[name] = hyperopt.hp.uniformint(name, axis.low, axis.high)
        elif axis.log:
            space[name] = hyperopt.hp.loguniform(name, math.log(axis.low), math.log(axis.high))
        else:
            space[name] = hyperopt.hp.uniform(name, axis.low, axis.high)
    suggest = hyperopt.tpe.suggest if algorithm == "tpe" else hyperopt.rand.suggest
    done = hyperopt.Trials()
    hyperopt.fmin(
        problem.value,
        space,
        algo=suggest,
        max_evals=trials,
        trials=done,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )
    return float(min(done.losses()))


def skopt_best(problem: Problem, trials: int, seed: int) -> float:
    import skopt
    from skopt.space import Integer, Real

    space = [
        Integer(int(axis.low), int(axis.high), name=name)
        if axis.whole
        else Real(axis.low, axis.high, "log-uniform" if axis.log else "uniform", name=name)
        for name, axis in problem.axes.items()
    ]
    optimizer = skopt.Optimizer(space, random_state=seed)
    best = float("inf")
    for _ in range(trials):
        point = optimizer.ask()
        value = problem.value(dict(zip(problem.axes, point, strict=True)))
        best = min(best, value)
        optimizer.tell(point, value)
    return best


def main(library: str, algorithm: str, name: str, trials: int, seeds: int) -> None:
    problem = PROBLEMS[name]
    found = []
    for seed in range(seeds):
        if library == "hyperopt":
            found.append(hyperopt_best(algorithm, problem, trials, seed))
        elif library == "skopt":
            found.append(skopt_best(problem, trials, seed))
        else:
            found.append(optuna_best(algorithm, problem, trials, seed))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
