"""Suggestions that were answered ahead are those that would be answered one by one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

import pytest

from sampan.components.tuning.api.suggesting import (
    Answer,
    Assignment,
    FeasibleSpace,
    Objective,
    Parameter,
    Problem,
    TrialRecord,
)
from sampan.components.tuning.engine.ahead import Ahead, wanted
from sampan.components.tuning.engine.builtin import Suggestions
from sampan.components.tuning.engine.worker.messages import Reply, Request
from sampan.components.tuning.engine.worker.pool import Pool


class Numbers(Pool):
    """Answers with the suggestions' own numbers; of a grid of so many points."""

    def __init__(self, points: int = 10_000) -> None:
        super().__init__()
        self.points = points
        self.asked: list[tuple[int, int]] = []

    async def ask(self, experiment: str, request: Request, trials: Sequence[TrialRecord]) -> Reply:
        self.asked.append((request.count, request.asked))
        found = range(request.asked - request.count, request.asked)
        made = tuple(
            Assignment({"seed": request.problem.uid, "x": str(each)}) for each in found if each < self.points
        )
        return Reply(answer=Answer(made, exhausted=request.asked >= self.points))


def problem(algorithm: str = "random", uid: str = "u") -> Problem:
    space = (Parameter("x", "int", FeasibleSpace("0", "10000")),)
    return Problem(uid, "e", "default", Objective("minimize", "loss"), space, algorithm)


def numbers(answer: Answer) -> list[int]:
    return [int(each.parameters["x"]) for each in answer.assignments]


@pytest.mark.parametrize("counts", [[1] * 300, [3, 1, 7, 200, 1, 1, 50]])
def test_each_number_comes_once_in_order_in_few_questions(counts: list[int]) -> None:
    pool, about = Numbers(), problem()
    suggestions, asked, found = Suggestions(pool), 0, []
    for count in counts:
        asked += count
        found += numbers(asyncio.run(suggestions.suggest(about, (), count, asked)))
    assert found == list(range(asked))
    assert len(pool.asked) <= 12


def test_asking_again_and_asking_for_others_is_answered_as_ever() -> None:
    pool, about = Numbers(), problem()
    suggestions = Suggestions(pool)

    def ask(count: int, asked: int) -> list[int]:
        return numbers(asyncio.run(suggestions.suggest(about, (), count, asked)))

    assert ask(2, 40) == [38, 39]
    assert ask(2, 40) == [38, 39]
    assert ask(2, 3) == [1, 2]
    assert ask(1, 500) == [499]
    assert ask(0, 500) == []


def test_a_grids_end_is_said_when_it_is_reached_and_not_before() -> None:
    pool, about = Numbers(points=9), problem("grid")
    suggestions = Suggestions(pool)
    said = [asyncio.run(suggestions.suggest(about, (), 1, asked)) for asked in range(1, 12)]
    assert [numbers(each) for each in said] == [*([each] for each in range(9)), [], []]
    assert [each.exhausted for each in said] == [False] * 8 + [True] * 3


def test_a_problem_that_was_changed_is_asked_anew_and_each_has_its_own() -> None:
    pool, first = Numbers(), problem()
    suggestions = Suggestions(pool)
    other, changed = problem(uid="v"), dataclasses.replace(first, max_trial_count=7)
    for each in (first, other, changed):
        asyncio.run(suggestions.suggest(each, (), 4, 4))
        answer = asyncio.run(suggestions.suggest(each, (), 1, 5))
        assert answer.assignments[0].parameters == {"seed": each.uid, "x": "4"}
    assert len(pool.asked) == 6


def test_what_learns_is_asked_for_each() -> None:
    pool, about = Numbers(), problem("tpe")
    suggestions = Suggestions(pool)
    for asked in (1, 2, 3):
        asyncio.run(suggestions.suggest(about, (), 1, asked))
    assert pool.asked == [(1, 1), (1, 2), (1, 3)]


def test_no_more_are_had_at_once_than_memory_is_worth() -> None:
    assert [wanted(1, asked)[0] for asked in (1, 2, 64, 100_000)] == [1, 2, 64, 128]
    assert wanted(300, 1000) == (300, 1000)
    assert Ahead(5, Answer(tuple(Assignment({}) for _ in range(3)))).part(4, 9) is None


def test_what_is_at_hand_is_what_would_be_answered_and_asks_nobody() -> None:
    pool, about = Numbers(), problem()
    suggestions, other = Suggestions(pool), problem(uid="other")
    assert suggestions.at_hand(about, 1, 1) is None
    asyncio.run(suggestions.suggest(about, (), 4, 4))
    asked = len(pool.asked)
    found = suggestions.at_hand(about, 2, 4)
    assert found is not None
    assert numbers(found) == [2, 3]
    assert suggestions.at_hand(other, 2, 4) is None
    # The same experiment with another spec.
    assert suggestions.at_hand(dataclasses.replace(about), 2, 4) is None
    assert suggestions.at_hand(about, 1, 5) is None
    assert len(pool.asked) == asked
