"""Several objectives, constraints, and the front of what was found."""

from __future__ import annotations

import random

import pytest

from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import InvalidSettingsError, Objective, Problem, TrialRecord
from sampan.components.tuning.engine.objectives import CONSTRAINTS, OBJECTIVES
from sampan.components.tuning.engine.pareto import front


def _problem(**annotations: str) -> Problem:
    objective = Objective(
        "maximize",
        "accuracy",
        additional=("latency", "size"),
        strategies={"accuracy": "max", "latency": "min"},
    )
    keys = {"objectives": OBJECTIVES, "constraints": CONSTRAINTS}
    return Problem(
        "u", "e", "ns", objective, annotations={keys[name]: text for name, text in annotations.items()}
    )


def _trial(name: str, condition: str = "Succeeded", **metrics: float | str) -> TrialRecord:
    return TrialRecord(
        name,
        {},
        condition,
        {key: Metric(key, str(value), str(value), str(value)) for key, value in metrics.items()},
    )


_TRIALS = [
    _trial("slow", accuracy=0.95, latency=30),
    _trial("middle", accuracy=0.9, latency=10),
    _trial("same", accuracy=0.9, latency=10),
    _trial("worse", accuracy=0.89, latency=11),
    _trial("fast", accuracy=0.7, latency=1, size=9),
    _trial("failed", "Failed", accuracy=0.99, latency=0.1),
    _trial("unmeasured", accuracy=0.99),
    _trial("no-number", accuracy=0.99, latency="unavailable"),
    _trial("stopped", "EarlyStopped", accuracy=0.6, latency=0.5, size=20),
]


def test_the_front_is_what_no_other_is_better_than() -> None:
    found = front(_problem(objectives='{"latency": "minimize"}'), _TRIALS)
    assert found.trials == ("slow", "middle", "same", "fast", "stopped")
    assert found.values[0] == (0.95, 30.0)
    assert [goal.type for goal in found.goals] == ["maximize", "minimize"]


def test_of_one_objective_it_is_the_best() -> None:
    assert front(_problem(), _TRIALS[:5]).trials == ("slow",)


def test_what_breaks_a_constraint_or_was_not_measured_is_not_on_it() -> None:
    found = front(_problem(objectives='{"latency": "minimize"}', constraints='{"size": "<= 10"}'), _TRIALS)
    assert found.trials == ("fast",)


def test_the_front_is_that_of_comparing_all_with_all() -> None:
    source = random.Random(4)
    trials = [
        _trial(
            f"t{place}", accuracy=source.randrange(9), latency=source.randrange(9), size=source.randrange(9)
        )
        for place in range(120)
    ]
    found = front(_problem(objectives='{"latency": "minimize", "size": "maximize"}'), trials)

    def better(one: TrialRecord, other: TrialRecord) -> bool:
        pairs = [
            (sign * float(one.metrics[name].min), sign * float(other.metrics[name].min))
            for name, sign in (("accuracy", -1), ("latency", 1), ("size", -1))
        ]
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    expected = {each.name for each in trials if not any(better(other, each) for other in trials)}
    assert set(found.trials) == expected
    assert len(found.trials) == len(expected)


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"objectives": "latency"}, "must be a JSON object"),
        ({"objectives": "[1]"}, "must be a JSON object"),
        ({"objectives": '{"depth": "minimize"}'}, "depth is no metric of this experiment"),
        ({"objectives": '{"latency": "less"}'}, "latency must be minimize or maximize"),
        ({"constraints": '{"size": "5"}'}, 'such as "<= 5"'),
        ({"constraints": '{"size": 5}'}, 'such as "<= 5"'),
    ],
)
def test_annotations_are_refused_in_words(annotations: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        front(_problem(**annotations), [])
    assert words in str(caught.value)
