"""Parameters that depend on others: what is refused, and that no algorithm searches what means nothing."""

from __future__ import annotations

import dataclasses
import json

import pytest
from tests.unit.tuning.algorithms.experiments import Experiment, made, problem

from sampan.components.tuning.api.suggesting import FeasibleSpace, InvalidSettingsError, Parameter, Problem
from sampan.components.tuning.engine import checking
from sampan.components.tuning.engine.conditions import ANNOTATION, conditions

_SPACE = (
    Parameter("momentum", "double", FeasibleSpace("0", "1", "0.25")),
    Parameter("optimizer", "categorical", FeasibleSpace(list=("adam", "sgd"))),
    Parameter("nesterov", "categorical", FeasibleSpace(list=("no", "yes"))),
    Parameter("layers", "int", FeasibleSpace("1", "3")),
    Parameter("units", "int", FeasibleSpace("4", "16", "4")),
)


def _problem(algorithm: str, wanted: object = None) -> Problem:
    text = json.dumps(
        {"nesterov": {"optimizer": ["sgd"]}, "momentum": {"optimizer": ["sgd"]}, "units": {"layers": [2, 3]}}
        if wanted is None
        else wanted
    )
    return dataclasses.replace(
        problem(algorithm, _SPACE), annotations={ANNOTATION: text}, max_trial_count=None
    )


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe", "grid"])
def test_what_means_nothing_has_its_first_value(algorithm: str) -> None:
    found = _problem(algorithm)
    checking.check(found)
    experiment, forgetful = (Experiment(found, made(algorithm), forgets=forgets) for forgets in (False, True))
    for each in (experiment, forgetful):
        for _ in range(12):
            each.ask(2)
            each.end(2)
    assert experiment.answers == forgetful.answers
    for trial in experiment.trials:
        values = dict(trial.assignments)
        assert conditions(found).settled(values) == values
    momenta = {
        each.assignments["momentum"] for each in experiment.trials if each.assignments["optimizer"] == "sgd"
    }
    assert len(momenta) > 1
    assert {e.assignments["momentum"] for e in experiment.trials if e.assignments["optimizer"] == "adam"} == {
        "0.0"
    }


def test_a_grid_has_each_point_that_matters_once() -> None:
    experiment = Experiment(_problem("grid"), made("grid"))
    for _ in range(34):
        experiment.ask(3)
    points = {tuple(each.assignments.items()) for each in experiment.trials}
    # adam, or sgd with 5 momenta and 2 choices; one layer, or 2 with 4 sizes.
    assert len(points) == len(experiment.trials) == (1 + 5 * 2) * (1 + 2 * 4)
    assert experiment.answers[-1].exhausted


def test_a_chain_of_conditions_is_off_with_its_first_link() -> None:
    found = conditions(_problem("tpe", {"nesterov": {"layers": ["1"]}, "layers": {"optimizer": ["sgd"]}}))
    values = {"optimizer": "adam", "layers": "1", "nesterov": "yes", "units": "8"}
    assert found.settled(values) == {"optimizer": "adam", "layers": "1", "nesterov": "no", "units": "8"}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ([], "must be a JSON object"),
        ({"depth": {"optimizer": ["sgd"]}}, "depth is no parameter of this experiment"),
        ({"units": {"momentum": ["0.5"]}}, "which must be a parameter of type categorical, discrete, int"),
        ({"units": {"optimizer": ["lion"]}}, "lion is no value of optimizer"),
        ({"units": {"optimizer": "sgd"}}, "units must list values of optimizer"),
        ({"units": ["optimizer"]}, "units must be an object"),
        ({"layers": {"units": [4]}, "units": {"layers": [1]}}, "depend on each other in a circle"),
    ],
)
def test_conditions_are_refused_in_words(wanted: object, words: str) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        checking.check(_problem("random", wanted))
    assert words in str(caught.value)
