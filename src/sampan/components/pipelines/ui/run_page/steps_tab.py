"""All steps of a run as a list: the graph's text, and quick to search in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import messages
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.controls.controls import Chips
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (
    Column("label", "Step"),
    Column("state", "State"),
    Column("took", "Took", number=True),
    Column("started", "Started"),
    Column("attempts", "Attempts", number=True),
    Column("actions", "", narrow=True),
)
_MOST = 500
_MOST_CHARACTERS = 100
_CHIPS = {
    state: shown(state)[0] for state in ("RUNNING", "PENDING", "FAILED", "SUCCEEDED", "CACHED", "SKIPPED")
}


class StepsTab:
    def __init__(self, open_step: Callable[[str], Any]) -> None:
        self._text, self._states = "", tuple[str, ...]()
        self._steps: Sequence[Step] = ()
        with ui.element("div").classes("sp-bar-of-list"):
            SearchBox("Name contains", "", self._search)
            Chips("State", _CHIPS, (), self._narrow)
        self._table = DataTable(_COLUMNS, label="Steps", on_action=lambda key, _: open_step(key))
        self._count = widgets.paragraph("", "sp-muted sp-pager")

    def show(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        found = [step for step in steps if self._is_wanted(step)]
        self._table.set_rows([row(step) for step in found[:_MOST]])
        more = f"; the first {_MOST} are shown" if len(found) > _MOST else ""
        self._count.set_text(f"{len(found):,} of {len(steps):,} steps{more}")

    def _is_wanted(self, step: Step) -> bool:
        return self._text.lower() in step.label.lower() and (not self._states or step.state in self._states)

    def _search(self, text: str) -> None:
        self._text = text.strip()
        self.show(self._steps)

    def _narrow(self, states: tuple[str, ...]) -> None:
        self._states = states
        self.show(self._steps)


def row(step: Step) -> Row:
    word, tone, icon = shown(step.state)
    return Row(
        step.task_id,
        {
            "label": cells.lines(step.label, messages.line(step.message, _MOST_CHARACTERS)),
            "state": cells.state(word, tone, icon),
            "took": cells.duration(step.start, step.end),
            "started": cells.time(step.start),
            "attempts": cells.number(step.attempts or None),
            "actions": cells.actions([("open", "Open", "chevron_right")]),
        },
        name=step.label,
    )
