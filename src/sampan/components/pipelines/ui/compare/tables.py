"""The parts of the comparison that are tables: overview with parameters and metrics, steps, artifacts."""

from __future__ import annotations

from nicegui import ui

from sampan.components.pipelines.ui.compare import figures, rows
from sampan.components.pipelines.ui.compare.matrix import Matrix
from sampan.components.pipelines.ui.compare.state import Comparison
from sampan.ui import widgets
from sampan.ui.charts.chart import Chart


class Overview:
    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._all = state.page.query.get("all") == "1"
        with ui.element("label").classes("sp-compare-same"):
            box = ui.element("input").props('type="checkbox"')
            box._props["checked"] = self._all
            widgets.text("Show parameters that are the same too")
        box.on(
            "change",
            lambda event: self._show_all(bool(event.args)),
            js_handler="(event) => emit(event.target.checked)",
        )
        self._matrix = Matrix("Runs side by side", state.columns(), self._sections(), state.base, self._act)

    def refresh(self) -> None:
        self._matrix.show(self._state.columns(), self._sections(), self._state.base)

    def _sections(self) -> list[rows.Section]:
        runs, state = self._state.runs, self._state
        return [
            rows.facts(runs, state.page.href),
            rows.parameters(runs, all_of_them=self._all),
            rows.metrics(runs, state.base, state.directions.lower_is_better),
        ]

    def _show_all(self, on: bool) -> None:
        self._all = on
        self._state.page.set_query(all="1" if on else "")
        self.refresh()

    async def _act(self, name: str, run_id: str) -> None:
        state = self._state
        match name:
            case "left" | "right":
                state.move(run_id, -1 if name == "left" else 1)
            case "remove":
                state.leave_out(run_id)
            case "base":
                state.page.set_query(base="" if state.base == run_id else run_id)
                self.refresh()
            case "versions" if (found := rows.differing_versions(state.runs, state.base)) is not None:
                pipeline_id, one, other = found
                state.page.go(f"/pipelines/{pipeline_id}/compare", **{"from": one, "to": other})
            case _ if name.startswith("direction:"):
                await state.directions.turn(name.removeprefix("direction:"))
                self.refresh()


class Steps:
    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._chart: Chart | None = None
        with ui.element("div").classes("sp-stack"):
            self._card = widgets.card("The steps that took longest")
            self._matrix = Matrix("Steps side by side", state.columns(), self._sections(), state.base)
        self.refresh()

    def refresh(self) -> None:
        figure = figures.step_bars(self._state.runs)
        self._card.set_visibility(figure is not None)
        if figure is not None and self._chart is not None:
            self._chart.show(figure)
        elif figure is not None:
            with self._card:
                self._chart = Chart(figure)
        self._matrix.show(self._state.columns(), self._sections(), self._state.base)

    def _sections(self) -> list[rows.Section]:
        return [rows.steps(self._state.runs, self._state.base)]


class Artifacts:
    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._matrix = Matrix("Artifacts side by side", state.columns(), self._sections(), state.base)

    def refresh(self) -> None:
        self._matrix.show(self._state.columns(), self._sections(), self._state.base)

    def _sections(self) -> list[rows.Section]:
        return [rows.artifacts(self._state.runs, self._state.page.href)]
