"""Recurring runs and Argo's CronWorkflows as pages show them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui.recurring import schedule_words
from sampan.components.pipelines.ui.states import shown
from sampan.ui.contract import Hit

Shown = tuple[str, str, str, str]
"""A word, a tone, an icon, and why."""


def is_paused(schedule: Mapping[str, Any]) -> bool:
    return str(schedule.get("status", "")) != "ENABLED"


def state(schedule: Mapping[str, Any]) -> Shown:
    error = str(schedule.get("error", {}).get("message", ""))
    if is_paused(schedule):
        return "Paused", "warn", "pause_circle", error or "It starts no runs until it is resumed"
    if error:
        return "Cannot start runs", "bad", "", error
    if "next_tick_at" not in schedule:
        return "Over", "idle", "event_available", "It does not tick any more"
    return "Active", "ok", "schedule", ""


def when(schedule: Mapping[str, Any]) -> tuple[str, str]:
    return schedule_words.when(schedule.get("trigger", {}))


def window(schedule: Mapping[str, Any]) -> tuple[str, str]:
    """From when until when it ticks; nothing where that is open."""
    trigger = schedule.get("trigger", {})
    found = trigger.get("cron_schedule") or trigger.get("periodic_schedule") or {}
    return str(found.get("start_time", "")), str(found.get("end_time", ""))


def marks(runs: Sequence[Mapping[str, Any]], href: Any) -> list[tuple[str, str, str]]:
    """Of its latest runs, the oldest first. `href` makes an address of a path."""
    found = []
    for run in reversed(runs):
        word, tone, _ = shown(str(run.get("state", "")))
        found.append((tone, f"{run.get('display_name', '')}: {word}", href(f"/runs/{run['run_id']}")))
    return found


def tick(past: Mapping[str, Any]) -> Shown:
    """What became of one of the last ticks."""
    named = str(past.get("state", ""))
    reason = str(past.get("reason", ""))
    if named == "MISSED":
        return "No run", "warn", "event_busy", reason
    if named == "WAITING":
        return "Waiting", "idle", "hourglass_empty", reason
    word, tone, icon = shown(named)
    return word, tone, icon, ""


def missed(past: Sequence[Mapping[str, Any]]) -> int:
    return sum(1 for each in past if each.get("state") == "MISSED")


def cron_workflow_state(workflow: Mapping[str, Any]) -> Shown:
    if workflow.get("spec", {}).get("suspend"):
        return "Paused", "warn", "pause_circle", "It starts no Workflows until suspend is false"
    conditions = workflow.get("status", {}).get("conditions") or []
    wrong = next((str(each.get("message", "")) for each in conditions if each.get("type") == "SpecError"), "")
    if wrong:
        return "Cannot start runs", "bad", "", wrong
    return "Active", "ok", "schedule", ""


def cron_workflow_when(workflow: Mapping[str, Any]) -> tuple[str, str]:
    spec = workflow.get("spec", {})
    schedules = spec.get("schedules") or [spec.get("schedule", "")]
    # A crontab's five fields have no seconds.
    said = [
        schedule_words.cron(f"0 {each}" if len(str(each).split()) == 5 else str(each)) for each in schedules
    ]
    return "; ".join(said), str(spec.get("timezone", ""))


def hit(schedule: Mapping[str, Any]) -> Hit:
    return Hit(
        kind="Recurring run",
        name=str(schedule["display_name"]),
        path=f"/recurring-runs/{schedule['recurring_run_id']}",
        icon="event_repeat",
        detail=f"{state_word(schedule)} · {when(schedule)[0]}",
    )


def state_word(schedule: Mapping[str, Any]) -> str:
    return "Paused" if is_paused(schedule) else "Active"
