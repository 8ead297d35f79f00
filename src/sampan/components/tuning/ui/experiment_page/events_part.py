"""What became of an experiment, condition by condition, and what Kubernetes' events say of it."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import states
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext, Stop
from sampan.ui.objects import conditions, events
from sampan.ui.table.table import DataTable


class EventsPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._stop: Stop | None = None

    async def build(self) -> None:
        widgets.heading("What became of it")
        self._conditions = DataTable(conditions.COLUMNS, label="Conditions")
        widgets.heading("What its algorithm says").classes("tu-space")
        self._suggestion = DataTable(conditions.COLUMNS, label="Conditions of its suggestion")
        widgets.heading("Events").classes("tu-space")
        self._events = DataTable(events.COLUMNS, label="Events")
        self._none = widgets.paragraph("None are kept of it.", "sp-muted")
        self.update()
        experiment = self._shown.experiment
        path = f"/api/v1/namespaces/{segment(experiment.namespace)}/events"
        query = {"fieldSelector": f"involvedObject.kind=Experiment,involvedObject.name={experiment.name}"}
        with ui.element("div"):
            self._stop = await self._page.live(path, self._take, query=query)

    def _take(self, found: Any) -> None:
        told = events.rows(found.get("items") or ())
        self._events.set_rows(told)
        self._events.set_visibility(bool(told))
        self._none.set_visibility(not told)

    def update(self) -> None:
        for table, obj in ((self._conditions, self._shown.obj), (self._suggestion, self._shown.suggestion)):
            table.set_rows(conditions.rows(meta.status(obj).get("conditions"), states.CONDITION_TONES))

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
