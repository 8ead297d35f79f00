"""What happened in a run, in order: its own states, and those of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui import messages
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (Column("at", "When"), Column("what", "What"), Column("state", "Became"), Column("message", "Why"))
_MOST = 500


class HistoryTab:
    def __init__(self) -> None:
        self._table = DataTable(_COLUMNS, label="Events")
        self._more = widgets.paragraph("", "sp-muted sp-pager")

    def show(self, run: Mapping[str, Any], steps: Sequence[Step]) -> None:
        found = happened(run, steps)
        self._table.set_rows(found[:_MOST])
        self._more.set_text(f"The newest {_MOST} of {len(found):,}" if len(found) > _MOST else "")


def happened(run: Mapping[str, Any], steps: Sequence[Step]) -> list[Row]:
    """The newest first. Pure."""
    found: list[tuple[str, Row]] = []
    for number, entry in enumerate(run.get("state_history", ())):
        why = messages.line(str((entry.get("error") or {}).get("message", "")))
        found.append(_entry(f"run/{number}", entry["update_time"], "The run", entry["state"], why))
    for step in steps:
        for number, attempt in enumerate(step.task.get("attempts", ()), 1):
            name = step.label if step.attempts == 1 else f"{step.label}, attempt {number}"
            key = f"{step.task_id}/{number}"
            if attempt.get("start_time"):
                found.append(_entry(f"{key}/start", attempt["start_time"], name, "RUNNING", ""))
            if attempt.get("end_time"):
                why = messages.line(str(attempt.get("message", "")))
                found.append(_entry(f"{key}/end", attempt["end_time"], name, attempt.get("state", ""), why))
        if not step.task.get("attempts") and step.end:
            found.append(_entry(step.task_id, step.end, step.label, step.state, messages.line(step.message)))
    return [row for _, row in sorted(found, key=lambda each: each[0], reverse=True)]


def _entry(key: str, at: str, what: str, state: str, why: str) -> tuple[str, Row]:
    word, tone, icon = shown(state)
    return at, Row(
        key, {"at": cells.time(at), "what": what, "state": cells.state(word, tone, icon), "message": why}
    )
