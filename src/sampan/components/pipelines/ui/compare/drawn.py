"""The parts of the comparison that are charts: of parameters and metrics, ROC curves, confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui
from nicegui.element import Element

from sampan.components.pipelines.ui.compare import figures
from sampan.components.pipelines.ui.compare.figures import Quantity
from sampan.components.pipelines.ui.compare.state import Comparison
from sampan.ui import widgets
from sampan.ui.charts.chart import Chart
from sampan.ui.charts.figure import Figure
from sampan.ui.controls.controls import Chips, Choice

_VIEWS = {"parallel": "Parallel coordinates", "scatter": "Scatter", "bars": "Bars"}


class Charts:
    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._view = state.page.query.get("chart", "")
        if self._view not in _VIEWS:
            self._view = "parallel"
        with ui.element("div").classes("sp-compare-controls"):
            Choice("Chart", list(_VIEWS.items()), self._view, self._choose)
        self._place = ui.element("div")
        self._part: _Parallel | _Scatter | _Bars
        self._offered: list[str] = []
        self._build()

    def refresh(self) -> None:
        if self._keys() == self._offered:
            self._part.refresh()
        else:
            # A run that goes on has brought a metric: there is more to choose from.
            self._place.clear()
            self._build()

    def _keys(self) -> list[str]:
        return [each.key for each in figures.quantities(self._state.runs)]

    def _choose(self, view: str) -> None:
        self._view = view if view in _VIEWS else "parallel"
        self._state.page.set_query(chart=self._view)
        self._place.clear()
        self._build()

    def _build(self) -> None:
        self._offered = self._keys()
        with self._place:
            self._part = _DRAWN[self._view](self._state)


class _Parallel:
    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._chosen = [each for each in state.page.query.get("axes", "").split("|") if each]
        self._kept: list[str] | None = None
        found = figures.quantities(state.runs)
        if not self._chosen:
            self._chosen = figures.first_axes(found)
        with widgets.card():
            with ui.element("div").classes("sp-compare-controls"):
                widgets.text("Axes", "sp-muted").props("aria-hidden=true")
                Chips("Axes", {each.key: each.label for each in found}, self._chosen, self._choose)
            self._chart = Chart(self._figure(), on_brush=self._brush)
            with ui.element("div").classes("sp-row sp-compare-kept"):
                self._said = widgets.text("", "sp-muted").props('role="status"')
                self._only = widgets.button("Compare only these", self._compare_kept, icon="filter_alt")
        self._tell()

    def refresh(self) -> None:
        self._chart.show(self._figure())

    def _figure(self) -> Figure:
        found = [each for each in figures.quantities(self._state.runs) if each.key in self._chosen]
        return figures.coordinates(self._state.runs, found)

    def _choose(self, keys: tuple[str, ...]) -> None:
        self._chosen = list(keys)
        self._state.page.set_query(axes="|".join(keys))
        self.refresh()

    def _brush(self, kept: list[str] | None) -> None:
        self._kept = kept
        self._tell()

    def _tell(self) -> None:
        every = self._state.runs
        if self._kept is None:
            self._said.set_text("Drag along an axis to keep only the runs that cross there.")
        else:
            names = ", ".join(run.name for run in every if run.id in self._kept)
            self._said.set_text(
                f"{len(self._kept)} of {len(every)} runs: {names}" if names else "No run is there."
            )
        self._only.set_visibility(bool(self._kept) and len(self._kept or ()) < len(every))

    def _compare_kept(self) -> None:
        self._state.compare([run_id for run_id in self._state.ids if run_id in (self._kept or ())])


class _Scatter:
    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._chart: Chart | None = None
        numbers = self._numbers()
        x, y, shade = (state.page.query.get(name, "") for name in ("x", "y", "shade"))
        keys = [each.key for each in numbers]
        metrics = [key for key in keys if key.startswith("m:")]
        self._x = x if x in keys else keys[0]
        self._y = y if y in keys else next((key for key in metrics if key != self._x), keys[-1])
        self._shade = shade if shade in keys else ""
        options = [(each.key, each.label) for each in numbers]
        with widgets.card():
            with ui.element("div").classes("sp-compare-controls"):
                Choice("x", options, self._x, lambda key: self._choose(x=key))
                Choice("y", options, self._y, lambda key: self._choose(y=key))
                colours = [("", "Run"), *options]
                Choice("Colour", colours, self._shade, lambda key: self._choose(shade=key))
            self._chart = Chart(self._figure(), on_pick=self._pick)

    def refresh(self) -> None:
        if self._chart is not None:
            self._chart.show(self._figure())

    def _numbers(self) -> list[Quantity]:
        """What at least one run has as a number; the duration is always there."""
        runs = self._state.runs
        return [
            each
            for each in figures.quantities(runs)
            if each.key == "duration" or any(figures.is_number(figures.value(run, each.key)) for run in runs)
        ]

    def _figure(self) -> Figure:
        by_key = {each.key: each for each in figures.quantities(self._state.runs)}
        last = Quantity("duration", "duration (s)", True)
        x, y = by_key.get(self._x, last), by_key.get(self._y, last)
        return figures.points(self._state.runs, x, y, by_key.get(self._shade))

    def _choose(self, **chosen: str) -> None:
        self._x, self._y = chosen.get("x", self._x), chosen.get("y", self._y)
        self._shade = chosen.get("shade", self._shade)
        self._state.page.set_query(**chosen)
        self.refresh()

    def _pick(self, run_id: str, _index: int) -> None:
        if any(run.id == run_id for run in self._state.runs):
            self._state.page.go(f"/runs/{run_id}")


class _Bars:
    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._charts = _Many("sp-compare-grid")
        self.refresh()

    def refresh(self) -> None:
        found = figures.metric_bars(self._state.runs)
        self._charts.show(
            {each.label: [("", each)] for each in found},
            ("bar_chart", "No metrics yet", "A step records one with metrics.log_metric."),
        )


class Curves:
    """ROC curves over each other, confusion matrices side by side."""

    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._charts = _Many("sp-stack")
        self.refresh()

    def refresh(self) -> None:
        runs = self._state.runs
        shown: dict[str, list[tuple[str, Figure]]] = {}
        for key, figure in figures.curves(runs).items():
            shown[f"ROC curve: {key}"] = [("", figure)]
        for key, found in figures.matrices(runs).items():
            shown[f"Confusion matrix: {key}"] = [(run.name, figure) for run, figure in found]
        nothing = (
            "stacked_line_chart",
            "No curves and no confusion matrices",
            "A step records them in an output of type ClassificationMetrics: log_roc_curve, log_confusion_matrix.",
        )
        self._charts.show(shown, nothing)


_DRAWN: Mapping[str, type[_Parallel] | type[_Scatter] | type[_Bars]] = {
    "parallel": _Parallel,
    "scatter": _Scatter,
    "bars": _Bars,
}


class _Many:
    """Cards of charts; built anew when others are there, else only what changed is drawn."""

    def __init__(self, layout: str) -> None:
        self._place: Element = ui.element("div").classes(layout)
        self._charts: dict[tuple[str, int], Chart] = {}
        self._names: list[tuple[str, list[str]]] | None = None

    def show(self, cards: Mapping[str, Sequence[tuple[str, Figure]]], nothing: tuple[str, str, str]) -> None:
        names = [(title, [name for name, _ in found]) for title, found in cards.items()]
        if names == self._names:
            for title, found in cards.items():
                for index, (_, figure) in enumerate(found):
                    self._charts[title, index].show(figure)
            return
        self._names = names
        self._charts.clear()
        self._place.clear()
        with self._place:
            if not cards:
                widgets.empty_state(*nothing)
            for title, found in cards.items():
                with widgets.card(title), ui.element("div").classes("sp-compare-side"):
                    for index, (name, figure) in enumerate(found):
                        with ui.element("div"):
                            if name:
                                widgets.heading(name, 3)
                            self._charts[title, index] = Chart(figure)
