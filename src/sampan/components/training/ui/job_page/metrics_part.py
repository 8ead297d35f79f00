"""The metrics of a job as curves that grow, and as numbers."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.training.ui.job_page import curves
from sampan.components.training.ui.job_page.curves import Curve
from sampan.components.training.ui.job_page.parts import Shown
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.charts.chart import Chart
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips
from sampan.ui.table.table import DataTable

_SECONDS = 2.0
_FEW = 6
"""Curves that are drawn until somebody chooses others."""
_MOST_CHIPS = 40
_POINTS = "400"


class MetricsPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._chosen = tuple(each for each in page.query.get("metrics", "").split(",") if each)
        self._found: list[Curve] = []
        self._names: list[str] = []
        self._charts: dict[str, Chart] = {}
        self._is_settled = False
        """Nothing more will come: all is read, of a job that has ended."""
        self._is_stopped = False

    async def build(self) -> None:
        self._bar = ui.element("div").classes("sp-bar-of-list")
        self._said = widgets.paragraph("", "sp-muted")
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "show_chart",
                "No metrics yet",
                "They are picked from what the job prints (loss=0.12, accuracy: 0.9), from what its trainer reports, "
                "and from TensorBoard's files where its annotation sampan.dev/output says.",
            )
        self._place = ui.element("div").classes("tr-charts")
        self._table = DataTable(curves.COLUMNS, label="Metrics").classes("tr-space")
        await self._look()
        self._page.every(_SECONDS, self._look)

    async def _look(self) -> None:
        if self._is_stopped or self._is_settled:
            return
        job = self._shown.job
        place = f"{self._shown.resource.plural}/{segment(job.name)}"
        path = f"/training/v1/namespaces/{segment(job.namespace)}/{place}/metrics"
        is_over = job.state.is_finished
        try:
            found = await self._page.api.get(path, {"points": _POINTS})
        except ApiFailureError as error:
            self._said.set_text(f"Its metrics cannot be read: {error.message}")
            self._show()
            return
        self._take(found, is_over=is_over)

    def _take(self, found: Any, *, is_over: bool) -> None:
        if self._is_stopped:
            return
        self._is_settled = is_over and bool(found.get("complete"))
        self._said.set_text("" if found.get("complete") else "There is more to read …")
        self._found = curves.curves(found.get("metrics") or ())
        self._show()

    def _show(self) -> None:
        names = [curve.name for curve in self._found]
        self._none.set_visibility(not names)
        self._table.set_visibility(bool(names))
        if names != self._names:
            self._names = names
            self._offer()
        self._draw()
        self._table.set_rows(curves.rows(self._found))

    def _offer(self) -> None:
        self._bar.clear()
        self._bar.set_visibility(len(self._names) > 1)
        with self._bar:
            offered = {name: name for name in self._names[:_MOST_CHIPS]}
            Chips("Metrics", offered, self._wanted(), self._choose)

    def _wanted(self) -> tuple[str, ...]:
        chosen = tuple(each for each in self._chosen if each in self._names)
        return chosen or tuple(self._names[:_FEW])

    def _choose(self, names: tuple[str, ...]) -> None:
        self._chosen = names
        self._page.set_query(metrics=",".join(names))
        self._draw()

    def _draw(self) -> None:
        wanted: dict[str, Any] = {
            curve.name: curve.figure() for curve in self._found if curve.name in self._wanted()
        }
        if list(wanted) != list(self._charts):
            self._place.clear()
            self._charts = {}
            with self._place:
                for name, figure in wanted.items():
                    with widgets.card(name):
                        self._charts[name] = Chart(figure)
            return
        for name, figure in wanted.items():
            self._charts[name].show(figure)

    def update(self) -> None:
        """It looks by itself."""

    def stop(self) -> None:
        self._is_stopped = True
