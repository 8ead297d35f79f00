"""What the table of a comparison shows: facts, parameters, metrics, steps and artifacts, a row each.

A row has a cell for every run. Pure; drawn by `matrix`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.ui.compare import model
from sampan.components.pipelines.ui.compare.model import ComparedRun
from sampan.components.pipelines.ui.states import shown as state_shown
from sampan.ui.charts.figure import shown

MOST_ROWS = 200
_MOST_CHARACTERS = 400

Href = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Cell:
    text: str = ""
    note: str = ""
    """In small beside it: how far it is from the baseline."""
    mark: str = ""
    """`best` or `worst` of its row."""
    href: str = ""
    at: str = ""
    """A moment, shown in the reader's zone in place of the text."""
    since: str = ""
    """The start of what still goes on: the time counts on."""
    tone: str = ""
    icon: str = ""
    title: str = ""
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    label: str
    cells: Sequence[Cell]
    differs: bool = False
    action: Mapping[str, str] | None = None
    """A button beside the label: its name, what it does, its icon."""


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    label: str
    rows: Sequence[Row] = field(default_factory=tuple)
    note: str = ""
    """In place of rows where there are none, or below them."""


def facts(runs: Sequence[ComparedRun], href: Href) -> Section:
    rows = [
        _row("state", "State", [_state(run) for run in runs]),
        _row("started", "Started", [Cell(at=run.created_at) for run in runs], differs=False),
        _row("duration", "Duration", [_duration(run) for run in runs], differs=False),
        _row("pipeline", "Pipeline", [_pipeline(run, href) for run in runs]),
        _versions(runs, href),
        _row("experiment", "Experiment", [_experiment(run, href) for run in runs]),
        _row("by", "Started by", [_started_by(run, href) for run in runs]),
        _row("error", "Error", [Cell(run.error[:_MOST_CHARACTERS], title=run.error) for run in runs]),
    ]
    return Section("facts", "Overview", [row for row in rows if any(cell != Cell() for cell in row.cells)])


def parameters(runs: Sequence[ComparedRun], *, all_of_them: bool) -> Section:
    every = model.names(runs, "parameters")
    differing = set(model.differing_parameters(runs))
    rows = [
        _row(
            f"parameter:{name}",
            name,
            [_value(run.parameters, name) for run in runs],
            differs=name in differing,
        )
        for name in every
        if all_of_them or name in differing
    ]
    return Section("parameters", "Parameters", rows, _parameters_note(every, differing, all_of_them))


def metrics(
    runs: Sequence[ComparedRun], base: str, lower: Callable[[str], bool] = model.lower_is_better
) -> Section:
    """`base` is the run whose values the others are held against; `lower` says of a metric that less is better."""
    every = model.names(runs, "metrics")
    note = "" if every else "None of these runs has a metric yet. A step records one with metrics.log_metric."
    return Section("metrics", "Metrics", [_metric(runs, name, base, lower(name)) for name in every], note)


def steps(runs: Sequence[ComparedRun], base: str) -> Section:
    every = model.names(runs, "steps")
    rows = [_step(runs, path, base) for path in every[:MOST_ROWS]]
    note = "" if every else "No step has started yet."
    if len(every) > MOST_ROWS:
        note = f"{len(every) - MOST_ROWS} more steps are in the file that “Download CSV” gives."
    return Section("steps", "Time of each step", rows, note)


def artifacts(runs: Sequence[ComparedRun], href: Href) -> Section:
    rows = []
    every = model.names(runs, "artifacts")
    for key in every[:MOST_ROWS]:
        found = [run.artifacts.get(key) for run in runs]
        cells = [
            Cell(each.type or "Artifact", href=href(f"/artifacts/{each.id}"), title=each.uri)
            if each is not None
            else Cell()
            for each in found
        ]
        action = {"name": f"show:{key}", "label": "Show side by side", "icon": "visibility"}
        rows.append(Row(f"artifact:{key}", key, cells, not all(found), action))
    note = "" if rows else "None of these runs has written an artifact yet."
    if len(every) > MOST_ROWS:
        note = f"{len(every) - MOST_ROWS} more artifacts are on the pages of these runs."
    return Section("artifacts", "Artifacts", rows, note)


