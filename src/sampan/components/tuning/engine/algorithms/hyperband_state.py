"""Hyperband's settings and state, and what it refuses. Light: checks run in the server.

The state is written back into the algorithm's settings, under the names and in the forms upstream writes it.
Source: kubeflow/katib 0.19 pkg/suggestion/v1beta1/hyperband/service.py (HyperBandParam, ValidateAlgorithmSettings).

`evaluating_trials` is how many trials of the current rung have been suggested: as many as the rung has when it is
complete, which is all that upstream ever writes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem
from sampan.components.tuning.engine.algorithms.settings import RANDOM_STATE, read
from sampan.components.tuning.engine.algorithms.space import dimensions

DONE = -1
"""`current_s` when all brackets have been suggested."""
_MOST_TRIALS = 100_000
_OPTIONS = ("eta", "r_l", "resource_name", "random_state")
_STATE = ("s_max", "b_l", "r", "n", "current_s", "current_i", "evaluating_trials")
_NOT_POSITIVE = "r_l must be a positive float number."


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Li et al. 2018, Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, algorithm 1."""

    eta: float
    r_l: float
    """R: the most of the resource that a trial may have."""
    resource_name: str
    current_s: int
    """The bracket: from `s_max`, which starts with the most trials, down to 0."""
    current_i: int = 0
    """The rung in it."""
    evaluating: int = 0

    @property
    def s_max(self) -> int:
        return s_max(self.r_l, self.eta)

    @property
    def size(self) -> int:
        """n of the bracket: how many trials its first rung has. Line 3 of the algorithm. None after the last."""
        if self.current_s < 0:
            return 0
        return math.ceil((self.s_max + 1) * self.eta**self.current_s / (self.current_s + 1))

    def rung_size(self, rung: int) -> int:
        """n_i, of which the best go on to the next rung. Lines 6 and 9, rounded up as upstream does."""
        size = self.size
        for _ in range(rung):
            size = math.ceil(size / self.eta)
        return size

    def resource(self, rung: int) -> int:
        """r_i. Line 7; whole, as upstream assigns it."""
        return max(int(self.r_l * self.eta ** (rung - self.current_s) + 1e-9), 1)

    def given(self, more: int) -> Hyperband:
        return replace(self, evaluating=self.evaluating + more)

    def next_rung(self) -> Hyperband:
        """The next bracket's first one after a bracket's last."""
        if self.current_i < self.current_s:
            return replace(self, current_i=self.current_i + 1, evaluating=0)
        return replace(self, current_s=self.current_s - 1, current_i=0, evaluating=0)

    def settings(self) -> dict[str, str]:
        s = max(self.current_s, 0)
        return {
            "eta": str(self.eta),
            "s_max": str(self.s_max),
            "r_l": str(self.r_l),
            "b_l": str((self.s_max + 1) * self.r_l),
            "r": str(self.r_l * self.eta**-s),
            "n": str(replace(self, current_s=s).size),
            "current_s": str(self.current_s),
            "current_i": str(self.current_i),
            "resource_name": self.resource_name,
            "evaluating_trials": str(self.evaluating),
        }


def s_max(r_l: float, eta: float) -> int:
    # In upstream's arithmetic: by how much it is off decides what upstream accepts.
    return int(math.log(r_l) / math.log(eta))


def state(problem: Problem) -> Hyperband:
    """Where the experiment is. For settings that passed the check; InvalidSettingsError for a state that is none."""
    eta, r_l = _eta(problem.settings), _r_l(problem.settings)
    most = s_max(r_l, eta)
    current_s = _whole(problem.settings, "current_s", most)
    return Hyperband(
        eta,
        r_l,
        problem.settings["resource_name"],
        # Upstream begins with -2.
        most if current_s < DONE or current_s > most else current_s,
        max(_whole(problem.settings, "current_i", 0), 0),
        max(_whole(problem.settings, "evaluating_trials", 0), 0),
    )


def check(problem: Problem) -> None:
    """Raises InvalidSettingsError, in upstream's words."""
    check_settings(problem)
    given = problem.settings
    r_l, eta = _r_l(given), _eta(given)
    parallel = math.ceil(eta ** s_max(r_l, eta))
    if problem.parallel_trial_count < parallel:
        raise InvalidSettingsError(f"parallelTrialCount must be not less than {parallel}.")
    if given["resource_name"] not in [each.name for each in problem.parameters]:
        raise InvalidSettingsError("value of resource_name setting must be in parameters.")


def check_settings(problem: Problem) -> None:
    """Raises InvalidSettingsError."""
    given = problem.settings
    for name in given:
        if name not in _OPTIONS and name not in _STATE:
            raise InvalidSettingsError(
                f"unknown setting {name} for algorithm hyperband", f"; it has {', '.join(_OPTIONS)}"
            )
    if "r_l" not in given or "resource_name" not in given:
        raise InvalidSettingsError("r_l and resource_name must be set.")
    if state(problem).size > _MOST_TRIALS:
        raise InvalidSettingsError(f"r_l and eta make brackets of more than {_MOST_TRIALS} trials")
    if "random_state" in given:
        read(_only(problem, "random_state"), {"random_state": RANDOM_STATE})
    dimensions(problem.parameters)


def _r_l(given: Mapping[str, str]) -> float:
    try:
        found = float(given["r_l"])
    except ValueError:
        raise InvalidSettingsError(_NOT_POSITIVE) from None
    if not 0 < found < math.inf:
        raise InvalidSettingsError(_NOT_POSITIVE)
    if found < 1:
        raise InvalidSettingsError(f"r_l must be at least 1, the least a trial can be given, not {found:g}")
    return found


def _eta(given: Mapping[str, str]) -> float:
    try:
        found = float(given.get("eta", "3"))
    except ValueError:
        found = math.nan
    if not 1 < found < math.inf:
        raise InvalidSettingsError(f"eta must be a number greater than 1, not {given.get('eta')}")
    return found


def _whole(given: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(float(given.get(name, default)))
    except (ValueError, OverflowError):
        raise InvalidSettingsError(f"{name} must be a whole number, not {given.get(name)}") from None


def _only(problem: Problem, *names: str) -> Problem:
    return replace(problem, settings={name: problem.settings[name] for name in names})
