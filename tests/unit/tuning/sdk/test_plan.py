"""What `tune` is told, as an Experiment."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from sampan.components.tuning.sdk import plan as plans
from sampan.components.tuning.sdk import search
from sampan.components.tuning.sdk.packing import style_of
from sampan.components.tuning.sdk.plan import Algorithm, Budget, Objective, Plan, TuneError
from sampan.components.tuning.sdk.tune import modules_of, read_options
from sampan.sdk import tune
from sampan.sent.sources import SourcesError

_RUN = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "x", "namespace": "y", "labels": {"a": "b"}},
    "spec": {"template": {}},
}


def test_an_experiment_has_all_that_was_said() -> None:
    plan = Plan(
        name="find",
        namespace="team",
        space={"lr": search.loguniform(1e-3, 1)},
        objective=Objective("loss", "minimize", 0.1, ("accuracy",)),
        algorithm=Algorithm("tpe", {"random_state": "7"}),
        budget=Budget(12, 3, 2),
        early_stopping=Algorithm("medianstop"),
        annotations=plans.with_in_process({"who": "me"}),
    )
    made = plans.experiment_of(plan, _RUN, "main")
    spec = made["spec"]
    assert made["metadata"]["annotations"] == {"who": "me", "sampan.dev/trials": "in-process"}
    assert spec["objective"] == {
        "type": "minimize",
        "objectiveMetricName": "loss",
        "goal": 0.1,
        "additionalMetricNames": ["accuracy"],
    }
    assert spec["algorithm"] == {
        "algorithmName": "tpe",
        "algorithmSettings": [{"name": "random_state", "value": "7"}],
    }
    assert spec["earlyStopping"] == {"algorithmName": "medianstop"}
    assert (spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"]) == (12, 3, 2)
    template = spec["trialTemplate"]
    assert template["trialParameters"] == [{"name": "lr", "reference": "lr"}]
    # Name and namespace are each trial's own.
    assert template["trialSpec"]["metadata"] == {"labels": {"a": "b"}}
    assert plans.arguments_of(plan.space) == ["--lr=${trialParameters.lr}"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: plans.read_objective("a b", "maximize", None), "no metric's name"),
        (lambda: plans.read_objective([], "maximize", None), "name the metric"),
        (lambda: plans.read_objective("a", "up", None), "minimize or maximize"),
        (lambda: plans.read_algorithm("algorithm", 3), "algorithm: name one"),
        (lambda: plans.read_budget(0, 1, None), "trials must be"),
        (lambda: plans.read_budget(3, True, None), "parallel must be"),
        (lambda: plans.check_name("A"), "small letters"),
        (lambda: plans.check_name("a" * 41), "up to 40"),
        (lambda: read_options({"packges": []}), "packges: no such argument"),
        (lambda: read_options({"packages": "numpy"}), "must be a list"),
        (lambda: read_options({"resources": {"disk": 1}}), "disk: there are cpu"),
        (lambda: read_options({"nodes": 2}), "where='pytorchjob'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(make: Any, words: str) -> None:
    with pytest.raises(TuneError, match=words):
        make()


def test_algorithms_are_named_with_or_without_settings() -> None:
    read = plans.read_algorithm
    assert read("algorithm", "random") == Algorithm("random", {})
    assert read("algorithm", ("tpe", {"gamma": 0.3, "on": True})) == Algorithm(
        "tpe", {"gamma": "0.3", "on": "true"}
    )
    assert read("algorithm", {"name": "tpe", "gamma": 1}) == Algorithm("tpe", {"gamma": "1"})


def test_never_more_at_a_time_than_there_are() -> None:
    assert plans.read_budget(2, 8, None).parallel == 2


def test_names_are_short_and_nobody_elses() -> None:
    made = plans.made_name("_Train__Model" * 10)
    assert plans.check_name(made) == made
    assert plans.made_name("42").startswith("tune-42-")
    assert plans.made_name("x") != plans.made_name("x")


def test_how_a_function_is_called_is_seen_from_its_arguments() -> None:
    assert style_of(lambda lr, layers=2: 0, ("lr", "layers")) == "keywords"
    assert style_of(lambda **parameters: 0, ("lr",)) == "keywords"
    assert style_of(lambda parameters: 0, ("lr",)) == "dict"
    # One parameter of the same name is that parameter.
    assert style_of(lambda lr: 0, ("lr",)) == "keywords"
    with pytest.raises(SourcesError, match="must take lr, layers by name"):
        style_of(lambda lr: 0, ("lr", "layers"))
    with pytest.raises(SourcesError, match="must be a function"):
        style_of(3, ("lr",))  # type: ignore[arg-type]


def test_tune_travels_as_its_name() -> None:
    """A function that names it finds what stands for it where it runs."""
    assert b"sampan.sdk" in pickle.dumps(tune)
    assert pickle.loads(pickle.dumps(tune)) is tune


def test_what_a_function_trains_with_is_seen() -> None:
    assert "pytest" in modules_of(lambda: pytest.mark)
