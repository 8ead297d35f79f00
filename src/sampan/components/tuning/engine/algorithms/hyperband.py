"""`hyperband`: many trials with little of the resource, of which the best go on with more of it.

Li et al. 2018, Hyperband, algorithm 1: brackets of successive halving. Upstream: kubeflow/katib 0.19
pkg/suggestion/v1beta1/hyperband/service.py, whose settings, state and rounding this has (`hyperband_state`).

Upstream's controller refuses what upstream's service answers after the first rung, because it is less than what was
asked for: its experiments end there. Here a rung that is smaller is answered as it is; while a rung has not ended,
nothing more is suggested and the answer says what it waits for. Trials that failed come last. A bracket's size is the
paper's, where upstream takes whatever number was asked for.

Trials say in their labels to which bracket and rung they belong, and of which trial they are the continuation.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.hyperband_state import Hyperband, state
from sampan.components.tuning.engine.algorithms.neighbours import is_of
from sampan.components.tuning.engine.algorithms.outcomes import is_pending, value_of
from sampan.components.tuning.engine.algorithms.random_search import draw
from sampan.components.tuning.engine.algorithms.seeds import seed
from sampan.components.tuning.engine.algorithms.space import dimensions

_LABELS = "hyperband.suggestion.katib.kubeflow.org/"
BRACKET, RUNG, PARENT = f"{_LABELS}bracket", f"{_LABELS}rung", f"{_LABELS}parent"


class HyperbandSearch:
    """Keeps nothing."""

    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        at, unseen = state(problem), max(asked - count - len(trials), 0)
        at = _seen(at, trials, unseen)
        made: list[Assignment] = []
        waiting = ""
        while len(made) < count and at.current_s >= 0 and not waiting:
            new = _of_rung(problem, at, trials, count - len(made), asked - count + len(made))
            made += new
            at = at.given(len(new))
            if at.evaluating < at.rung_size(at.current_i) and new:
                continue
            # For the last rung of a bracket nobody waits; of any other it must be known who goes on.
            if at.current_i < at.current_s:
                if len(made) == count:
                    break
                waiting = _open(at, trials, bool(unseen or made))
            if not waiting:
                at = at.next_rung()
        return Answer(tuple(made), at.settings(), exhausted=at.current_s < 0, waiting_for=waiting)


def _of_rung(
    problem: Problem, at: Hyperband, trials: Sequence[TrialRecord], count: int, number: int
) -> list[Assignment]:
    """What the current rung has left."""
    room = min(at.rung_size(at.current_i) - at.evaluating, count)
    if at.current_i == 0:
        return [_fresh(problem, at, number + each) for each in range(room)]
    best = _ranked(problem, at.resource_name, _before(at, trials))[at.evaluating :][: max(room, 0)]
    return [_continued(problem, at, each) for each in best]


def _open(at: Hyperband, trials: Sequence[TrialRecord], unmade: bool) -> str:
    """What the current rung lacks before its best can go on. `unmade`: something was suggested that is no trial yet."""
    there = _current(at, trials)
    left = sum(is_pending(each) for each in there)
    if not left and not unmade:
        return ""
    size = max(at.evaluating, len(there))
    return (
        f"rung {at.current_i} of bracket {at.current_s} to end before its best go on: "
        f"{len(there) - left} of {size} trials have ended"
    )


def _seen(at: Hyperband, trials: Sequence[TrialRecord], unseen: int) -> Hyperband:
    """As many as there are of the current rung: of what was suggested, some may be no trials any more."""
    if not any(BRACKET in each.labels for each in trials):
        return at
    there = len(_members(trials, at.current_s, at.current_i)) + unseen
    return at.given(min(there - at.evaluating, 0))


def _current(at: Hyperband, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials of the current rung."""
    if any(BRACKET in each.labels for each in trials):
        return _members(trials, at.current_s, at.current_i)
    return list(trials[max(len(trials) - at.evaluating, 0) :])


def _before(at: Hyperband, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials of the rung before the current one."""
    if any(BRACKET in each.labels for each in trials):
        return _members(trials, at.current_s, at.current_i - 1)
    # Of a client of the gRPC service who keeps no labels: by their order.
    end = len(trials) - at.evaluating
    return list(trials[max(end - at.rung_size(at.current_i - 1), 0) : max(end, 0)])


def _members(trials: Sequence[TrialRecord], bracket: int, rung: int) -> list[TrialRecord]:
    wanted = {BRACKET: str(bracket), RUNG: str(rung)}
    return [each for each in trials if wanted.items() <= each.labels.items()]


def _ranked(problem: Problem, resource: str, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The best first, and none of those that have no value."""
    sign = -1 if problem.objective.type == "maximize" else 1
    valued = [(value_of(problem.objective, each), each) for each in trials]
    # What a trial had of the resource may be more than the space says.
    rest = [each for each in problem.parameters if each.name != resource]
    space = dimensions(rest) if rest else ()
    found = [
        (sign * value, each)
        for value, each in valued
        if value is not None and math.isfinite(value) and is_of(space, each.assignments)
    ]
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _fresh(problem: Problem, at: Hyperband, number: int) -> Assignment:
    drawn = draw(dimensions(problem.parameters), random.Random(seed(problem, number)))  # noqa: S311 - no secret
    return _assignment(at, drawn)


def _continued(problem: Problem, at: Hyperband, parent: TrialRecord) -> Assignment:
    return _assignment(at, parent.assignments, parent.name)


def _assignment(at: Hyperband, parameters: Mapping[str, str], parent: str = "") -> Assignment:
    labels = {BRACKET: str(at.current_s), RUNG: str(at.current_i)}
    if parent:
        labels[PARENT] = parent
    given = dict(parameters)
    if at.resource_name in given:
        given[at.resource_name] = str(at.resource(at.current_i))
    return Assignment(given, labels=labels)
