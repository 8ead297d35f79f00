"""The trials of an experiment: narrowed, sorted, a page at a time, live. What is shown stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.summary import TrialState
from sampan.components.tuning.ui import states
from sampan.components.tuning.ui.experiment_page import trial_rows
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.components.tuning.ui.experiment_page.trial_rows import Wanted
from sampan.components.tuning.ui.trials import Trials
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips
from sampan.ui.table.pager import Pager
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, DataTable

SIZE = 50
_CHIPS = {state.value: states.of_trial(state)[0] for state in TrialState}


class TrialTable:
    """The table alone, also below a chart that keeps some of the trials."""

    def __init__(self, page: PageContext, namespace: str, wanted: Wanted, *, in_address: bool = True) -> None:
        self._page = page
        self._is_in_address = in_address
        self._namespace = namespace
        self._wanted = wanted
        self._trials = Trials()
        self._columns: Sequence[Column] = ()
        self._start = 0
        self._table = DataTable(
            (), label="Trials", on_sort=self._sort, order=(wanted.sort, wanted.descending)
        ).classes("tu-trials")
        self._pager = Pager(self._turn, SIZE)
        self._none = widgets.paragraph("", "sp-muted")

    def show(self, trials: Trials) -> None:
        self._trials = trials
        wanted = trial_rows.columns(trials)
        if wanted != self._columns:
            self._columns = wanted
            self._table.set_columns(wanted)
        self._draw()

    def narrow(self, **changed: Any) -> None:
        self._wanted = replace(self._wanted, **changed)
        self._start = 0
        self._pager.restart()
        if self._is_in_address:
            self._page.set_query(**trial_rows.to_address(self._wanted))
        self._draw()

    def _draw(self) -> None:
        found = trial_rows.chosen(self._trials, self._wanted)
        self._start = self._start if self._start < len(found) else 0
        part = found[self._start : self._start + SIZE]
        self._table.set_rows(
            [trial_rows.row(each, self._trials, self._namespace, self._page.href) for each in part]
        )
        self._table.set_visibility(bool(part))
        after = self._start + SIZE
        self._pager.show(len(part), len(found), str(after) if after < len(found) else "")
        self._none.set_visibility(not part)
        self._none.set_text("No trial fits." if self._trials.items else "There is no trial yet.")

    def _sort(self, key: str, descending: bool) -> None:
        self.narrow(sort=key, descending=descending)

    def _turn(self, token: str) -> None:
        self._start = int(token or 0)
        self._draw()


class TrialsPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown

    async def build(self) -> None:
        wanted = trial_rows.from_address(self._page.query)
        bar = ui.element("div").classes("sp-bar-of-list")
        with bar.props('role="search" aria-label="Narrow the trials"'):
            SearchBox("Name, value, message", wanted.text, lambda text: self._table.narrow(text=text))
            Chips("State", _CHIPS, wanted.states, lambda on: self._table.narrow(states=on))
        self._table = TrialTable(self._page, self._shown.experiment.namespace, wanted)
        self.update()

    def update(self) -> None:
        self._table.show(self._shown.trials)

    def stop(self) -> None:
        """Nothing goes on by itself."""
