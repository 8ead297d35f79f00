"""Experiments as rows and words, from what the API answers with `view=FULL`. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui.states import shown
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]
"""The address of a page by its path."""

DEFAULT = "Default"
"""The experiment of runs that name none: it keeps its name, and stays."""
_NAMED = 5
_EPOCH = "1970-"

COLUMNS = (
    Column("name", "Experiment", sort="name"),
    Column("last", "Last runs"),
    Column("runs", "Runs", number=True),
    Column("recurring", "Recurring runs"),
    Column("latest", "Last run", sort="last_run_created_at"),
    Column("created", "Created", sort="created_at"),
    Column("actions", "", narrow=True),
)


def experiment(found: Mapping[str, Any], href: Href) -> Row:
    name = found["display_name"]
    latest = found.get("last_run_created_at", "")
    return Row(
        found["experiment_id"],
        {
            "name": cells.link(
                name,
                href(f"/experiments/{found['experiment_id']}"),
                _first_line(found.get("description", "")),
            ),
            "last": cells.marks([mark(run, href) for run in found.get("last_runs", ())]),
            "runs": cells.number(_runs(found), f"{_runs(found):,}"),
            "recurring": recurring(found),
            "latest": cells.time("" if latest.startswith(_EPOCH) else latest),
            "created": cells.time(found["created_at"]),
            "actions": cells.actions(actions(found)),
        },
        name=name,
    )


def mark(run: Mapping[str, Any], href: Href) -> cells.Mark:
    """A run as a small sign of its state."""
    word, tone, icon = shown(str(run.get("state", "")))
    return cells.Mark(tone, icon, f"{run.get('display_name', '')}: {word}", href(f"/runs/{run['run_id']}"))


def recurring(found: Mapping[str, Any]) -> str:
    total, on = found.get("recurring_run_count", 0), found.get("enabled_recurring_run_count", 0)
    if not total:
        return ""
    return f"{total}" if total == on else f"{on} of {total} on"


def actions(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    if is_archived(found):
        return [("unarchive", "Unarchive", "unarchive"), ("delete", "Delete", "delete")]
    return [("run", "New run", "play_arrow"), ("edit", "Edit", "edit"), ("archive", "Archive", "archive")]


def is_archived(found: Mapping[str, Any]) -> bool:
    return str(found.get("storage_state", "")) == "ARCHIVED"


def summary(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """How its runs stand: a text, a tone and an icon for each state that there is."""
    states: Mapping[str, int] = found.get("run_states", {})
    order = ("RUNNING", "PENDING", "PAUSED", "FAILED", "SUCCEEDED", "CANCELING", "CANCELED", "SKIPPED")
    known = [state for state in order if states.get(state)]
    known += sorted(state for state in states if state not in order and states[state])
    told = []
    for state in known:
        word, tone, icon = shown(state)
        told.append((f"{states[state]:,} {word.lower()}", tone, icon))
    return told


def lost_by_archiving(found: Mapping[str, Any], schedules: Sequence[str]) -> list[str]:
    """What the question names: runs that are archived too, and what no longer starts any."""
    count = int(found.get("run_count", 0))
    told = []
    if count:
        names = [str(run["display_name"]) for run in found.get("last_runs", ())]
        what = "Its one run is" if count == 1 else f"All {count:,} of its runs are"
        told.append(f"{what} archived too: {listed(names, count)}")
    going_on = sum(found.get("run_states", {}).get(state, 0) for state in ("RUNNING", "PENDING", "PAUSED"))
    if going_on:
        runs = "One of them is" if going_on == 1 else f"{going_on} of them are"
        told.append(f"{runs} not over yet: what runs goes on, out of sight")
    if schedules:
        what = "Its recurring run is" if len(schedules) == 1 else f"Its {len(schedules)} recurring runs are"
        told.append(f"{what} switched off: {listed(schedules, len(schedules))}")
    if triggers := int(found.get("trigger_count", 0)):
        told.append(
            "Its trigger is switched off" if triggers == 1 else f"Its {triggers} triggers are switched off"
        )
    told.append("Unarchiving it brings back the experiment alone: runs are unarchived one by one")
    return told


def lost_by_deleting(found: Mapping[str, Any], schedules: Sequence[str]) -> list[str]:
    name = found["display_name"]
    told = [f"The experiment {name} and its description"]
    count = _runs(found) + int(found.get("archived_run_count", 0))
    if count:
        what = "Its one run stays" if count == 1 else f"Its {count:,} runs stay"
        told.append(f"{what}, in no experiment")
    if schedules:
        what = "Its recurring run" if len(schedules) == 1 else f"Its {len(schedules)} recurring runs"
        told.append(f"{what} can start no more runs: {listed(schedules, len(schedules))}")
    return told


def listed(names: Sequence[str], total: int) -> str:
    named = list(names[:_NAMED])
    rest = total - len(named)
    return ", ".join(named) + (f" and {rest:,} more" if rest > 0 else "")


def filter_of(text: str, *, archived: bool) -> str:
    """The API's `filter` for a list of experiments."""
    storage = "ARCHIVED" if archived else "AVAILABLE"
    predicates = [{"key": "storage_state", "operation": "EQUALS", "string_value": storage}]
    if text.strip():
        predicates.append({"key": "name", "operation": "IS_SUBSTRING", "string_value": text.strip()})
    return json.dumps({"predicates": predicates})


def _runs(found: Mapping[str, Any]) -> int:
    return int(found.get("run_count", 0))


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 120 else line[:119] + "…"
