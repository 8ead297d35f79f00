"""What is refused about an experiment by the algorithms that come with the platform: for admission, and before they are
asked. Light: no library of theirs is loaded.
"""

from __future__ import annotations

from collections.abc import Callable

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem
from sampan.components.tuning.engine.algorithms.contract import Entry
from sampan.components.tuning.engine.algorithms.registry import ALGORITHMS
from sampan.components.tuning.engine.conditions import conditions
from sampan.components.tuning.engine.objectives import constraints, goals


def check(problem: Problem) -> None:
    """Of the algorithm it names, which is of the registry, with its space. Raises InvalidSettingsError."""
    check_settings(problem)
    _check_space(problem)


def check_question(problem: Problem) -> None:
    """The same for one that nobody may have validated. Raises InvalidSettingsError."""
    entry = _entry(problem)
    _check(problem, entry, entry.check_question or entry.check)
    _check_space(problem)


def check_settings(problem: Problem) -> None:
    """The same for one that may have no parameters yet, as upstream's services are asked to validate it."""
    entry = _entry(problem)
    _check(problem, entry, entry.check)


def _entry(problem: Problem) -> Entry:
    entry = ALGORITHMS.get(problem.algorithm)
    if entry is None:
        raise InvalidSettingsError(
            f"unknown algorithm name {problem.algorithm}", f"; built in are {', '.join(sorted(ALGORITHMS))}"
        )
    return entry


def _check_space(problem: Problem) -> None:
    if not problem.parameters and not ALGORITHMS[problem.algorithm].of_networks:
        raise InvalidSettingsError("spec.parameters must name at least one parameter to search")


def _check(problem: Problem, entry: Entry, asks: Callable[[Problem], None]) -> None:
    several = len(goals(problem)) > 1
    if not entry.several and (several or constraints(problem)):
        what = "several objectives" if several else "constraints"
        known = ", ".join(sorted(name for name, each in ALGORITHMS.items() if each.several))
        raise InvalidSettingsError(f"{problem.algorithm} does not know of {what}; these do: {known}")
    conditions(problem)
    asks(problem)
