"""What Kubernetes' events say of several objects at once, as a tab of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext, Stop
from sampan.ui.objects import events
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

COLUMNS = (events.COLUMNS[0], Column("about", "Of"), *events.COLUMNS[1:])

Wanted = Callable[[], Mapping[str, Mapping[str, str]]]
"""By a key of its own, for each object the fields that its events are selected by. Asked again after changes."""


class EventsOf:
    def __init__(self, page: PageContext, namespace: str, wanted: Wanted, nothing: str) -> None:
        """`nothing` says in a sentence that there are none."""
        self._page = page
        self._namespace = namespace
        self._wanted = wanted
        self._nothing = nothing
        self._found: dict[str, Any] = {}
        self._stops: dict[str, Stop] = {}
        self._is_stopped = False

    async def build(self) -> None:
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state("event_note", "No events", self._nothing)
        self._table = DataTable(COLUMNS, label="Events")
        await self._follow()
        self._show()

    async def _follow(self) -> None:
        for key, selector in self._wanted().items():
            if key not in self._stops and not self._is_stopped:
                await self._ask(key, selector)

    async def _ask(self, key: str, selector: Mapping[str, str]) -> None:
        def take(found: Any) -> None:
            self._found[key] = found.get("items") or ()
            self._show()

        chosen = ",".join(f"{name}={value}" for name, value in selector.items())
        path = f"/api/v1/namespaces/{segment(self._namespace)}/events"
        self._stops[key] = lambda: None
        stop = await self._page.live(path, take, query={"fieldSelector": chosen})
        self._stops[key] = stop
        if self._is_stopped:
            stop()

    def _show(self) -> None:
        if self._is_stopped:
            return
        every = [event for found in self._found.values() for event in found]
        self._none.set_visibility(not every)
        self._table.set_visibility(bool(every))
        about = {event["metadata"]["name"]: event.get("involvedObject") or {} for event in every}
        self._table.set_rows([_with_object(row, about[row.id]) for row in events.rows(every)])

    def update(self) -> None:
        if set(self._wanted()) - set(self._stops):
            self._page.spawn(self._follow(), "events")

    def stop(self) -> None:
        self._is_stopped = True
        for stop in self._stops.values():
            stop()


def _with_object(row: Row, about: Mapping[str, Any]) -> Row:
    said = cells.lines(str(about.get("name") or ""), str(about.get("kind") or ""))
    return Row(row.id, {**row.cells, "about": said}, row.name)
