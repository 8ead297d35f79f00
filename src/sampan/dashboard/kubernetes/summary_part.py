"""The first part of an object's page: what it is, its parts, its events. Follows the object and what is around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from sampan.dashboard.kubernetes import description, overview, related
from sampan.dashboard.kubernetes.described import Around, Description, Grid, name_of, namespace_of
from sampan.dashboard.kubernetes.facts import Facts
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind
from sampan.dashboard.kubernetes.related import Ask
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext, Stop
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_USAGE_SECONDS = 5.0
_MOST_EVENTS = 50
_EVENTS = (
    Column("when", "When"),
    Column("type", "Type"),
    Column("reason", "Reason"),
    Column("message", "Message"),
)
CONDITIONS = (
    Column("type", "Condition"),
    Column("status", "Is"),
    Column("why", "Why"),
    Column("since", "Since"),
)


class SummaryPart:
    def __init__(self, page: PageContext, catalogue: Catalogue, kind: Kind, obj: Mapping[str, Any]) -> None:
        self._page = page
        self._catalogue = catalogue
        self._kind = kind
        self._obj = obj
        self._related: dict[str, Any] = {}
        self._revealed: frozenset[str] = frozenset()
        self._stops: list[Stop] = []
        self._tables: dict[str, DataTable] = {}
        self._is_stopped = False
        self._facts: Facts
        self._grids: Element
        self._no_events: Element
        self._events: DataTable
        self._conditions: DataTable
        self._conditions_card: Element
        self.on_related: Callable[[Mapping[str, Any]], None] = lambda related: None
        """Told of what is known around the object, whenever that changes."""

    async def build(self) -> None:
        with ui.element("div").classes("sp-stack"):
            self._grids = ui.element("div").classes("sp-stack")
            self._facts = Facts(self._reveal)
            with widgets.card("Events"):
                self._no_events = widgets.paragraph("None are kept: events go after a while.", "sp-muted")
                self._events = DataTable(_EVENTS, label="Events")
            with widgets.card("Conditions") as self._conditions_card:
                self._conditions = DataTable(CONDITIONS, label="Conditions")
        self._show()
        await self._follow()

    def update(self, obj: Mapping[str, Any]) -> None:
        self._obj = obj
        self._show()

    def stop(self) -> None:
        self._is_stopped = True
        for stop in self._stops:
            stop()

    async def _follow(self) -> None:
        usage = []
        for ask in related.asks(self._obj, self._catalogue):
            if ask.is_usage:
                usage.append(ask)
            else:
                await self._live(ask.path, partial(self._take, ask.name), ask.query, ask.accept)
        events = self._catalogue.lookup("events")
        if events is not None:
            query = {"fieldSelector": f"involvedObject.uid={self._obj['metadata'].get('uid', '')}"}
            # Events of what has no namespace are in the namespace `default`.
            path = events.path(namespace_of(self._obj) or "default")
            await self._live(path, self._take_events, query)
        if usage:
            await self._ask_usage(usage)
            self._page.every(_USAGE_SECONDS, lambda: self._ask_usage(usage))

    async def _live(
        self,
        path: str,
        take: Callable[[Any], None],
        query: Mapping[str, str],
        accept: str = "application/json",
    ) -> None:
        try:
            self._stops.append(await self._page.live(path, take, query=query, accept=accept))
        except ApiFailureError:
            # What one may not see, or the cluster does not have, is left out.
            return

    async def _ask_usage(self, asks: list[Ask]) -> None:
        if self._is_stopped:
            return
        answers = await asyncio.gather(*(self._answer(ask) for ask in asks))
        found = {ask.name: answer for ask, answer in zip(asks, answers, strict=True) if answer is not None}
        for ask in asks:
            self._related.pop(ask.name, None)
        self._related.update(found)
        self._show()

    async def _answer(self, ask: Ask) -> Any:
        try:
            return await self._page.api.get(ask.path, ask.query, ask.accept)
        except ApiFailureError:
            return None

    def _take(self, name: str, found: Any) -> None:
        self._related[name] = found
        self.on_related(self._related)
        self._show()

    def _take_events(self, found: Any) -> None:
        events = sorted(found.get("items") or (), key=overview.event_time, reverse=True)[:_MOST_EVENTS]
        self._no_events.set_visibility(not events)
        self._events.set_visibility(bool(events))
        self._events.set_rows([_event_row(each) for each in events])

    def _reveal(self, key: str) -> None:
        self._revealed = self._revealed ^ {key}
        self._show()

    def _show(self) -> None:
        if self._is_stopped:
            return
        around = Around(
            self._catalogue, self._page.href, self._related, self._revealed, kind_key=self._kind.key
        )
        found = description.of(self._obj, around)
        self._facts.show(found.sections)
        conditions = description.conditions(self._obj)
        self._conditions_card.set_visibility(bool(conditions))
        self._conditions.set_rows(conditions)
        self._show_grids(found)

    def _show_grids(self, found: Description) -> None:
        titles = [grid.title for grid in found.grids]
        self._grids.set_visibility(bool(titles))
        if titles != list(self._tables):
            self._grids.clear()
            self._tables = {}
            with self._grids:
                for grid in found.grids:
                    self._tables[grid.title] = _card(grid)
        for grid in found.grids:
            self._tables[grid.title].set_rows(grid.rows)


def _card(grid: Grid) -> DataTable:
    with widgets.card(grid.title):
        return DataTable(grid.columns, label=grid.title)


def _event_row(event: Mapping[str, Any]) -> Row:
    times = (event.get("series") or {}).get("count") or event.get("count") or 1
    kind = str(event.get("type") or "Normal")
    return Row(
        str(event["metadata"].get("uid") or name_of(event)),
        {
            "when": cells.time(overview.event_time(event)),
            "type": cells.state(
                kind, "warn" if kind == "Warning" else "idle", "" if kind == "Warning" else "info"
            ),
            "reason": str(event.get("reason") or ""),
            "message": cells.lines(
                str(event.get("message") or event.get("note") or ""), f"{times} times" if times > 1 else ""
            ),
        },
        name=str(event.get("reason") or ""),
    )
