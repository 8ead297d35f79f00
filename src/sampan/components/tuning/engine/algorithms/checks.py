"""What each sampler refuses, before any of its libraries is loaded: its settings by their tables, and the space.

Source: kubeflow/katib 0.19 pkg/suggestion/v1beta1/{hyperopt,optuna,skopt}/service.py, goptuna/service.go.
"""

from __future__ import annotations

from sampan.components.tuning.api.suggesting import Problem
from sampan.components.tuning.engine.algorithms.settings import (
    RANDOM_STATE,
    Setting,
    Table,
    above,
    at_least,
    read,
)
from sampan.components.tuning.engine.algorithms.space import dimensions

RANDOM: Table = {"random_state": RANDOM_STATE}
TPE: Table = {
    "gamma": Setting(float, lambda value: 0 < value < 1, "gamma should be in the range of (0, 1)"),
    "prior_weight": above(0, "prior_weight should be great than zero", whole=False),
    "n_EI_candidates": above(0, "n_EI_candidates should be great than zero", "n_ei_candidates"),
    "n_ei_candidates": above(0, "n_ei_candidates should be great than zero"),
    "n_startup_trials": at_least(0, "n_startup_trials should be great or equal than zero"),
    "random_state": RANDOM_STATE,
}


def random(problem: Problem) -> None:
    read(problem, RANDOM)
    dimensions(problem.parameters)


def tpe(problem: Problem) -> None:
    read(problem, TPE)
    dimensions(problem.parameters)
