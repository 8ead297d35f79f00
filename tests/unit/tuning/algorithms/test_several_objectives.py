"""Several objectives, constraints and importances, as algorithms and the worker answer them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pytest
from tests.unit.tuning.algorithms.experiments import made

from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import (
    FeasibleSpace,
    InvalidSettingsError,
    Objective,
    Parameter,
    Problem,
    TrialRecord,
)
from sampan.components.tuning.engine import checking
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.importance import Importances
from sampan.components.tuning.engine.objectives import CONSTRAINTS, OBJECTIVES
from sampan.components.tuning.engine.pareto import front

_SPACE = (
    Parameter("x", "double", FeasibleSpace("0", "5")),
    Parameter("y", "double", FeasibleSpace("0", "3")),
    Parameter("unused", "categorical", FeasibleSpace(list=("a", "b"))),
)


def _problem(algorithm: str, settings: Mapping[str, str] | None = None, **annotations: str) -> Problem:
    keys = {"objectives": OBJECTIVES, "constraints": CONSTRAINTS}
    return Problem(
        "u", "e", "ns", Objective("minimize", "f1", additional=("f2", "size")), _SPACE, algorithm,
        dict(settings or {}), annotations={keys[name]: text for name, text in annotations.items()},
    )  # fmt: skip


def _binh_and_korn(values: Mapping[str, str]) -> dict[str, float]:
    """Binh and Korn 1997: two objectives that pull apart."""
    x, y = float(values["x"]), float(values["y"])
    return {"f1": 4 * x**2 + 4 * y**2, "f2": (x - 5) ** 2 + (y - 5) ** 2, "size": x}


def _run(
    problem: Problem, trials: int, measured: Callable[[Mapping[str, str]], dict[str, float]]
) -> list[TrialRecord]:
    algorithm, memory, done = made(problem.algorithm), Memory(), list[TrialRecord]()
    for number in range(trials):
        one = algorithm.suggest(memory, problem, done, 1, number + 1).assignments[0]
        metrics = {
            name: Metric(name, str(value), str(value), str(value))
            for name, value in measured(one.parameters).items()
        }
        done.append(TrialRecord(f"t{number}", one.parameters, "Succeeded", metrics, one.labels))
    return done


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("tpe", {"gamma": "0.5"}),
        ("multivariate-tpe", {}),
        ("nsgaii", {"population_size": "20"}),
        ("nsgaiii", {"population_size": "20"}),
    ],
)
def test_the_front_is_found(algorithm: str, settings: Mapping[str, str]) -> None:
    chance = _problem("random", objectives='{"f2": "minimize"}')
    problem = _problem(algorithm, settings, objectives='{"f2": "minimize"}')
    checking.check(problem)
    trials = _run(problem, 60, _binh_and_korn)
    assert len(front(problem, trials).trials) > len(front(chance, _run(chance, 60, _binh_and_korn)).trials)


def test_constraints_are_kept_more_and_more() -> None:
    problem = _problem("tpe", constraints='{"size": ">= 3"}')
    checking.check(problem)
    trials = _run(problem, 50, _binh_and_korn)
    late = [float(each.assignments["x"]) for each in trials[-20:]]
    # Without the constraint x = 0 is best; with it the bound is.
    assert sum(each > 2 for each in late) >= 14
    best = front(problem, trials)
    assert len(best.trials) == 1
    assert 36 <= best.values[0][0] < 45


@pytest.mark.parametrize("algorithm", ["cmaes", "bayesianoptimization"])
def test_who_does_not_know_of_several_objectives_says_so(algorithm: str) -> None:
    with pytest.raises(
        InvalidSettingsError, match=r"does not know of several objectives; these do: .*nsgaii"
    ):
        checking.check(_problem(algorithm, objectives='{"f2": "minimize"}'))
    with pytest.raises(InvalidSettingsError, match="does not know of constraints"):
        checking.check(_problem(algorithm, constraints='{"size": "<= 1"}'))


def test_optunas_gaussian_process_says_what_it_lacks() -> None:
    with pytest.raises(
        InvalidSettingsError, match=r"GPSampler needs PyTorch .*pip install torch.* bayesianoptimization"
    ):
        checking.check(_problem("GPSampler"))


def test_what_matters_is_told_from_trials() -> None:
    problem = _problem("random")
    trials = _run(problem, 60, lambda values: {"f1": 10 * float(values["x"]), "f2": float(values["y"])})
    found = Importances().figures(problem, trials)
    assert found["why"] == ""
    assert found["importances"][0]["parameter"] == "x"
    assert found["importances"][0]["importance"] > 0.8
    assert sum(each["importance"] for each in found["importances"]) == pytest.approx(1)
    other = dataclasses.replace(problem, objective=dataclasses.replace(problem.objective, metric="f2"))
    assert Importances().figures(other, trials)["importances"][0]["parameter"] == "y"
    assert found == Importances().figures(problem, trials)


def test_what_cannot_be_told_is_said() -> None:
    problem = _problem("random")
    assert "0 trials have a value of f1" in Importances().figures(problem, [])["why"]
    same = _run(problem, 6, lambda values: {"f1": 1.0})
    assert "the same f1" in Importances().figures(problem, same)["why"]