def value_text(value: Any) -> str:
    """A parameter's value as one line."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else shown(value)


def seconds_text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _row(key: str, label: str, cells: Sequence[Cell], *, differs: bool | None = None) -> Row:
    if differs is None:
        differs = len({(cell.text, cell.at) for cell in cells}) > 1
    return Row(key, label, cells, differs)


def _parameters_note(every: Sequence[str], differing: set[str], all_of_them: bool) -> str:
    same = len(every) - len(differing)
    if not every:
        return "These runs have no parameters."
    if all_of_them or not same:
        return ""
    if not differing:
        return (
            f"All {len(every)} parameters are the same." if len(every) > 1 else "The parameter is the same."
        )
    return f"{same} more {'is' if same == 1 else 'are'} the same in all runs."


def _state(run: ComparedRun) -> Cell:
    text, tone, icon = state_shown(run.state)
    return Cell(text, tone=tone, icon=icon, title=run.error)


def _duration(run: ComparedRun) -> Cell:
    return Cell(seconds_text(run.seconds)) if run.seconds is not None else Cell(since=run.created_at)


def _pipeline(run: ComparedRun, href: Href) -> Cell:
    name = run.origin.get("pipeline", "")
    return Cell(name, href=href(f"/pipelines/{run.pipeline_id}") if run.pipeline_id and name else "")


def _version(run: ComparedRun, href: Href) -> Cell:
    name = run.origin.get("pipeline_version", "")
    path = f"/pipelines/{run.pipeline_id}/versions/{run.version_id}"
    return Cell(name, href=href(path) if name else "")


def _versions(runs: Sequence[ComparedRun], href: Href) -> Row:
    cells = [_version(run, href) for run in runs]
    action = None
    if differing_versions(runs) is not None:
        action = {"name": "versions", "label": "Show what differs between the versions", "icon": "difference"}
    return Row("version", "Version", cells, len({cell.text for cell in cells}) > 1, action)


def differing_versions(runs: Sequence[ComparedRun], base: str = "") -> tuple[str, str, str] | None:
    """A pipeline and two versions of it that runs here are of: the baseline's or the first, and the last other one."""
    first = next((run for run in runs if run.id == base), None) or next(iter(runs), None)
    if first is None or not first.version_id:
        return None
    others = [
        run.version_id
        for run in runs
        if run.pipeline_id == first.pipeline_id and run.version_id not in ("", first.version_id)
    ]
    return (first.pipeline_id, first.version_id, others[-1]) if others else None


def _experiment(run: ComparedRun, href: Href) -> Cell:
    name = run.origin.get("experiment", "")
    return Cell(name, href=href(f"/experiments/{run.experiment_id}") if name else "")


def _started_by(run: ComparedRun, href: Href) -> Cell:
    if run.resumed_from:
        return Cell("Resumed run", href=href(f"/runs/{run.resumed_from}"))
    return Cell(run.origin.get("recurring_run", "") or run.origin.get("trigger", ""))


def _value(values: Mapping[str, Any], name: str) -> Cell:
    if name not in values:
        return Cell("not given", tone="muted")
    text = value_text(values[name])
    if text == "":
        return Cell("empty", tone="muted")
    return Cell(text[:_MOST_CHARACTERS], title=text if len(text) > _MOST_CHARACTERS else "", mono=True)


def _metric(runs: Sequence[ComparedRun], name: str, base: str, lower: bool) -> Row:
    values = [run.metrics.get(name) for run in runs]
    marks = best_and_worst(values, lower=lower)
    against = next((run.metrics.get(name) for run in runs if run.id == base), None)
    cells = [
        Cell(shown(value), _difference(value, against) if run.id != base else "", mark)
        for run, value, mark in zip(runs, values, marks, strict=True)
    ]
    word = "Lower" if lower else "Higher"
    action = {
        "name": f"direction:{name}",
        "label": f"{word} is better. Click to change",
        "icon": "south" if lower else "north",
    }
    return Row(f"metric:{name}", name, cells, not model.is_same(values), action)


def best_and_worst(values: Sequence[float | None], *, lower: bool) -> list[str]:
    """`best`, `worst` or nothing for each; nothing at all where they do not differ. Of two, only the best."""
    known = [value for value in values if value is not None and value == value]
    if len(set(known)) < 2:
        return [""] * len(values)
    best, worst = (min(known), max(known)) if lower else (max(known), min(known))
    marks = {best: "best", worst: "worst" if len(known) > 2 else ""}
    return [marks.get(value, "") if value is not None else "" for value in values]


def _difference(value: float | None, against: float | None) -> str:
    if value is None or against is None or value == against:
        return ""
    gap = value - against
    part = f", {gap / abs(against) * 100:+.1f} %" if against else ""
    return f"{gap:+.4g}{part}"


def _step(runs: Sequence[ComparedRun], path: str, base: str) -> Row:
    against = next((run.steps[path].seconds for run in runs if run.id == base and path in run.steps), None)
    cells = []
    for run in runs:
        step = run.steps.get(path)
        if step is None:
            cells.append(Cell())
            continue
        text, tone, icon = state_shown(step.state)
        word = "" if step.state == "SUCCEEDED" else text
        times = f"{step.count} times" if step.count > 1 else ""
        is_reused = step.state in ("CACHED", "SKIPPED")
        note = ", ".join(each for each in (word, times) if each)
        if not note and run.id != base and against and step.seconds:
            note = f"{(step.seconds - against) / against * 100:+.0f} %"
        cells.append(
            Cell(
                "" if step.since or is_reused else seconds_text(step.seconds),
                note,
                since=step.since,
                tone=tone if word else "",
                icon=icon if word else "",
            )
        )
    return Row(f"step:{path}", path, cells)
