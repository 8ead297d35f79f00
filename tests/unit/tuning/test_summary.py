"""Experiments and trials in short."""

from __future__ import annotations

import pytest

from sampan.components.tuning.api.summary import (
    State,
    TrialState,
    number,
    summarise,
    summarise_trial,
)


def _conditions(*told: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"type": type_, "status": status, "reason": f"Experiment{type_}", "message": type_}
        for type_, status in told
    ]


def test_the_last_condition_that_holds_is_the_state() -> None:
    status = {"conditions": _conditions(("Created", "True"), ("Running", "False"), ("Failed", "True"))}
    found = summarise(
        {
            "metadata": {"name": "a"},
            "spec": {},
            "status": {**status, "completionTime": "2026-01-01T00:00:00Z"},
        }
    )
    assert (found.state, found.reason, found.message) == (State.FAILED, "ExperimentFailed", "Failed")
    assert found.ended
    again = summarise(
        {"status": {**status, "conditions": _conditions(("Created", "True"), ("Restarting", "True"))}}
    )
    assert again.state == State.RESTARTING
    assert not again.ended
    assert summarise({}).state == State.CREATED


def test_the_best_value_is_the_one_that_the_strategy_names() -> None:
    metrics = [{"name": "loss", "min": "0.1", "max": "0.9", "latest": "0.4"}]
    objective = {
        "objectiveMetricName": "loss",
        "type": "minimize",
        "metricStrategies": [{"name": "loss", "value": "latest"}],
    }
    best = {
        "bestTrialName": "a-1",
        "observation": {"metrics": metrics},
        "parameterAssignments": [{"name": "lr", "value": "1"}],
    }
    status = {
        "currentOptimalTrial": best,
        "trialsSucceeded": 2,
        "trialsFailed": 1,
        "trialsRunning": 4,
        "trials": 7,
    }
    found = summarise({"spec": {"objective": objective}, "status": status})
    assert found.best is not None
    assert (found.best_value, found.best.assignments, found.done) == (0.4, {"lr": "1"}, 3)
    assert found.counts == {TrialState.SUCCEEDED: 2, TrialState.RUNNING: 4, TrialState.FAILED: 1}
    del objective["metricStrategies"]
    assert summarise({"spec": {"objective": objective}, "status": status}).best_value == 0.1
    assert summarise({"status": {"currentOptimalTrial": {"bestTrialName": ""}}}).best is None


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ("Created", TrialState.PENDING),
        ("MetricsUnavailable", TrialState.METRICS_UNAVAILABLE),
        ("EarlyStopped", TrialState.EARLY_STOPPED),
    ],
)
def test_a_trial_of_each_kind(condition: str, state: TrialState) -> None:
    trial = {
        "metadata": {"name": "a-1", "labels": {"katib.kubeflow.org/experiment": "a"}},
        "spec": {"parameterAssignments": [{"name": "lr", "value": "0.1"}]},
        "status": {"conditions": _conditions((condition, "True"))},
    }
    found = summarise_trial(trial)
    assert (found.state, found.experiment, found.assignments) == (state, "a", {"lr": "0.1"})
    assert state.is_finished == (state != TrialState.PENDING)


def test_a_trial_that_cannot_start_says_why() -> None:
    waiting = {
        "type": "Running",
        "status": "False",
        "reason": "Unschedulable",
        "message": "no node has 8 cores free",
    }
    trial = {"status": {"conditions": [*_conditions(("Created", "True")), waiting]}}
    found = summarise_trial(trial)
    assert (found.state, found.reason, found.message) == (
        TrialState.PENDING,
        "Unschedulable",
        "no node has 8 cores free",
    )
    ended = summarise_trial({"status": {"conditions": [waiting, *_conditions(("Failed", "True"))]}})
    assert (ended.state, ended.message) == (TrialState.FAILED, "Failed")


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 0.001), ("unavailable", None), ("nan", None), ("inf", None), (None, None)]
)
def test_only_numbers_are_compared(text: str | None, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("spec", "annotations", "over"),
    [
        ({"resumePolicy": "LongRunning", "maxTrialCount": 3}, {}, True),
        ({"resumePolicy": "LongRunning", "maxTrialCount": 5}, {}, False),
        ({"resumePolicy": "FromVolume", "maxTrialCount": 5}, {}, False),
        ({"resumePolicy": "Never", "maxTrialCount": 5}, {}, True),
        ({"resumePolicy": "LongRunning", "maxTrialCount": 5}, {"sampan.dev/stop": "true"}, True),
    ],
)
def test_one_whose_budget_has_grown_is_not_over(
    spec: dict[str, object], annotations: dict[str, str], over: bool
) -> None:
    done = {"type": "Succeeded", "status": "True", "reason": "ExperimentMaxTrialsReached"}
    found = summarise(
        {
            "metadata": {"name": "a", "annotations": annotations},
            "spec": spec,
            "status": {"conditions": [done], "trials": 3},
        }
    )
    assert found.state == State.SUCCEEDED
    assert found.is_over is over
