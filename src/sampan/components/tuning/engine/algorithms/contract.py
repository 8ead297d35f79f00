"""What one algorithm is: the protocol that all of them pass the same test for (`tests/unit/tuning/algorithms`).

Called by the tuning worker (`engine/worker`). An algorithm is a pure function of what it is asked: the same problem,
trials, count and asked give the same answer, in this process or in one that was started a moment ago. It may keep what
is expensive to make in its `Memory`, but must answer the same without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sampan.components.tuning.api.suggesting import Answer, Problem, TrialRecord


@dataclass(slots=True)
class Memory:
    """What the worker keeps of one experiment from question to question: a cache, lost at any time."""

    kept: dict[str, Any] = field(default_factory=dict)
    """By names of the algorithm's own."""


class Algorithm(Protocol):
    """Suggests. Made once for each experiment, without arguments."""

    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        """As `SuggestionService.suggest`. `problem` has passed the algorithm's check.

        Raises InvalidSettingsError for what the check could not see; anything else that it raises is told to the user
        as a failure of the algorithm.
        """
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One algorithm of the registry."""

    check: Callable[[Problem], None]
    """Raises InvalidSettingsError. Pure, quick, and without libraries: the server calls it at admission."""
    made_by: str
    """`module:class` of an Algorithm; imported by the worker alone."""
    several: bool = False
    """Whether it knows of several objectives and of constraints (`engine/objectives.py`)."""
    check_question: Callable[[Problem], None] | None = None
    """Of one that nobody has validated; `check` where there is none. Upstream's services ask less then."""
    of_networks: bool = False
    """Whether it searches `problem.nas`, and no parameters."""
    needs_trials: bool = True
    """Whether its answers depend on trials; where they do not, none are sent to it."""
