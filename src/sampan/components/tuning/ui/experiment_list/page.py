"""The experiments of a namespace: narrowed, sorted, live. What is shown stands in the address."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.tuning.api.summary import State, Summary, summarise
from sampan.components.tuning.ui import actions, first_experiment, places, states
from sampan.components.tuning.ui.experiment_list import rows
from sampan.components.tuning.ui.experiment_list.query import NARROWING
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips, Choice
from sampan.ui.table.narrowed import NarrowedTable, PickedAction, View
from sampan.ui.table.search_box import SearchBox

_CHIPS = {state.value: states.shown(state)[0] for state in State}


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        view: View[Summary] = View(
            "Tuning experiments",
            "experiment|experiments",
            rows.COLUMNS,
            row=lambda each: rows.row(each, page.href),
            narrowing=NARROWING,
            home=places.LIST,
            offer=lambda: first_experiment.offer(page),
            act=self._act,
            picked=[PickedAction("Delete", "delete", self._delete_picked, "danger")],
        )
        self._table = NarrowedTable(page, view)

    async def build(self) -> None:
        page = self._page
        with widgets.page_header(
            "Tuning experiments", "Searches for the best parameters of a program: Katib's experiments."
        ):
            widgets.button("Trial templates", icon="description", href=page.href(places.TEMPLATES))
            widgets.button("New experiment", icon="add", kind="primary", href=page.href(places.NEW))
        self._build_bar()
        self._table.build()
        await page.live(places.experiments_api(page.namespace), self._take)

    def _build_bar(self) -> None:
        wanted, narrow = self._table.wanted, self._table.narrow
        bar = ui.element("div").classes("sp-bar-of-list")
        with bar.props('role="search" aria-label="Narrow the experiments"'):
            SearchBox("Name, metric, parameter", wanted.text, lambda text: narrow(text=text))
            Chips("State", _CHIPS, wanted.states, lambda on: narrow(states=on))
            self._algorithm = Choice(
                "Algorithm",
                [("", "Any algorithm")],
                wanted.kind,
                lambda name: narrow(kind=name),
            )

    def _take(self, found: Any) -> None:
        experiments = [summarise(each) for each in found.get("items") or ()]
        names = sorted({each.algorithm for each in experiments if each.algorithm})
        self._algorithm.set_options([("", "Any algorithm"), *((each, each) for each in names)])
        self._table.take(experiments)

    def _delete_picked(self, experiments: list[Summary]) -> None:
        actions.ask_delete(self._page, [each.name for each in experiments], self._table.unpick)

    def _act(self, experiment: Summary, what: str) -> None:
        if what == "clone":
            self._page.go(places.NEW, clone=experiment.name)
        else:
            actions.ask_delete(self._page, [experiment.name], lambda: None)
