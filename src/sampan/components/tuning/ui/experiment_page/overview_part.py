"""What an experiment has found, at one look: the best trial, how it got there, and what was searched."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.summary import Summary
from sampan.components.tuning.ui import best, places, states
from sampan.components.tuning.ui.experiment_page import searched
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.components.tuning.ui.plots import progress
from sampan.components.tuning.ui.plots.progress import Drawn
from sampan.components.tuning.ui.trials import Trials
from sampan.ui import widgets
from sampan.ui.charts.chart import Chart
from sampan.ui.context import PageContext
from sampan.ui.table.table import DataTable

_MANY = 1000
"""Trials."""
_SECONDS = 2.0


class OverviewPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._drawn_best: Any = None
        self._drawn: Drawn | None = None
        self._seen: Trials | None = None
        self._chart: Chart | None = None
        self._is_stopped = False

    async def build(self) -> None:
        experiment = self._shown.experiment
        with ui.element("div").classes("tu-overview"):
            self._best = widgets.card("Best so far" if not experiment.state.is_finished else "Best trial")
            with self._best:
                self._best_place = ui.element("div").classes("sp-stack")
            with widgets.card("How it got there"):
                self._history = ui.element("div")
                self._none = widgets.paragraph("No trial has a value yet.", "sp-muted")
        if searched.rows(experiment):
            widgets.heading("What is searched").classes("tu-space")
            self._searched = DataTable(searched.COLUMNS, label="Parameters")
        with ui.element("div").classes("tu-overview tu-space"), widgets.card("How it searches"):
            widgets.pairs(searched.facts(self._shown.obj, experiment))
        self.update()
        # Of many, not with each that comes.
        self._page.spawn(self._draw_many(), "history")
        self._page.every(_SECONDS, self._draw_many)

    async def _draw_many(self) -> None:
        if not self._is_stopped and len(self._shown.trials.items) > _MANY:
            self._show_history()

    def update(self) -> None:
        experiment = self._shown.experiment
        if searched.rows(experiment):
            self._searched.set_rows(searched.rows(experiment))
        self._show_best(experiment)
        if self._shown.trials is not self._seen and len(self._shown.trials.items) <= _MANY:
            self._show_history()

    def _show_best(self, experiment: Summary) -> None:
        drawn = (experiment.best, experiment.objective)
        if drawn == self._drawn_best:
            return
        self._drawn_best = drawn
        self._best_place.clear()
        with self._best_place:
            found = experiment.best
            if found is None:
                widgets.paragraph("None: no trial has reported a number.", "sp-muted")
                return
            with ui.element("div").classes("tu-best"):
                widgets.text(states.value(found.values.get(experiment.objective.metric)), "tu-best-value")
                widgets.text(experiment.objective.metric, "sp-muted")
            with ui.element("div").classes("sp-row"):
                widgets.text("by", "sp-muted")
                widgets.link(found.trial, self._page.href(places.trial(experiment.namespace, found.trial)))
            others = {
                name: states.value(value)
                for name, value in found.values.items()
                if name != experiment.objective.metric
            }
            if not experiment.is_nas:
                widgets.pairs({**found.assignments, **others})
            ask = partial(best.ask_use, self._page, experiment.namespace, experiment.name, found.trial)
            with ui.element("div").classes("sp-row"):
                widgets.button("Use these parameters", ask, icon="rocket_launch", kind="primary")

    def _show_history(self) -> None:
        trials = self._shown.trials
        if trials is self._seen:
            return
        self._seen = trials
        drawn = progress.history(trials, height=300) if trials.measured else None
        self._none.set_visibility(drawn is None)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        if drawn is None:
            return
        if self._chart is None:
            with self._history:
                self._chart = Chart(drawn.figure, on_pick=self._pick)
        else:
            self._chart.show(drawn.figure)

    def _pick(self, series: str, place: int) -> None:
        names = self._drawn.places.get(series, []) if self._drawn is not None else []
        if 0 <= place < len(names):
            self._page.go(places.trial(self._shown.experiment.namespace, names[place]))

    def stop(self) -> None:
        self._is_stopped = True
