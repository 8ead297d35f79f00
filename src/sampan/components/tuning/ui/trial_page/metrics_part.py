"""The metrics of a trial as curves that grow, and as numbers."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.plots import curves
from sampan.components.tuning.ui.plots.curves import Curve
from sampan.components.tuning.ui.trial_page.parts import Shown
from sampan.lib.clock import parse_rfc3339
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.charts.chart import Chart
from sampan.ui.context import PageContext, Stop
from sampan.ui.table.table import DataTable

_MOST_CHARTS = 12
_POINTS = {"points": "400"}


class MetricsPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._charts: dict[str, Chart] = {}
        self._stop: Stop | None = None

    async def build(self) -> None:
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "show_chart",
                "No metrics yet",
                "What a trial reports is seen here as it comes: loss=0.12 among what it prints, or in its files.",
            )
        self._place = ui.element("div").classes("tu-charts")
        self._table = DataTable(curves.COLUMNS, label="Metrics").classes("tu-space")
        trial = self._shown.trial
        try:
            path = places.trial_api(trial.namespace, trial.name, "curves")
            self._stop = await self._page.live(path, self._take, query=_POINTS)
        except ApiFailureError as error:
            widgets.paragraph(f"Its metrics cannot be read: {error.message}", "sp-muted")

    def _take(self, answer: Any) -> None:
        found = curves.of_trial(answer, self._shown.trial.name)
        self._none.set_visibility(not found)
        self._table.set_visibility(bool(found))
        self._table.set_rows(curves.rows(found))
        self._draw(found[:_MOST_CHARTS])

    def _draw(self, found: list[Curve]) -> None:
        started = self._shown.trial.started
        began = parse_rfc3339(started).timestamp() if started else 0.0
        figures = {curve.name: curves.figure(curve, began) for curve in found}
        if list(figures) != list(self._charts):
            self._place.clear()
            self._charts = {}
            with self._place:
                for name, figure in figures.items():
                    with widgets.card(name):
                        self._charts[name] = Chart(figure)
            return
        for name, figure in figures.items():
            self._charts[name].show(figure)

    def update(self) -> None:
        """It is live by itself."""

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
