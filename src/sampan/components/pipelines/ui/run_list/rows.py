"""A run as a row of a table. Pure. Shared with other pages that list runs (an experiment's, the archive)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui import messages
from sampan.components.pipelines.ui.states import is_final, shown
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]
"""The address of a page by its path."""

_EPOCH = "1970-01-01T00:00:00Z"


def columns(metrics: Sequence[str] = (), *, with_starter: bool = True) -> list[Column]:
    """`with_starter` where some of the runs were not started by hand."""
    return [
        Column("name", "Name", sort="name"),
        Column("state", "State", sort="state"),
        Column("pipeline", "Pipeline"),
        Column("experiment", "Experiment"),
        *([Column("started_by", "Started by")] if with_starter else []),
        *(Column(f"metric:{name}", name, sort=f"metric:{name}", number=True) for name in metrics),
        Column("duration", "Duration", number=True),
        Column("created", "Started", sort="created_at"),
        Column("actions", "", narrow=True),
    ]


def row(run: Mapping[str, Any], href: Href, metrics: Sequence[str] = ()) -> Row:
    state = run.get("state", "")
    word, tone, icon = shown(state)
    why = explanation(run)
    name = run.get("display_name", "")
    origin = run.get("origin", {})
    found = {
        "name": cells.link(name, href(f"/runs/{run['run_id']}"), second=why),
        "state": cells.state(_with_progress(word, run), tone, icon, title=why),
        "pipeline": _pipeline(run, origin, href),
        "experiment": _linked(
            origin.get("experiment", ""), href, "/experiments", run.get("experiment_id", "")
        ),
        "started_by": _started_by(run, origin, href),
        "duration": cells.duration(run["created_at"], ended(run)),
        "created": cells.time(run["created_at"]),
        "actions": cells.actions(quick_actions(state)),
    }
    numbers = run.get("metrics", {})
    for each in metrics:
        found[f"metric:{each}"] = cells.number(numbers.get(each), _number(numbers.get(each)))
    return Row(run["run_id"], found, name=name)


def has_starter(run: Mapping[str, Any]) -> bool:
    return bool(
        run.get("recurring_run_id") or run.get("resumed_from") or run.get("origin", {}).get("trigger_id")
    )


def explanation(run: Mapping[str, Any]) -> str:
    """Why it failed, or what keeps it from going on, in a line; empty where there is nothing to say."""
    message = str((run.get("error") or {}).get("message", ""))
    if run.get("state") in ("FAILED", "PAUSED") or (message and not is_final(run.get("state", ""))):
        return messages.line(message)
    waiting = run.get("waiting")
    return f"{waiting['step']} waits: {messages.line(waiting['message'])}" if waiting else ""


def ended(run: Mapping[str, Any]) -> str:
    """When it ended; empty while it goes on."""
    at = str(run.get("finished_at", ""))
    return "" if at == _EPOCH else at


def quick_actions(state: str) -> list[tuple[str, str, str]]:
    """What a row offers: name, label, icon."""
    found = [("clone", "Clone", "content_copy")]
    if state in ("FAILED", "CANCELED"):
        found.insert(0, ("retry", "Retry", "replay"))
    elif not is_final(state):
        found.insert(0, ("stop", "Stop", "stop_circle"))
    return found


def progress(run: Mapping[str, Any]) -> tuple[int, int]:
    """Steps that are over, and all that are known, of a run that is under way."""
    counts: Mapping[str, int] = run.get("progress", {})
    return sum(count for state, count in counts.items() if is_final(state)), sum(counts.values())


def _with_progress(word: str, run: Mapping[str, Any]) -> str:
    done, known = progress(run)
    return f"{word} {done}/{known}" if known and run.get("state") == "RUNNING" else word


def _pipeline(run: Mapping[str, Any], origin: Mapping[str, str], href: Href) -> cells.Cell:
    name, version = origin.get("pipeline", ""), origin.get("pipeline_version", "")
    reference = run.get("pipeline_version_reference", {})
    if not reference.get("pipeline_id"):
        return name
    path = f"/pipelines/{reference['pipeline_id']}"
    if reference.get("pipeline_version_id"):
        path += f"/versions/{reference['pipeline_version_id']}"
    second = version if version != name else ""
    return cells.link(name, href(path), second=second) if name else "Deleted"


def _started_by(run: Mapping[str, Any], origin: Mapping[str, str], href: Href) -> cells.Cell:
    if run.get("recurring_run_id"):
        name = origin.get("recurring_run", "")
        return _linked(
            name or "Recurring run", href, "/recurring-runs", run["recurring_run_id"] if name else ""
        )
    if origin.get("trigger_id"):
        return _linked(origin["trigger"], href, "/triggers", origin["trigger_id"])
    if run.get("resumed_from"):
        return _linked("Resumed run", href, "/runs", run["resumed_from"])
    return ""


def _linked(text: str, href: Href, base: str, key: str) -> cells.Cell:
    return cells.link(text, href(f"{base}/{key}")) if text and key else text


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
