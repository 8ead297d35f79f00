"""How states of experiments and trials are said and coloured. Pure."""

from __future__ import annotations

from sampan.components.tuning.api.summary import State, Summary, TrialState, TrialSummary
from sampan.ui import words
from sampan.ui.charts.figure import shown as shown_number

_EXPERIMENTS = {
    State.CREATED: ("Created", "idle", "schedule"),
    State.RUNNING: ("Running", "busy", ""),
    State.RESTARTING: ("Restarting", "warn", "restart_alt"),
    State.SUCCEEDED: ("Succeeded", "ok", ""),
    State.FAILED: ("Failed", "bad", ""),
}
_TRIALS = {
    TrialState.PENDING: ("Pending", "idle", "schedule"),
    TrialState.RUNNING: ("Running", "busy", ""),
    TrialState.SUCCEEDED: ("Succeeded", "ok", ""),
    TrialState.EARLY_STOPPED: ("Stopped early", "idle", "content_cut"),
    TrialState.FAILED: ("Failed", "bad", ""),
    TrialState.KILLED: ("Killed", "warn", "cancel"),
    TrialState.METRICS_UNAVAILABLE: ("No metrics", "warn", "help"),
}
_ENDS = {
    "ExperimentGoalReached": "goal reached",
    "ExperimentMaxTrialsReached": "all trials done",
    "ExperimentSuggestionEndReached": "nothing more to try",
    "ExperimentStopped": "stopped",
}
_MOST_SHORT = 110

CONDITION_TONES = {
    "Failed": "bad",
    "Succeeded": "ok",
    "Running": "busy",
    "Restarting": "warn",
    "MetricsUnavailable": "warn",
    "Killed": "warn",
    "DeploymentReady": "ok",
}
"""Of conditions of experiments, suggestions and trials that hold."""


def shown(state: State) -> tuple[str, str, str]:
    """A word, a tone and an icon (empty for the tone's own)."""
    return _EXPERIMENTS[state]


def of_trial(state: TrialState) -> tuple[str, str, str]:
    return _TRIALS[state]


def why(said: Summary | TrialSummary) -> str:
    """What its condition says, in one text."""
    if said.reason and said.message:
        return f"{said.reason}: {said.message}"
    return said.message or said.reason


def end(experiment: Summary) -> str:
    """Why it ended well, in a few words."""
    return _ENDS.get(experiment.reason, "") if experiment.state == State.SUCCEEDED else ""


def short(experiment: Summary) -> str:
    """Why it ended or what it waits for, for a line of a list."""
    if experiment.state == State.FAILED:
        return cut(experiment.message or experiment.reason)
    if experiment.state == State.SUCCEEDED:
        return end(experiment)
    return cut(experiment.message) if experiment.state == State.CREATED else ""


def short_of_trial(trial: TrialSummary) -> str:
    if trial.state in (TrialState.SUCCEEDED, TrialState.RUNNING):
        return ""
    return cut(trial.message or trial.reason)


def cut(text: str, most: int = _MOST_SHORT) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def progress(experiment: Summary) -> tuple[float, str]:
    """Trials that have ended, as a share of all that may be (0 where there is no limit), and in words."""
    most = experiment.most_trials
    if most is None:
        return 0.0, words.counted(experiment.done, "trial|trials")
    return (min(1.0, experiment.done / most) if most else 0.0), f"{experiment.done:,} / {most:,}"


def value(text: str | None) -> str:
    """A metric's value for people: six significant digits of a number; what is none, as it is."""
    if not text:
        return ""
    try:
        return shown_number(float(text))
    except ValueError:
        return text


def counted(experiment: Summary) -> str:
    """Its trials by state, in words."""
    return ", ".join(f"{count:,} {_TRIALS[state][0].lower()}" for state, count in experiment.counts.items())


def direction(kind: str) -> str:
    return {"maximize": "highest", "minimize": "lowest"}.get(kind, "")
