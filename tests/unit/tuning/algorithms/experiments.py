"""What the contract test asks every algorithm about: a problem for each name, and trials as an experiment has them.

An algorithm of the registry that has no line in `PROBLEMS` fails the contract test.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import (
    Assignment,
    FeasibleSpace,
    NasConfig,
    Objective,
    Operation,
    Parameter,
    Problem,
    TrialRecord,
)
from sampan.components.tuning.engine.algorithms.contract import Algorithm, Memory
from sampan.components.tuning.engine.algorithms.registry import ALGORITHMS

MIXED = (
    Parameter("lr", "double", FeasibleSpace("0.0001", "0.1", distribution="logUniform")),
    Parameter("momentum", "double", FeasibleSpace("0", "1", "0.05")),
    Parameter("layers", "int", FeasibleSpace("1", "8")),
    Parameter("units", "int", FeasibleSpace("16", "512", "16", distribution="logUniform")),
    Parameter("shift", "double", FeasibleSpace("-2", "4", distribution="normal")),
    Parameter("optimizer", "categorical", FeasibleSpace(list=("sgd", "adam", "ftrl"))),
    Parameter("batch", "discrete", FeasibleSpace(list=("32", "64", "128"))),
    Parameter("only", "int", FeasibleSpace("3", "3")),
)
COUNTED = tuple(each for each in MIXED if each.name not in ("lr", "shift"))


def problem(
    algorithm: str, parameters: Sequence[Parameter] = MIXED, settings: Mapping[str, str] | None = None
) -> Problem:
    return Problem(
        uid="b5c7a4a8-6d1e-4a9e-8a55-6ee4d8ff5f11",
        name="experiment",
        namespace="user",
        objective=Objective("minimize", "loss", strategies={"loss": "min"}),
        parameters=tuple(parameters),
        algorithm=algorithm,
        settings=dict(settings or {}),
        max_trial_count=60,
    )


_QUICK = {"base_estimator": "ET", "n_initial_points": "4", "acq_func": "LCB"}
"""Gaussian processes have a test of their own."""
_EPOCHS = Parameter("epochs", "int", FeasibleSpace("1", "9"))
_NAS = NasConfig(
    3,
    (8, 8, 1),
    (10,),
    (Operation("convolution", (Parameter("filter_size", "categorical", FeasibleSpace(list=("3", "5"))),)),),
)
_POPULATION = {"suggestion_trial_dir": "/checkpoints", "n_population": "6", "truncation_threshold": "0.3"}

PROBLEMS: dict[str, Callable[[], Problem]] = {
    "random": lambda: problem("random"),
    "grid": lambda: problem("grid", COUNTED),
    "sobol": lambda: problem("sobol"),
    "tpe": lambda: problem("tpe"),
    "multivariate-tpe": lambda: problem("multivariate-tpe"),
    "cmaes": lambda: problem("cmaes"),
    "bayesianoptimization": lambda: problem("bayesianoptimization", settings=_QUICK),
    **{
        name: lambda name=name: problem(name, settings={"population_size": "4"})  # type: ignore[misc]
        for name in ("nsgaii", "NSGAIISampler", "nsgaiii", "NSGAIIISampler")
    },
    **{
        name: lambda name=name: problem(name)  # type: ignore[misc]
        for name in ("optuna-tpe", "TPESampler", "qmc", "QMCSampler", "RandomSampler", "CmaEsSampler")
    },
    **{
        name: lambda name=name: problem(name, COUNTED)  # type: ignore[misc]
        for name in ("brute-force", "BruteForceSampler", "GridSampler")
    },
    "hyperband": lambda: dataclasses.replace(
        problem("hyperband", (*MIXED, _EPOCHS), {"r_l": "9", "resource_name": "epochs", "eta": "3"}),
        parallel_trial_count=12,
    ),
    "pbt": lambda: problem("pbt", settings=_POPULATION),
    "enas": lambda: dataclasses.replace(problem("enas", (), {"controller_train_steps": "2"}), nas=_NAS),
    "darts": lambda: dataclasses.replace(problem("darts", ()), nas=_NAS),
}


def made(name: str) -> Algorithm:
    module, _, kind = ALGORITHMS[name].made_by.partition(":")
    found: Algorithm = getattr(importlib.import_module(module), kind)()
    return found


def loss(assignments: Mapping[str, str]) -> float:
    """Smooth in numbers, and with a best choice."""
    total = 0.0
    for name, text in assignments.items():
        try:
            total += math.tanh(float(text) - 0.3) ** 2
        except ValueError:
            total += len(name + text) % 3
    return total


_ENDS = (
    "Succeeded",
    "Succeeded",
    "EarlyStopped",
    "Succeeded",
    "Failed",
    "Succeeded",
    "MetricsUnavailable",
    "Killed",
)


def begun(assignment: Assignment, number: int) -> TrialRecord:
    return TrialRecord(
        assignment.trial_name or f"trial-{number}",
        assignment.parameters,
        "Running" if number % 2 else "Created",
        labels=assignment.labels,
        start_time="2026-01-01T00:00:00Z",
    )


def ended(trial: TrialRecord, number: int) -> TrialRecord:
    condition = _ENDS[number % len(_ENDS)]
    value = str(loss(trial.assignments))
    metrics = {"loss": Metric("loss", value, value, value)}
    if condition == "MetricsUnavailable":
        metrics = {"loss": Metric("loss", "unavailable", "unavailable", "unavailable")}
    return dataclasses.replace(
        trial,
        condition=condition,
        metrics={} if condition in ("Failed", "Killed") else metrics,
        completion_time=f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z",
    )


class Experiment:
    """An experiment that is run: asks, and ends trials in an order that is not the one in which they began."""

    def __init__(self, problem: Problem, algorithm: Algorithm, *, forgets: bool = False) -> None:
        self.problem = problem
        self.trials: list[TrialRecord] = []
        self.asked = 0
        self.answers: list[Any] = []
        self._algorithm = algorithm
        self._memory = Memory()
        self._forgets = forgets

    def ask(self, count: int) -> Sequence[Assignment]:
        self.asked += count
        memory = Memory() if self._forgets else self._memory
        answer = self._algorithm.suggest(memory, self.problem, list(self.trials), count, self.asked)
        assert len(answer.assignments) <= count
        if len(answer.assignments) < count:
            assert answer.exhausted or answer.waiting_for
            self.asked -= count - len(answer.assignments)
        self.answers.append(answer)
        self.problem = dataclasses.replace(
            self.problem, settings={**self.problem.settings, **answer.settings}
        )
        for each in answer.assignments:
            self.trials.append(begun(each, len(self.trials)))
        return answer.assignments

    def end(self, most: int) -> None:
        """Some of those that run, the younger first."""
        running = [
            place for place, each in enumerate(self.trials) if each.condition in ("Created", "Running")
        ]
        for place in reversed(running[:most]):
            self.trials[place] = ended(self.trials[place], place)
