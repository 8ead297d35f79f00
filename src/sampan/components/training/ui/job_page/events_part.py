"""What Kubernetes' events say of a job, of its pods, and of what stands between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.ui.job_page.parts import Shown
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext, Stop
from sampan.ui.objects import events
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (events.COLUMNS[0], Column("about", "Of"), *events.COLUMNS[1:])
_MOST_PODS = 24


class EventsPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._found: dict[str, Any] = {}
        self._stops: dict[str, Stop] = {}
        self._is_stopped = False

    async def build(self) -> None:
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state("event_note", "No events", "None are kept of this job and its pods.")
        self._table = DataTable(_COLUMNS, label="Events")
        await self._follow()
        self._show()

    async def _follow(self) -> None:
        """The job, what it is made of, and the first of its pods."""
        job = self._shown.job
        wanted = {f"{job.kind}/{job.name}": {"involvedObject.uid": job.uid}}
        if job.kind == TRAIN_JOBS.kind:
            named = {"involvedObject.kind": "JobSet", "involvedObject.name": job.name}
            wanted[f"JobSet/{job.name}"] = named
        for rank in self._shown.ranks[:_MOST_PODS]:
            named = {"involvedObject.kind": "Pod", "involvedObject.name": rank.pod}
            wanted[f"Pod/{rank.pod}"] = named
        for key, selector in wanted.items():
            if key not in self._stops and not self._is_stopped:
                await self._ask(key, selector)

    async def _ask(self, key: str, selector: Mapping[str, str]) -> None:
        def take(found: Any) -> None:
            self._found[key] = found.get("items") or ()
            self._show()

        chosen = ",".join(f"{name}={value}" for name, value in selector.items())
        path = f"/api/v1/namespaces/{segment(self._shown.job.namespace)}/events"
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
        keys = {f"Pod/{rank.pod}" for rank in self._shown.ranks[:_MOST_PODS]}
        if keys - set(self._stops):
            self._page.spawn(self._follow(), "events of a job")

    def stop(self) -> None:
        self._is_stopped = True
        for stop in self._stops.values():
            stop()


def _with_object(row: Row, about: Mapping[str, Any]) -> Row:
    said = cells.lines(str(about.get("name") or ""), str(about.get("kind") or ""))
    return Row(row.id, {**row.cells, "about": said}, row.name)
