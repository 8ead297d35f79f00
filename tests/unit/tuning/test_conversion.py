"""What goes over the wire: which trials, which of a metric's values, and that nothing is lost on the way back."""

from __future__ import annotations

import pytest

from sampan.components.tuning.api import conversion
from sampan.components.tuning.api.messages import message
from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import (
    Answer,
    Assignment,
    FeasibleSpace,
    NasConfig,
    Objective,
    Operation,
    Parameter,
    Problem,
    Rule,
    TrialRecord,
)

OBJECTIVE = Objective(
    "minimize", "loss", 0.25, ("accuracy",), {"loss": "min", "accuracy": "max", "latency": "latest"}
)
PARAMETERS = (
    Parameter("lr", "double", FeasibleSpace("1e-4", "1", "", (), "logUniform")),
    Parameter("layers", "int", FeasibleSpace("1", "8", "2", ())),
    Parameter("size", "discrete", FeasibleSpace("", "", "", ("16", "32"))),
    Parameter("kind", "categorical", FeasibleSpace("", "", "", ("sgd", "äöü"), "normal")),
)
PROBLEM = Problem(
    uid="u",
    name="e",
    namespace="n",
    objective=OBJECTIVE,
    parameters=PARAMETERS,
    algorithm="mine",
    settings={"a": "1", "b": ""},
    early_stopping="stopper",
    early_stopping_settings={"c": "2"},
    nas=NasConfig(3, (32, 32, 3), (10,), (Operation("convolution", PARAMETERS[:2]),)),
    parallel_trial_count=2,
    max_trial_count=12,
)


def over_the_wire(sent: object) -> object:
    return type(sent).FromString(sent.SerializeToString())  # type: ignore[attr-defined]


def test_an_experiment_comes_back_as_it_went() -> None:
    back = conversion.problem_from(over_the_wire(conversion.experiment_message(PROBLEM)), "n", "u")
    assert back.objective == Objective("minimize", "loss", 0.25, ("accuracy",))  # strategies stay here
    for name in ("name", "parameters", "algorithm", "settings", "early_stopping", "early_stopping_settings", "nas",
                 "parallel_trial_count", "max_trial_count"):  # fmt: skip
        assert getattr(back, name) == getattr(PROBLEM, name), name


def test_of_metrics_the_value_that_counts_is_sent() -> None:
    metrics = {
        "loss": Metric("loss", "0.1", "0.9", "0.5"),
        "accuracy": Metric("accuracy", "0.2", "0.8", "0.6"),
        "latency": Metric("latency", "1", "9", "5"),
        "other": Metric("other", "-1", "3", "2"),
    }
    sent = conversion.trial_messages(PROBLEM, [record("t", "Succeeded", metrics)])[0]
    values = {each.name: each.value for each in sent.status.observation.metrics}
    assert values == {"loss": "0.1", "accuracy": "0.8", "latency": "5", "other": "-1"}
    assert sent.status.condition == message("TrialStatus").SUCCEEDED
    assert sent.spec.labels == {"generation": "1"}
    assert sent.spec.objective.goal == 0.25
    assert (sent.status.start_time, sent.status.completion_time) == ("2026-01-01T00:00:00Z", "")


def test_where_the_strategys_value_is_unavailable_the_latest_is_sent() -> None:
    metrics = {"loss": Metric("loss", "unavailable", "unavailable", "nan-ish")}
    sent = conversion.trial_messages(PROBLEM, [record("t", "Succeeded", metrics)])[0]
    assert sent.status.observation.metrics[0].value == "nan-ish"


def test_trials_without_a_measure_are_left_out_as_upstream_leaves_them_out() -> None:
    measured = {"loss": Metric("loss", "1", "1", "1")}
    unavailable = {"loss": Metric("loss", "unavailable", "unavailable", "unavailable")}
    trials = [
        record("a", "MetricsUnavailable", unavailable),
        record("b", "EarlyStopped", {}),
        record("c", "EarlyStopped", unavailable),
        record("d", "EarlyStopped", measured),
        record("e", "Failed", {}),
        record("f", "Running", {}),
        record("g", "", {}),
        record("h", "SomethingNew", {}),
    ]
    sent = conversion.trial_messages(PROBLEM, trials)
    names = message("TrialStatus").TrialConditionType.Name
    assert [(each.name, names(each.status.condition)) for each in sent] == [
        ("d", "EARLYSTOPPED"),
        ("e", "FAILED"),
        ("f", "RUNNING"),
        ("g", "CREATED"),
        ("h", "UNKNOWN"),
    ]


def test_trials_come_back_with_their_condition() -> None:
    sent = [record("a", "Running", {}), record("b", "Killed", {"loss": Metric("loss", "1", "2", "1")})]
    back = conversion.records_from(conversion.trial_messages(PROBLEM, sent))
    assert [(each.name, each.condition, each.assignments) for each in back] == [
        ("a", "Running", {"lr": "0.1"}),
        ("b", "Killed", {"lr": "0.1"}),
    ]
    assert back[1].metrics == {"loss": Metric("loss", "1", "1", "1")}


def test_an_answer_comes_back_with_names_labels_and_the_whole_of_the_settings() -> None:
    answer = Answer(
        (Assignment({"lr": "0.5"}, "mine-1", {"g": "2"}), Assignment({"lr": "1"})), {"state": "{}"}
    )
    back = conversion.answer_from(over_the_wire(conversion.answer_message(answer, PROBLEM)))
    assert back.assignments == answer.assignments
    assert back.settings == {"a": "1", "b": "", "state": "{}"}
    assert not conversion.answer_from(conversion.answer_message(Answer(), PROBLEM)).settings


def test_rules_come_back_and_an_unknown_comparison_is_equal() -> None:
    rules = (Rule("loss", "0.5", "greater", 4), Rule("loss", "1", "less"))
    assert conversion.rules_from(conversion.rules_message(rules)) == rules
    odd = message("GetEarlyStoppingRulesReply")(early_stopping_rules=[{"name": "x", "comparison": 77}])
    assert conversion.rules_from(odd) == (Rule("x", "", "equal"),)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parameter_type": 1}, r"parameters\[1\].name is empty"),
        ({"name": "x"}, r"parameters\[1\].parameter_type is not known"),
        ({"name": "x", "parameter_type": 99}, "DOUBLE, INT, DISCRETE, CATEGORICAL"),
    ],
)
def test_what_is_no_parameter_is_named(fields: dict[str, object], words: str) -> None:
    good = {"name": "a", "parameter_type": 1}
    spec = {"parameter_specs": {"parameters": [good, fields]}}
    with pytest.raises(conversion.MessageError, match=words):
        conversion.problem_from(message("Experiment")(spec=spec), "n", "u")


def record(name: str, condition: str, metrics: dict[str, Metric]) -> TrialRecord:
    return TrialRecord(
        name, {"lr": "0.1"}, condition, metrics, {"generation": "1"}, "2026-01-01T00:00:00.25Z"
    )
