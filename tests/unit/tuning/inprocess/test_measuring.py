"""What a trial in-process has measured, and when it is to stop."""

from __future__ import annotations

from typing import Any

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.reading import condition_of
from sampan.components.tuning.engine.inprocess import measuring
from sampan.components.tuning.engine.inprocess.measuring import Measuring

_NOW, _LATER = "2026-11-26T10:00:00Z", "2026-11-26T10:00:09Z"


def _trial(*rules: dict[str, Any]) -> dict[str, Any]:
    objective = {
        "type": "minimize",
        "objectiveMetricName": "loss",
        "metricStrategies": [{"name": "loss", "value": "min"}],
    }
    return {
        "metadata": {"name": "t"},
        "spec": {"objective": objective, "earlyStoppingRules": list(rules)},
    }


def _logs(*values: str, name: str = "loss") -> list[MetricLog]:
    return [MetricLog(_NOW, name, value, f"report/{number}") for number, value in enumerate(values)]


def test_a_success_is_summed_up() -> None:
    measured = Measuring(_trial())
    assert measured.take(_logs("3", "1", "2")) == ""
    status = measured.succeeded(measuring.begun({}, _NOW), _LATER)
    assert condition_of({"status": status}) == "Succeeded"
    assert status["observation"]["metrics"] == [{"name": "loss", "min": "1", "max": "3", "latest": "2"}]
    assert (status["startTime"], status["completionTime"]) == (_NOW, _LATER)


def test_a_success_that_measured_nothing_is_none() -> None:
    status = Measuring(_trial()).succeeded(measuring.begun({}, _NOW), _LATER)
    assert condition_of({"status": status}) == "MetricsUnavailable"
    assert "nothing was reported for loss" in status["conditions"][-1]["message"]


def test_a_rule_that_is_met_stops_it() -> None:
    rule = {"name": "loss", "value": "2", "comparison": "greater", "startStep": 2}
    measured = Measuring(_trial(rule))
    assert measured.take(_logs("3")) == ""
    why = measured.take(_logs("4"))
    assert "loss 3" in why
    status = measured.stopped_early(measuring.begun({}, _NOW), why, _LATER)
    assert condition_of({"status": status}) == "EarlyStopped"
    assert status["observation"]["metrics"][0]["min"] == "3"


def test_what_an_earlier_attempt_reported_counts_but_meets_no_rule() -> None:
    rule = {"name": "loss", "value": "2", "comparison": "greater", "startStep": 1}
    measured = Measuring(_trial(rule))
    measured.recall(_logs("9"))
    assert measured.take(_logs("1")) == ""
    assert measured.succeeded({}, _NOW)["observation"]["metrics"][0]["max"] == "9"


def test_one_that_runs_when_its_experiment_ends_is_killed() -> None:
    trial = {**_trial(), "status": measuring.begun({}, _NOW)}
    status = measuring.killed(trial, "its experiment is over", _LATER)
    assert condition_of({"status": status}) == "Killed"
    running = next(each for each in status["conditions"] if each["type"] == "Running")
    assert running["status"] == "False"
    assert status["completionTime"] == _LATER
