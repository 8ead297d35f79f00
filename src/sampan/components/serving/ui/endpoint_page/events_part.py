"""An endpoint's conditions, and what Kubernetes' events say of it and of what it is made of."""

from __future__ import annotations

from collections.abc import Mapping

from sampan.components.serving.ui import states
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.objects import conditions
from sampan.ui.objects.events_of import EventsOf
from sampan.ui.table.table import DataTable

_MOST = 16


class EventsPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._shown = shown
        nothing = "None are kept of this endpoint and its pods."
        self._events = EventsOf(page, shown.endpoint.namespace, lambda: _wanted(shown), nothing)

    async def build(self) -> None:
        widgets.heading("What it says of itself")
        self._conditions = DataTable(conditions.COLUMNS, label="Conditions")
        self._quiet = widgets.paragraph("Nothing yet.", "sp-muted")
        widgets.heading("Events").classes("sv-space")
        await self._events.build()
        self.update()

    def update(self) -> None:
        told = conditions.rows(meta.status(self._shown.obj).get("conditions"), states.CONDITION_TONES)
        self._conditions.set_rows(told)
        self._conditions.set_visibility(bool(told))
        self._quiet.set_visibility(not told)
        self._events.update()

    def stop(self) -> None:
        self._events.stop()


def _wanted(shown: Shown) -> Mapping[str, Mapping[str, str]]:
    """The endpoint, and the newest of its deployments and pods."""
    found = {shown.endpoint.identity: {"involvedObject.uid": shown.endpoint.uid}}
    for each in (*shown.deployments[:_MOST], *shown.pods[:_MOST]):
        kind, name = str(each["kind"]), meta.name(each)
        found[f"{kind}/{name}"] = {"involvedObject.kind": kind, "involvedObject.name": name}
    return found
