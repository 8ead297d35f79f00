"""All endpoints of a namespace, of every kind: narrowed, sorted, live. What is shown stands in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui import actions, first_endpoint, measuring, places, states
from sampan.components.serving.ui.endpoint_list import rows
from sampan.components.serving.ui.endpoint_list.query import NARROWING, Listed
from sampan.components.serving.ui.figures import NONE, Figures, Key
from sampan.components.serving.ui.summary import Endpoint, summarise
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips, Choice
from sampan.ui.objects.following import Followed
from sampan.ui.table.acting import Action
from sampan.ui.table.narrowed import NarrowedTable, PickedAction, View
from sampan.ui.table.search_box import SearchBox

_CHIPS = {state.value: states.shown(state)[0] for state in State if state != State.DELETING}
_SECONDS = 4.0


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._endpoints: Sequence[Endpoint] = ()
        self._figures: Mapping[Key, Figures] = {}
        view: View[Listed] = View(
            "Endpoints",
            "endpoint|endpoints",
            rows.COLUMNS,
            row=lambda each: rows.row(each, page.href),
            narrowing=NARROWING,
            home=places.LIST,
            offer=lambda: first_endpoint.offer(page),
            act=self._act,
            picked=[self._picked_action(each) for each in actions.ACTIONS],
        )
        self._table = NarrowedTable(page, view)

    async def build(self) -> None:
        page = self._page
        with widgets.page_header(
            "Endpoints",
            "Models that answer requests: InferenceServices, LLMInferenceServices, graphs, SeldonDeployments.",
        ):
            widgets.button("Runtimes", icon="layers", href=page.href(places.RUNTIMES))
            widgets.button("New endpoint", icon="add", kind="primary", href=page.href(places.NEW))
        self._build_bar()
        self._table.build().classes("sv-endpoints")
        followed = Followed(page, places.KINDS, self._take)
        await followed.follow()
        if followed.hidden:
            widgets.paragraph(f"You may not list {', '.join(followed.hidden)} here.", "sp-muted")
        await self._measure()
        page.every(_SECONDS, self._measure)

    def _build_bar(self) -> None:
        wanted, narrow = self._table.wanted, self._table.narrow
        kinds = [("", "Any kind"), *((each.kind, each.kind) for each in places.KINDS)]
        bar = ui.element("div").classes("sp-bar-of-list")
        with bar.props('role="search" aria-label="Narrow the endpoints"'):
            SearchBox("Name, format, runtime, model", wanted.text, lambda text: narrow(text=text))
            Chips("State", _CHIPS, wanted.states, lambda on: narrow(states=on))
            Choice("Kind", kinds, wanted.kind, lambda kind: narrow(kind=kind))

    def _take(self, objects: Sequence[Object]) -> None:
        self._endpoints = [summarise(each) for each in objects]
        self._show()

    async def _measure(self) -> None:
        if not self._endpoints:
            return
        self._figures = await measuring.look(self._page.api, self._page.namespace)
        self._show()

    def _show(self) -> None:
        figures = self._figures
        self._table.take(
            [Listed(each, figures.get((each.kind, each.name), NONE)) for each in self._endpoints]
        )

    def _picked_action(self, action: Action[Endpoint]) -> PickedAction[Listed]:
        kind = "danger" if action.name == "delete" else ""
        return PickedAction(action.label, action.icon, partial(self._ask_many, action), kind)

    def _ask_many(self, action: Action[Endpoint], listed: list[Listed]) -> None:
        actions.ask(self._page, action, [each.endpoint for each in listed], self._table.unpick)

    def _act(self, listed: Listed, name: str) -> Any:
        actions.ask(self._page, actions.BY_NAME[name], [listed.endpoint], lambda: None)
