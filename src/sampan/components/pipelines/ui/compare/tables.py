"""The parts of the comparison that are tables: overview with parameters and metrics, steps, artifacts."""

from __future__ import annotations

from nicegui import ui
from nicegui.element import Element

from sampan.components.pipelines.ui.compare import figures, rows
from sampan.components.pipelines.ui.compare.matrix import Matrix
from sampan.components.pipelines.ui.compare.model import Artifact, ComparedRun
from sampan.components.pipelines.ui.compare.state import Comparison
from sampan.components.pipelines.ui.previews.view import preview
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
            self._matrix = Matrix(
                "Steps side by side", state.columns(), self._sections(), state.base, _nothing
            ).fix()
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
    """Which there are, and what is chosen of them: its content in each of the runs."""

    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._chosen = state.page.query.get("artifact", "")
        self._ids: list[str] = []
        with ui.element("div").classes("sp-stack"):
            self._matrix = Matrix(
                "Artifacts side by side", state.columns(), self._sections(), state.base, self._act
            ).fix()
            self._place = ui.element("div")
        self._show_chosen()

    def refresh(self) -> None:
        self._matrix.show(self._state.columns(), self._sections(), self._state.base)
        if self._chosen and self._ids != [each.id for _, each in self._found()]:
            self._show_chosen()

    def _sections(self) -> list[rows.Section]:
        return [rows.artifacts(self._state.runs, self._state.page.href)]

    def _act(self, name: str, _run_id: str) -> None:
        key = name.removeprefix("show:")
        self._chosen = "" if key == self._chosen else key
        self._state.page.set_query(artifact=self._chosen)
        self._show_chosen()

    def _found(self) -> list[tuple[ComparedRun, Artifact]]:
        runs = self._state.runs
        return [(run, run.artifacts[self._chosen]) for run in runs if self._chosen in run.artifacts]

    def _show_chosen(self) -> None:
        found = self._found()
        self._ids = [each.id for _, each in found]
        self._place.clear()
        if not found:
            return
        with self._place, widgets.card(self._chosen), ui.element("div").classes("sp-compare-side"):
            for run, artifact in found:
                with ui.element("div") as place:
                    widgets.heading(run.name, 3)
                self._state.page.spawn(self._fill(place, artifact), "preview")

    async def _fill(self, place: Element, artifact: Artifact) -> None:
        with place:
            await preview(self._state.page, artifact.given)


def _nothing(_name: str, _run_id: str) -> None:
    """These columns have no buttons."""
