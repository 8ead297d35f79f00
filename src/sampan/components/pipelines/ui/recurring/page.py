"""One recurring run: when it ticks next, what became of its last ticks, and its latest runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import facts, lookups
from sampan.components.pipelines.ui.recurring import model, overview
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets, words
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_NEXT, _PAST = 5, 20
_RUN_COLUMNS = (
    Column("name", "Run"),
    Column("state", "State"),
    Column("due", "Due"),
    Column("duration", "Duration"),
)
_PAST_COLUMNS = (
    Column("at", "At"),
    Column("state", "What became of it"),
    Column("reason", "Run, or why there is none"),
)


async def build(page: PageContext) -> None:
    view = _View(page)
    path = f"{overview.API}/{segment(page.params['recurring_run_id'])}"
    schedule = await page.api.get(path)
    reference = schedule.get("pipeline_version_reference", {})
    view.pipeline = await lookups.name_of(page.api, "pipelines", reference.get("pipeline_id", ""))
    view.experiment = await lookups.name_of(page.api, "experiments", schedule.get("experiment_id", ""))
    await page.live(path, view.show, query={"view": "FULL"})
    await page.live(f"{path}:ticks", view.show_ticks, query={"count": str(_NEXT), "past": str(_PAST)})


class _View:
    """What stays is made once; what a change of the recurring run's own touches is made anew with it."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._schedule: Mapping[str, Any] = {}
        self._drawn: Any = None
        self._zone_name = ""
        self.pipeline, self.experiment = "", ""
        self._head = ui.element("div")
        with ui.element("div").classes("sp-grid sp-section"):
            with widgets.card("What it does"):
                self._facts = ui.element("div")
            with widgets.card("Next ticks"):
                self._coming = DataTable((Column("at", "At"),), label="Next ticks")
                self._over = widgets.paragraph("It does not tick any more.", "sp-muted")
        with ui.element("section").classes("sp-section"):
            with ui.element("div").classes("sp-row"):
                widgets.heading("Latest runs")
                all_runs = page.href("/runs", recurring=page.params["recurring_run_id"])
                widgets.link("All of them", all_runs)
            self._no_runs = widgets.paragraph("It has not started a run yet.", "sp-muted")
            self._runs = DataTable(_RUN_COLUMNS, label="Latest runs")
        with ui.element("section").classes("sp-section") as self._history:
            widgets.heading("Past ticks")
            self._missed = widgets.paragraph("", "sp-muted")
            self._past = DataTable(_PAST_COLUMNS, label="Past ticks")

    def show(self, schedule: Any) -> None:
        self._schedule = schedule
        drawn = {
            key: value
            for key, value in schedule.items()
            if key not in ("recent_runs", "runs_started", "next_tick_at", "updated_at")
        } | {"is_over": "next_tick_at" not in schedule}
        if drawn != self._drawn:
            self._drawn = drawn
            self._draw(schedule)
        self._started.set_text(words.counted(int(schedule.get("runs_started", 0)), "run|runs"))
        recent = schedule.get("recent_runs", [])
        self._no_runs.set_visibility(not recent)
        self._runs.set_visibility(bool(recent))
        self._runs.set_rows([self._run_row(run) for run in recent])

    def show_ticks(self, found: Any) -> None:
        coming, past = found.get("ticks", []), found.get("past", [])
        self._coming.set_rows([Row(at, {"at": cells.moment(at)}) for at in coming])
        self._coming.set_visibility(bool(coming))
        self._over.set_visibility(not coming)
        self._zone_name = found.get("time_zone", "")
        self._zone.set_text(self._zone_name)
        missed = model.missed(past)
        self._missed.set_text(
            f"{words.counted(missed, 'tick|ticks')} of the last {len(past)} had no run, or have it no longer."
            if missed
            else ""
        )
        self._history.set_visibility(bool(past))
        self._past.set_rows([self._past_row(each) for each in past])

    def _draw(self, schedule: Mapping[str, Any]) -> None:
        self._page.set_title(schedule["display_name"])
        self._head.clear()
        with self._head:
            word, tone, icon, why = model.state(schedule)
            with widgets.page_header(schedule["display_name"], schedule.get("description", "")):
                self._buttons(schedule)
            with ui.element("div").classes("sp-row"):
                widgets.state(word, tone, icon)
                if why:
                    widgets.text(why, "sp-muted")
        self._facts.clear()
        with self._facts:
            widgets.pairs(self._pairs(schedule))

    def _buttons(self, schedule: Mapping[str, Any]) -> None:
        paused = model.is_paused(schedule)
        widgets.button("Run now", lambda: self._change("run"), icon="play_circle")
        if paused:
            widgets.button("Resume", lambda: self._change("resume"), icon="play_arrow", kind="primary")
        else:
            widgets.button("Pause", lambda: self._change("pause"), icon="pause")
        href = self._page.href("/runs/new", recurring="1", clone_recurring=schedule["recurring_run_id"])
        widgets.button("Clone", icon="content_copy", href=href)
        widgets.button("Delete", self._ask_to_delete, icon="delete", kind="danger")

    def _pairs(self, schedule: Mapping[str, Any]) -> dict[str, str | Callable[[], None]]:
        said, _ = model.when(schedule)
        start, end = model.window(schedule)
        found: dict[str, str | Callable[[], None]] = {"Starts runs": said}
        found["Time zone"] = self._zone_place
        if start:
            found["Not before"] = lambda: facts.stamp(start)
        if end:
            found["Not after"] = lambda: facts.stamp(end)
        found["At once"] = f"at most {words.counted(int(schedule.get('max_concurrency', 1)), 'run|runs')}"
        found["Missed ticks"] = (
            "only the latest is made up for"
            if schedule.get("no_catchup")
            else "each is made up for, one by one"
        )
        found["Pipeline"] = lambda: self._pipeline(schedule)
        experiment_path = f"/experiments/{segment(schedule.get('experiment_id', ''))}"
        found["Experiment"] = lambda: facts.link(
            self._page, self.experiment or "one that is gone", experiment_path
        )
        parameters = schedule.get("runtime_config", {}).get("parameters", {})
        for name, value in parameters.items():
            found[f"Parameter {name}"] = str(value)[:400]
        if schedule.get("service_account"):
            found["Service account"] = str(schedule["service_account"])
        found["Has started"] = self._started_place
        found["Made"] = lambda: facts.stamp(str(schedule["created_at"]))
        found["Id"] = lambda: facts.mono(str(schedule["recurring_run_id"]))
        return found

    def _zone_place(self) -> None:
        self._zone = widgets.text(self._zone_name)

    def _started_place(self) -> None:
        self._started = widgets.text("")

    def _pipeline(self, schedule: Mapping[str, Any]) -> None:
        reference = schedule.get("pipeline_version_reference", {})
        pipeline, version = reference.get("pipeline_id", ""), reference.get("pipeline_version_id", "")
        if not pipeline:
            widgets.text("its own specification")
            return
        path = f"/pipelines/{segment(pipeline)}"
        if version:
            path += f"/versions/{segment(version)}"
        facts.link(self._page, self.pipeline or "a pipeline that is gone", path)
        widgets.text(
            " in one version, always" if version else " in its latest version at each tick", "sp-muted"
        )

    def _run_row(self, run: Mapping[str, Any]) -> Row:
        word, tone, icon = shown(str(run.get("state", "")))
        href = self._page.href(f"/runs/{run['run_id']}")
        return Row(
            run["run_id"],
            {
                "name": cells.link(run["display_name"], href),
                "state": cells.state(word, tone, icon),
                "due": cells.time(run.get("scheduled_at", "")),
                "duration": cells.duration(run["created_at"], run.get("finished_at", "")),
            },
            name=run["display_name"],
        )

    def _past_row(self, past: Mapping[str, Any]) -> Row:
        word, tone, icon, why = model.tick(past)
        run_id = past.get("run_id", "")
        reason = cells.link("Open the run", self._page.href(f"/runs/{run_id}")) if run_id else why
        at = str(past["at"])
        return Row(at, {"at": cells.moment(at), "state": cells.state(word, tone, icon), "reason": reason})

    async def _change(self, name: str) -> None:
        await overview.change(self._page, self._schedule, name)

    def _ask_to_delete(self) -> None:
        schedule = self._schedule
        started = words.counted(int(schedule.get("runs_started", 0)), "run|runs")
        widgets.confirm(
            f"Delete {schedule['display_name']}?",
            [
                f"It starts no more runs: {model.when(schedule)[0].lower()} comes to an end.",
                "What became of its ticks is forgotten.",
                f"The {started} it has started stay, and those that run go on.",
            ],
            self._delete,
            label="Delete",
        )

    async def _delete(self) -> None:
        schedule_id = self._schedule["recurring_run_id"]
        if await self._page.attempt(
            self._page.api.delete(f"{overview.API}/{segment(schedule_id)}"),
            done=f"{self._schedule['display_name']} is deleted.",
        ):
            self._page.go("/recurring-runs")
