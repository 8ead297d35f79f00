"""The metrics of an experiment: over its runs, the best of them, and what they have to do with parameters."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.compare import model
from sampan.components.pipelines.ui.compare.model import ComparedRun
from sampan.components.pipelines.ui.compare.state import Directions
from sampan.components.pipelines.ui.experiments import history
from sampan.ui import widgets
from sampan.ui.charts.chart import Chart
from sampan.ui.charts.figure import shown
from sampan.ui.context import PageContext, Stop
from sampan.ui.controls.controls import Choice

_MOST_RUNS = 200


class MetricsPart:
    def __init__(self, page: PageContext, experiment_id: str, *, archived: bool) -> None:
        self._page = page
        self._experiment_id = experiment_id
        self._archived = archived
        self._directions = Directions(page)
        self._runs: list[ComparedRun] = []
        self._metric = page.query.get("metric", "")
        self._kept: list[str] | None = None
        self._place = ui.element("div").classes("sp-stack")
        self._shape: tuple[bool, bool] | None = None

    async def start(self) -> Stop:
        storage = "ARCHIVED" if self._archived else "AVAILABLE"
        predicates = [{"key": "storage_state", "operation": "EQUALS", "string_value": storage}]
        query = {
            "experiment_id": self._experiment_id,
            "namespace": self._page.namespace,
            "include": "metrics,parameters",
            "page_size": str(_MOST_RUNS),
            "sort_by": "created_at desc",
            "filter": json.dumps({"predicates": predicates}),
        }
        return await self._page.live("/apis/v2beta1/runs", self._take, query=query)

    def _take(self, answer: Any) -> None:
        found = answer.get("runs", ())
        self._runs = model.read(answer, [run["run_id"] for run in found])
        total = int(answer.get("total_size", len(self._runs)))
        names = history.metrics(self._runs)
        if self._metric not in names and names:
            self._metric = names[0]
        shape = (bool(names), history.coordinates(self._runs) is not None)
        if shape != self._shape:
            self._shape = shape
            self._place.clear()
            with self._place:
                self._build(total)
        self._refresh()

    def _build(self, total: int) -> None:
        assert self._shape is not None
        if not self._shape[0]:
            widgets.empty_state(
                "show_chart",
                "No metrics yet",
                "Once steps of these runs record metrics, they are drawn here, run after run.",
                command="metrics.log_metric('accuracy', 0.93)",
            )
            return
        if total > _MOST_RUNS:
            widgets.paragraph(f"Of the newest {_MOST_RUNS} of {total:,} runs.", "sp-muted")
        with widgets.card("Run after run"):
            with ui.element("div").classes("sp-compare-controls"):
                self._choice = Choice("Metric", self._options(), self._metric, self._choose)
                self._turn = widgets.button("", self._turn_direction, icon="swap_vert")
                self._best = ui.element("div").classes("sp-row")
            self._chart = Chart(self._figure(), on_pick=self._pick)
        if self._shape[1]:
            self._build_coordinates()

    def _build_coordinates(self) -> None:
        figure = history.coordinates(self._runs)
        assert figure is not None
        with widgets.card("Parameters and metrics"):
            self._coordinates = Chart(figure, on_brush=self._brush)
            with ui.element("div").classes("sp-row sp-compare-kept"):
                self._said = widgets.text("", "sp-muted").props('role="status"')
                self._compare = widgets.button("Compare these", self._go_compare, icon="compare_arrows")
        self._tell()

    def _refresh(self) -> None:
        assert self._shape is not None
        if not self._shape[0]:
            return
        lower = self._directions.lower_is_better(self._metric)
        self._choice.set_options(self._options())
        self._choice.choose(self._metric)
        self._turn.clear()
        with self._turn:
            ui.icon("south" if lower else "north").props("aria-hidden=true")
            widgets.text("Lower is better" if lower else "Higher is better")
        self._turn._props["title"] = "Click to change"
        self._chart.show(self._figure())
        figure = history.coordinates(self._runs)
        if figure is not None:
            self._coordinates.show(figure)
        best = history.best(self._runs, self._metric, lower=lower)
        self._best.clear()
        if best is not None:
            with self._best:
                ui.icon("star").props("aria-hidden=true").classes("sp-experiment-best")
                widgets.text("Best:")
                widgets.link(best.name, self._page.href(f"/runs/{best.id}"))
                widgets.text(shown(best.metrics[self._metric]), "sp-muted")

    def _figure(self) -> Any:
        return history.figure(self._runs, self._metric, lower=self._directions.lower_is_better(self._metric))

    def _options(self) -> list[tuple[str, str]]:
        return [(name, name) for name in history.metrics(self._runs)]

    def _choose(self, metric: str) -> None:
        self._metric = metric
        self._page.set_query(metric=metric)
        self._refresh()

    async def _turn_direction(self) -> None:
        await self._directions.turn(self._metric)
        self._refresh()

    def _pick(self, series: str, index: int) -> None:
        known = history.having(self._runs, self._metric)
        if series == history.VALUES and index < len(known):
            self._page.go(f"/runs/{known[index].id}")

    def _brush(self, kept: list[str] | None) -> None:
        self._kept = kept
        self._tell()

    def _tell(self) -> None:
        count = len(self._kept or ())
        if self._kept is None:
            self._said.set_text("Drag along an axis to keep only the runs that cross there.")
        else:
            self._said.set_text(f"{count} of {len(self._runs)} runs")
        self._compare.set_visibility(2 <= count <= model.MOST_RUNS)

    def _go_compare(self) -> None:
        self._page.go("/compare", runs=",".join(self._kept or ()))
