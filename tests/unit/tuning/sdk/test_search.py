"""The words of a space, what Katib is told of them, and what a function gets back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sampan.components.tuning.sdk import search
from sampan.components.tuning.sdk.search import SpaceError, read_space


def test_each_word_is_a_parameter_of_katib() -> None:
    assert search.uniform(0.1, 1).to_json("a") == {
        "name": "a",
        "parameterType": "double",
        "feasibleSpace": {"min": "0.1", "max": "1", "distribution": "uniform"},
    }
    assert search.loguniform(1e-5, 0.1).to_json("a")["feasibleSpace"] == {
        "min": "1e-05",
        "max": "0.1",
        "distribution": "logUniform",
    }
    assert search.int(1, 9, 2).to_json("a") == {
        "name": "a",
        "parameterType": "int",
        "feasibleSpace": {"min": "1", "max": "9", "step": "2", "distribution": "uniform"},
    }
    assert search.int(1, 9, log=True).distribution == "logUniform"
    assert search.choice(["sgd", 1, None, True]).to_json("a") == {
        "name": "a",
        "parameterType": "categorical",
        "feasibleSpace": {"list": ["sgd", "1", "null", "true"]},
    }
    assert search.discrete([4, 1]).to_json("a")["feasibleSpace"] == {"list": ["1", "4"]}


def test_a_normal_parameter_has_three_deviations_to_each_side() -> None:
    found = search.normal(10, 2)
    assert (found.min, found.max, found.distribution) == ("4", "16", "normal")
    assert search.lognormal(0, 1).distribution == "logNormal"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: search.uniform(1, 1), "min must be less than max"),
        (lambda: search.uniform(float("nan"), 1), "min must be a number"),
        (lambda: search.loguniform(0, 1), "more than 0"),
        (lambda: search.uniform(0, 1, step=0), "step must be more than 0"),
        (lambda: search.int(0.5, 2), "whole number"),  # type: ignore[arg-type]
        (lambda: search.normal(0, 0), "sigma must be more than 0"),
        (lambda: search.lognormal(1000, 1), "is no number"),
        (lambda: search.choice([]), "nothing to choose"),
        (lambda: search.choice([1, "1"]), "there twice"),
        (lambda: search.discrete(["a"]), "use choice"),  # type: ignore[list-item]
        (lambda: read_space({}), "empty"),
        (lambda: read_space({"lr": 3}), "lr: 3 is no space"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(make: object, words: str) -> None:
    with pytest.raises(SpaceError, match=words):
        make()  # type: ignore[operator]


def test_spaces_of_upstreams_clients_and_lists_are_read() -> None:
    """As kubeflow.katib.search and kubeflow.optimizer.Search make them."""
    theirs = SimpleNamespace(
        parameter_type="double",
        feasible_space=SimpleNamespace(min="0.1", max="0.2", step=None, list=None, distribution=None),
    )
    listed = SimpleNamespace(
        parameter_type="categorical", feasible_space=SimpleNamespace(list=["a", "b"], min=None, max=None)
    )
    found = read_space({"a": theirs, "b": listed, "c": [1, 2], "d": search.uniform(0, 1)})
    assert found["a"].to_json("a")["feasibleSpace"] == {"min": "0.1", "max": "0.2"}
    assert found["b"].choices == ("a", "b")
    assert found["c"].type == "categorical"
