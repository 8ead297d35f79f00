"""The experiments of a namespace: narrowed, sorted, live. What is shown stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.summary import State, Summary, summarise
from sampan.components.tuning.ui import actions, first_experiment, places, states
from sampan.components.tuning.ui.experiment_list import query, rows
from sampan.components.tuning.ui.experiment_list.query import Wanted
from sampan.ui import widgets, words
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips, Choice
from sampan.ui.table.pager import Pager
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import DataTable

_SIZE = 100
_CHIPS = {state.value: states.shown(state)[0] for state in State}


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._wanted = query.from_address(page.query)
        self._all: Sequence[Summary] = ()
        self._start = 0
        self._is_empty: bool | None = None

    async def build(self) -> None:
        page = self._page
        with widgets.page_header(
            "Tuning experiments", "Searches for the best parameters of a program: Katib's experiments."
        ):
            widgets.button("Trial templates", icon="description", href=page.href(places.TEMPLATES))
            widgets.button("New experiment", icon="add", kind="primary", href=page.href(places.NEW))
        self._build_bar()
        self._picked_bar = ui.element("div").classes("sp-picked-bar")
        self._picked_bar.props('role="toolbar" aria-label="Picked experiments"')
        self._picked_bar.set_visibility(False)
        wanted = self._wanted
        self._table = DataTable(
            rows.COLUMNS,
            label="Tuning experiments",
            pick=self._picked,
            on_sort=self._sort,
            on_action=self._act,
            order=(wanted.sort, wanted.descending),
        )
        self._pager = Pager(self._turn, _SIZE)
        self._empty = ui.element("div")
        await page.live(places.experiments_api(page.namespace), self._take)

    def _build_bar(self) -> None:
        wanted = self._wanted
        bar = ui.element("div").classes("sp-bar-of-list")
        with bar.props('role="search" aria-label="Narrow the experiments"'):
            SearchBox("Name, metric, parameter", wanted.text, lambda text: self._narrow(text=text))
            Chips("State", _CHIPS, wanted.states, lambda on: self._narrow(states=on))
            self._algorithm = Choice(
                "Algorithm",
                [("", "Any algorithm")],
                wanted.algorithm,
                lambda name: self._narrow(algorithm=name),
            )

    def _take(self, found: Any) -> None:
        self._all = [summarise(each) for each in found.get("items") or ()]
        names = sorted({each.algorithm for each in self._all if each.algorithm})
        self._algorithm.set_options([("", "Any algorithm"), *((each, each) for each in names)])
        self._show()

    def _show(self) -> None:
        found = query.chosen(self._all, self._wanted)
        self._start = self._start if self._start < len(found) else 0
        part = found[self._start : self._start + _SIZE]
        self._table.set_rows([rows.row(each, self._page.href) for each in part])
        self._table.set_visibility(bool(part))
        after = self._start + _SIZE
        self._pager.show(len(part), len(found), str(after) if after < len(found) else "")
        if self._is_empty != (not part):
            self._is_empty = not part
            self._say_empty()

    def _say_empty(self) -> None:
        self._empty.clear()
        if not self._is_empty:
            return
        with self._empty:
            if self._all:
                detail = "Clear the filters to see all of them."
                shown = [("Show all", self._page.href(places.LIST))]
                widgets.empty_state("search_off", "No experiment fits", detail, shown)
            else:
                first_experiment.offer(self._page)

    def _narrow(self, **changed: Any) -> None:
        self._ask(replace(self._wanted, **changed))

    def _sort(self, key: str, descending: bool) -> None:
        self._ask(replace(self._wanted, sort=key, descending=descending))

    def _ask(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._start = 0
        self._is_empty = None
        self._pager.restart()
        self._page.set_query(**query.to_address(wanted))
        self._show()

    def _turn(self, token: str) -> None:
        self._start = int(token or 0)
        self._show()

    def _picked(self, names: list[str]) -> None:
        self._picked_bar.clear()
        self._picked_bar.set_visibility(bool(names))
        with self._picked_bar:
            widgets.text(f"{words.counted(len(names), 'experiment|experiments')} picked")
            widgets.button("Delete", self._delete_picked, icon="delete", kind="danger")
            widgets.button("Pick none", self._table.clear_picked, icon="close")

    def _delete_picked(self) -> None:
        actions.ask_delete(self._page, list(self._table.picked), self._unpick)

    def _unpick(self) -> None:
        self._table.clear_picked()
        self._picked_bar.set_visibility(False)

    def _act(self, name: str, what: str) -> None:
        if what == "clone":
            self._page.go(places.NEW, clone=name)
        else:
            actions.ask_delete(self._page, [name], lambda: None)
