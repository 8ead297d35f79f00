"""What population based training can be told, and what it refuses. Light: checks run in the server.

Source: kubeflow/katib 0.19 pkg/suggestion/v1beta1/pbt/service.py (ValidateAlgorithmSettings).
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem
from sampan.components.tuning.engine.algorithms.settings import RANDOM_STATE, Setting, Table, read
from sampan.components.tuning.engine.algorithms.space import dimensions

_REQUIRED = ("suggestion_trial_dir", "n_population", "truncation_threshold")
_MOST_MEMBERS = 10_000
_BETWEEN = (
    "Param(resample_probability) should be null to perturb at 0.8 or 1.2, "
    "or be between 0 and 1, inclusive, to resample"
)

TABLE: Table = {
    "suggestion_trial_dir": Setting(
        str,
        lambda value: value.startswith("/") and posixpath.normpath(value) != "/",
        "suggestion_trial_dir must be an absolute path, of a folder for a trial's checkpoints, not {value}",
    ),
    "n_population": Setting(int, lambda value: value >= 5, "Param(n_population) should be >= 5"),
    "truncation_threshold": Setting(
        float,
        lambda value: 0 <= value <= 1,
        "Param(truncation_threshold) should be between 0 and 1, inclusive",
    ),
    "resample_probability": Setting(float, lambda value: 0 <= value <= 1, _BETWEEN),
    "random_state": RANDOM_STATE,
}


@dataclass(frozen=True, slots=True)
class Population:
    size: int
    truncation_threshold: float
    resample_probability: float | None
    """None: each parameter is perturbed."""


def population(problem: Problem) -> Population:
    """Raises InvalidSettingsError."""
    given = read(problem, TABLE)
    return Population(given["n_population"], given["truncation_threshold"], given.get("resample_probability"))


def check(problem: Problem) -> None:
    """Raises InvalidSettingsError, in upstream's words."""
    missing = [name for name in _REQUIRED if name not in problem.settings]
    if missing:
        raise InvalidSettingsError(f"Required params missing: {', '.join(missing)}")
    if population(problem).size > _MOST_MEMBERS:
        raise InvalidSettingsError(f"Param(n_population) should be <= {_MOST_MEMBERS}")
    dimensions(problem.parameters)
