"""An experiment as it goes on, as lines and as a table."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from sampan.components.tuning.api.summary import Summary, TrialSummary, summarise, summarise_trial
from sampan.components.tuning.sdk.progress import Progress, print_end, view, waiting_for

_SPEC = {
    "objective": {"type": "maximize", "objectiveMetricName": "height"},
    "parameters": [
        {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
    ],
    "maxTrialCount": 4,
}


def _experiment(condition: str = "Running", message: str = "", **status: Any) -> Summary:
    conditions = [{"type": condition, "status": "True", "reason": condition, "message": message}]
    metadata = {"name": "hill", "namespace": "default", "creationTimestamp": "2026-11-26T10:00:00Z"}
    return summarise({"metadata": metadata, "spec": _SPEC, "status": {"conditions": conditions, **status}})


def _trial(name: str, condition: str, value: str = "", message: str = "") -> TrialSummary:
    metrics = [{"name": "height", "min": value, "max": value, "latest": value}] if value else []
    return summarise_trial(
        {
            "metadata": {"name": f"hill-{name}"},
            "spec": {
                "objective": _SPEC["objective"],
                "parameterAssignments": [{"name": "x", "value": "0.123456789"}],
            },
            "status": {
                "conditions": [{"type": condition, "status": "True", "message": message}],
                "observation": {"metrics": metrics},
            },
        }
    )


def _console() -> Console:
    return Console(width=200, force_terminal=False, record=True, file=None, quiet=False)


def test_each_trial_that_ends_is_a_line_once(capsys: Any) -> None:
    trials = [
        _trial("a", "Succeeded", "0.5"),
        _trial("b", "Failed", message="too high"),
        _trial("c", "Running"),
    ]
    running = _experiment(trialsRunning=1, trialsSucceeded=1, trialsFailed=1)
    with Progress(_console()) as progress:
        progress.update(running, trials)
        progress.update(running, trials)
        progress.update(_experiment("Succeeded", "done", trialsSucceeded=1), trials)
    said = capsys.readouterr().out
    assert said.count("hill-a  height=0.5  x=0.123457") == 1
    assert said.count("too high") == 1
    assert "hill-c" not in said
    assert "succeeded after" in said


def test_why_it_waits_is_said_once_and_not_while_trials_run(capsys: Any) -> None:
    waits = _experiment(message="Experiment is running: no room for its workers")
    assert waiting_for(waits) == "no room for its workers"
    assert waiting_for(_experiment(message="Experiment is running")) == ""
    assert waiting_for(_experiment(message="Experiment is running: x", trialsRunning=1)) == ""
    assert waiting_for(_experiment("Failed", "everything is wrong")) == ""
    with Progress(_console()) as progress:
        progress.update(waits, [])
        progress.update(waits, [])
    assert capsys.readouterr().out.count("no room for its workers") == 1


def test_a_table_shows_what_runs_and_the_latest(capsys: Any) -> None:
    best = {
        "bestTrialName": "hill-t9",
        "parameterAssignments": [{"name": "x", "value": "0.5"}],
        "observation": {"metrics": [{"name": "height", "min": "9", "max": "9", "latest": "9"}]},
    }
    trials = [_trial(f"t{number}", "Succeeded", str(number)) for number in range(10)]
    summary = _experiment(trialsSucceeded=10, trialsRunning=1, currentOptimalTrial=best)
    Console(width=120).print(view(summary, [*trials, _trial("now", "Running")], 4))
    said = capsys.readouterr().out
    assert "now" in said
    assert "t9" in said
    assert "t5" not in said
    assert "best  height=9  x=0.5" in said


def test_an_end_says_why_it_failed(capsys: Any) -> None:
    print_end(Console(width=120), _experiment("Failed", "max failed count has reached", trialsFailed=3))
    said = capsys.readouterr().out
    assert "failed after" in said
    assert "3 failed" in said
    assert "max failed count has reached" in said
