"""Pruners decide from curves that are kept as they grow what they decide from a walk through all of them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.suggesting import Curve, Objective, Problem
from sampan.components.tuning.engine.early_stopping import halving
from sampan.components.tuning.engine.early_stopping.rivals import Everyone, Finished, Group, Rivals
from sampan.components.tuning.engine.early_stopping.service import pruner
from sampan.components.tuning.engine.experiment.tally import Tally
from sampan.components.tuning.engine.inprocess.measuring import Curves
from sampan.kube.meta import Object

_SETTINGS = [
    ("median", {}),
    ("percentile", {"percentile": "30", "n_startup_trials": "2", "n_min_trials": "2", "interval_steps": "2"}),
    ("successivehalving", {}),
    ("successivehalving", {"min_resource": "1", "reduction_factor": "2", "bootstrap_count": "2"}),
    ("hyperband", {}),
    ("wilcoxon", {"p_threshold": "0.4"}),
    ("patient", {"patience": "1", "wrapped_pruner": "median"}),
]
_CONDITIONS = ["Running", "Succeeded", "Succeeded", "EarlyStopped", "Failed"]
_VALUES = [math.nan, math.inf, *(each / 4 for each in range(-4, 8))]


def _problem(algorithm: str, direction: str, settings: dict[str, str]) -> Problem:
    return Problem(
        "uid",
        "study",
        "ns",
        Objective(direction, "loss"),
        early_stopping=algorithm,
        early_stopping_settings=settings,
    )


def _plainly(values: Sequence[float]) -> list[float]:
    return sorted(each for each in values if not math.isnan(each))


def _check_answers(
    kept: Rivals, held: dict[str, Curve], orders: dict[str, str], asking: str, step: int
) -> None:
    others = [held[name] for name in sorted(held, key=lambda name: (orders[name], name)) if name != asking]
    finished = [each for each in others if each.condition == "Succeeded"]
    bracket = halving.Bracket("study", (9, 5, 3), 1)
    groups: list[tuple[Group, list[Curve]]] = [
        (Everyone(), others),
        (Finished(), finished),
        (bracket, [each for each in others if halving.bracket_of("study", each.trial, (9, 5, 3)) == 1]),
    ]
    assert kept.finished(asking) == len(finished)
    with_values = [each for each in finished if each.values]
    first = kept.first_finished(asking)
    assert (first.trial if first else None) == (with_values[0].trial if with_values else None)
    means = [(sum(each.values) / len(each.values), each.trial) for each in with_values]
    means = [each for each in means if not math.isnan(each[0])]
    for direction, choose in (("maximize", max), ("minimize", min)):
        best = kept.best_finished(asking, direction)
        expected = choose(means, key=lambda each: each[0])[1] if means else None
        assert (best.trial if best else None) == expected
    for group, among in groups:
        reached = [each.values[step] for each in among if len(each.values) > step]
        found = kept.at(step, group, asking)
        numbers = _plainly(reached)
        assert found.count == len(reached)
        assert [found[place] for place in range(len(found))] == numbers
        for value in (-0.5, 0.0, 0.75):
            assert found.above(value) == sum(each > value for each in numbers)
            assert found.below(value) == sum(each < value for each in numbers)


@pytest.mark.parametrize("seed", range(8))
def test_answers_are_those_of_a_walk(seed: int) -> None:
    draw, kept = random.Random(seed), Rivals()
    held, orders = dict[str, Curve](), dict[str, str]()
    for _ in range(400):
        name = f"t{draw.randrange(12)}"
        act = draw.random()
        before = held.get(name)
        if act < 0.1:
            kept.remove(name)
            held.pop(name, None)
            continue
        values = list(before.values) if before and act < 0.8 else []
        values += [draw.choice(_VALUES) for _ in range(draw.randrange(3))]
        if values and act > 0.75:
            values[draw.randrange(len(values))] = draw.choice(_VALUES)
        if before is None:
            orders[name] = str(draw.randrange(4))
        held[name] = Curve(name, tuple(values), draw.choice(_CONDITIONS))
        kept.put(held[name], (orders[name], name))
        _check_answers(kept, held, orders, f"t{draw.randrange(14)}", draw.randrange(6))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize(("algorithm", "settings"), _SETTINGS)
def test_trials_in_process_are_judged_as_by_a_walk(
    algorithm: str, settings: dict[str, str], direction: str
) -> None:
    problem = _problem(algorithm, direction, settings)
    decider = pruner(problem)
    assert decider is not None
    draw, tally, curves = (
        random.Random(f"{algorithm}{direction}{settings}"),
        Tally(),
        Curves(problem.objective, decider),
    )
    held, conditions, stops = dict[str, list[float]](), dict[str, str](), 0
    for _ in range(1500):
        name = f"t{draw.randrange(40)}"
        act = draw.random()
        if name not in conditions or act < 0.02:
            # Begun, or begun anew.
            conditions[name] = "Running"
            held.pop(name, None)
            curves.begin(name)
        elif act < 0.1:
            conditions[name] = draw.choice(_CONDITIONS)
        elif act < 0.12:
            del conditions[name]
            tally.remove(name)
            continue
        tally.put(_trial(name, conditions[name]))
        if conditions[name] != "Running":
            continue
        value = draw.choice(_VALUES)
        curves.take(name, [MetricLog("2026-01-01T00:00:00Z", "loss", str(value))])
        held.setdefault(name, []).append(math.nan if not math.isfinite(value) else value)
        others = [
            Curve(each.name, tuple(held[each.name]), each.condition)
            for each in tally.records()
            if each.name != name and each.name in held
        ]
        expected = decider.decide(problem, Curve(name, tuple(held[name])), others)
        assert curves.why_stop(problem, name, tally) == expected
        stops += bool(expected)
    assert stops


def _trial(name: str, condition: str) -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "creationTimestamp": f"2026-01-01T00:00:{len(name):02}Z",
        },
        "spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}},
        "status": {"conditions": [{"type": condition, "status": "True"}]},
    }
