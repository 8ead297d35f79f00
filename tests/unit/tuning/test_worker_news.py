"""`engine.worker.session.news` and `algorithms.table`: what is told of many trials, and learnt, when a few change."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import FeasibleSpace, Objective, Parameter, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.table import Table
from sampan.components.tuning.engine.worker.session import news

_SPACE = FeasibleSpace(min="0", max="100")
_PROBLEM = Problem("u", "e", "ns", Objective("maximize", "m"), (Parameter("x", "double", _SPACE),), "tpe")


def _changed(chance: random.Random, trials: list[TrialRecord], number: int) -> list[TrialRecord]:
    """One ends, one comes, and now and then one goes or comes in between."""
    made = TrialRecord(f"t{number}", {"x": chance.choice([str(number % 90), "-1", "no number"])}, "Running")
    place = len(trials) if chance.random() < 0.9 else chance.randrange(len(trials) + 1)
    trials = [*trials[:place], made, *trials[place:]]
    at = chance.randrange(len(trials))
    if trials[at].condition == "Running":
        value = str(chance.random())
        condition = chance.choice(["Succeeded", "Failed"])
        trials[at] = replace(trials[at], condition=condition, metrics={"m": Metric("m", value, value, value)})
    if chance.random() < 0.1:
        del trials[chance.randrange(len(trials))]
    return trials


def test_the_other_side_knows_all_in_their_order() -> None:
    chance, known, trials = random.Random(5), list[TrialRecord](), list[TrialRecord]()
    heard: dict[str, TrialRecord] = {}
    told = []
    for number in range(400):
        trials = _changed(chance, trials, number)
        fresh, afresh = news(known, trials)
        if afresh:
            heard = {}
        heard.update({each.name: each for each in fresh})
        assert list(heard.values()) == trials
        told.append(len(fresh))
        known = trials
    assert sorted(told)[len(told) // 2] <= 2


def test_what_is_learnt_by_and_by_is_what_is_learnt_at_once() -> None:
    chance, memory, trials = random.Random(6), Memory(), list[TrialRecord]()
    for number in range(400):
        trials = _changed(chance, trials, number)
        table, anew = Table.of(memory, _PROBLEM, trials), Table.of(Memory(), _PROBLEM, trials)
        for each in (table, anew):
            # Counts for one question only.
            each.expect({"x": "50"})
        assert table.ended == anew.ended
        for found, expected in zip(table.split(10), anew.split(10), strict=True):
            assert np.array_equal(found, expected)
