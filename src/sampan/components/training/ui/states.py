"""How states of jobs are said and coloured. Pure."""

from __future__ import annotations

import re

from sampan.components.training.api.summary import State, Summary
from sampan.ui import words

_SHOWN = {
    State.PENDING: ("Pending", "idle", "schedule"),
    State.RUNNING: ("Running", "busy", ""),
    State.RESTARTING: ("Restarting", "warn", "restart_alt"),
    State.SUSPENDED: ("Suspended", "idle", "pause_circle"),
    State.SUCCEEDED: ("Succeeded", "ok", ""),
    State.FAILED: ("Failed", "bad", ""),
}
_CREATED = re.compile(r"^\w+ \S+ is created\.\s*")
_MOST_SHORT = 90
ICON = "model_training"
"""Of training, wherever it is named."""


def shown(state: State) -> tuple[str, str, str]:
    """A word, a tone and an icon (empty for the tone's own)."""
    return _SHOWN[state]


def why(summary: Summary) -> str:
    """What its condition says, in one text."""
    if summary.reason and summary.message:
        return f"{summary.reason}: {summary.message}"
    return summary.message or summary.reason


def began(summary: Summary) -> str:
    """When it started, as far as is known: of a TrainJob only when it was made. Empty while it has not."""
    if summary.started or summary.state in (State.PENDING, State.SUSPENDED):
        return summary.started
    return summary.created


def short(summary: Summary) -> str:
    """Why it failed or waits, for a line of a list."""
    if summary.state == State.FAILED:
        text = summary.message or summary.reason
    elif summary.state in (State.PENDING, State.RESTARTING):
        text = _CREATED.sub("", summary.message)
    else:
        return ""
    return text if len(text) <= _MOST_SHORT else text[: _MOST_SHORT - 1].rstrip() + "…"


def percent(summary: Summary) -> int | None:
    """How far it says that it is; None where it says nothing."""
    value = summary.progress.get("progressPercentage")
    return min(100, max(0, int(value))) if isinstance(value, int | float) else None


def remaining(summary: Summary) -> str:
    """How long it says that it still takes; empty where it says nothing, or has ended."""
    value = summary.progress.get("estimatedRemainingSeconds")
    if summary.state.is_finished or not isinstance(value, int | float):
        return ""
    return f"about {lasting(int(value))} left"


def lasting(seconds: int) -> str:
    """A span as people say it: its two largest parts."""
    if seconds < 60:
        return words.counted(seconds, "second|seconds")
    if seconds < 3600:
        return words.counted(round(seconds / 60), "minute|minutes")
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days {hours % 24} h"
