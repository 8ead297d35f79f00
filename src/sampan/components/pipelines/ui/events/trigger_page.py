"""One trigger: what it listens to, what it passes on, and what came of the latest events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import facts, lookups
from sampan.components.pipelines.ui.events import trigger_model as model
from sampan.components.pipelines.ui.events import trigger_overview as overview
from sampan.components.pipelines.ui.events.shared import show_json
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.ui import widgets, words
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.copied.copied import ORIGIN, Copied
from sampan.ui.forms.fields import About, JsonField
from sampan.ui.forms.form import Form
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

_COLUMNS = (
    Column("at", "When", sort="created_at"),
    Column("state", "What came of it", sort="state"),
    Column("run", "Run"),
    Column("why", "Why"),
    Column("attempts", "Attempts", number=True),
    Column("actions", "", narrow=True),
)


async def build(page: PageContext) -> None:
    path = f"{overview.API}/{segment(page.params['trigger_id'])}"
    trigger = await page.api.get(path)
    reference = trigger.get("pipeline_version_reference", {})
    view = _View(page)
    view.pipeline = await lookups.name_of(page.api, "pipelines", reference.get("pipeline_id", ""))
    view.experiment = await lookups.name_of(page.api, "experiments", trigger.get("experiment_id", ""))
    await page.live(path, view.show)
    with ui.element("section").classes("sp-section"):
        widgets.heading("Events")
        view.list = PagedTable(
            page, view.listed(f"{path}/deliveries"), label="Events", on_action=view.act, size=20
        )
        await view.list.show({})


class _View:
    list: PagedTable

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._trigger: Mapping[str, Any] = {}
        self._path = f"{overview.API}/{segment(page.params['trigger_id'])}"
        self.pipeline, self.experiment = "", ""
        self._body = ui.element("div")

    def listed(self, path: str) -> Listed:
        return Listed(path, "deliveries", "event|events", _COLUMNS, self._row, self._empty)

    def show(self, trigger: Any) -> None:
        self._trigger = trigger
        self._page.set_title(trigger["display_name"])
        self._body.clear()
        with self._body:
            word, tone, icon, why = model.state(trigger)
            with widgets.page_header(trigger["display_name"], trigger.get("description", "")):
                self._buttons(trigger)
            with ui.element("div").classes("sp-row"):
                widgets.state(word, tone, icon)
                widgets.text(why, "sp-muted")
            with ui.element("div").classes("sp-grid sp-section"):
                with widgets.card("What it does"):
                    widgets.pairs(self._pairs(trigger))
                self._passed_on(trigger)
            if model.kind_of(trigger) == "webhook":
                self._webhook(trigger)

    def _buttons(self, trigger: Mapping[str, Any]) -> None:
        paused = model.is_paused(trigger)
        trying = widgets.button("Try it", self._ask_to_try, icon="science")
        widgets.set_enabled(trying, not paused, "Resume it first")
        if paused:
            widgets.button("Resume", lambda: self._switch(on=True), icon="play_arrow", kind="primary")
        else:
            widgets.button("Pause", lambda: self._switch(on=False), icon="pause")
        href = self._page.href(f"/triggers/{trigger['trigger_id']}/edit")
        widgets.button("Edit", icon="edit", href=href)
        widgets.button("Delete", self._ask_to_delete, icon="delete", kind="danger")

    def _pairs(self, trigger: Mapping[str, Any]) -> dict[str, str | Callable[[], None]]:
        said = model.when(trigger)
        source = trigger.get(model.kind_of(trigger), {})
        found: dict[str, str | Callable[[], None]] = {"Starts runs": said[0].upper() + said[1:]}
        for path, pattern in trigger.get("conditions", {}).items():
            found[f"Only if {path}"] = f"is {pattern}"
        if "settle_seconds" in source:
            found["A file counts"] = f"once it has not changed for {source['settle_seconds']} s"
        if "secret_ref" in source:
            found["Secret"] = f"{source['secret_ref']['name']}, key {source['secret_ref']['key']}"
        found["Pipeline"] = lambda: self._pipeline(trigger)
        experiment = f"/experiments/{segment(trigger.get('experiment_id', ''))}"
        found["Experiment"] = lambda: facts.link(
            self._page, self.experiment or "one that is gone", experiment
        )
        found["At once"] = f"at most {words.counted(int(trigger.get('max_concurrency', 1)), 'run|runs')}"
        found["Has started"] = words.counted(int(trigger.get("runs_started", 0)), "run|runs")
        found["Made"] = lambda: facts.stamp(str(trigger["created_at"]))
        found["Id"] = lambda: facts.mono(str(trigger["trigger_id"]))
        return found

    def _pipeline(self, trigger: Mapping[str, Any]) -> None:
        reference = trigger.get("pipeline_version_reference", {})
        pipeline, version = reference.get("pipeline_id", ""), reference.get("pipeline_version_id", "")
        if not pipeline:
            widgets.text("its own specification")
            return
        path = f"/pipelines/{segment(pipeline)}" + (f"/versions/{segment(version)}" if version else "")
        facts.link(self._page, self.pipeline or "a pipeline that is gone", path)
        widgets.text(" in one version, always" if version else " in its latest version each time", "sp-muted")

    def _passed_on(self, trigger: Mapping[str, Any]) -> None:
        parameters = trigger.get("runtime_config", {}).get("parameters", {})
        with widgets.card("Parameters of its runs"):
            if parameters:
                widgets.pairs({str(name): str(value)[:400] for name, value in parameters.items()})
            else:
                widgets.paragraph("None: each run has the pipeline's own defaults.", "sp-muted")
            widgets.paragraph(
                f"An event has {model.event_hint(model.kind_of(trigger))}", "sp-hint sp-section"
            )

    def _webhook(self, trigger: Mapping[str, Any]) -> None:
        address = f"{ORIGIN}/apis/v2beta1/triggers/{trigger['trigger_id']}:fire"
        with widgets.card("How to fire it").classes("sp-section"):
            widgets.paragraph("Senders call this address, and prove that they know the secret:", "sp-muted")
            Copied(address, "address")
            Copied(f"curl {address} -H \"Authorization: Bearer $SECRET\" \\\n  --json '{{}}'", "command")
            widgets.paragraph(
                "GitHub and Gitea sign with the secret (content type application/json), GitLab sends it as its token. "
                "The secret is not shown again: give it another one where it is lost (Edit).",
                "sp-hint",
            )

    def _row(self, delivery: Any) -> Row:
        word, tone, icon = model.DELIVERIES.get(delivery["state"], (delivery["state"], "idle", ""))
        run_id = delivery.get("run_id", "")
        items = [("event", "Show the event", "data_object")]
        if delivery["state"] in ("FAILED", "SKIPPED"):
            items.append(("retry", "Start a run all the same", "replay"))
        return Row(
            delivery["delivery_id"],
            {
                "at": cells.moment(delivery["created_at"]),
                "state": cells.state(word, tone, icon),
                "run": cells.link("Open the run", self._page.href(f"/runs/{run_id}")) if run_id else "",
                "why": (delivery.get("error") or {}).get("message", ""),
                "attempts": cells.number(int(delivery.get("attempts", 0))),
                "actions": cells.actions(items),
            },
            name=f"event {delivery['delivery_id'][:8]}",
        )

    async def act(self, delivery_id: str, name: str) -> None:
        path = f"{self._path}/deliveries/{segment(delivery_id)}"
        if name == "retry":
            await self._page.attempt(self._page.api.post(f"{path}:retry"), done="It is tried again.")
            return
        found: dict[str, Any] = {}

        async def ask() -> None:
            found.update(await self._page.api.get(path))

        if await self._page.attempt(ask()):
            show_json("What came in", found.get("event", {}))

    def _empty(self) -> None:
        widgets.empty_state(
            "inbox",
            "Nothing has come yet",
            "Each event is listed here, with the run that it started, or why not.",
        )

    async def _switch(self, *, on: bool) -> None:
        await overview.switch(self._page, self._trigger, overview.API, "trigger_id", on=on)

    def _ask_to_try(self) -> None:
        window, content = widgets.dialog(f"Try {self._trigger['display_name']}", wide=True)

        async def send() -> None:
            answered = await self._page.api.post(f"{self._path}:test", {"event": event.read() or {}})
            window.close()
            word = model.DELIVERIES.get(answered["state"], ("Sent", "", ""))[0]
            why = (answered.get("error") or {}).get("message", "")
            tone = "bad" if answered["state"] == "FAILED" else "ok"
            self._page.notify(f"{word}: {why}" if why else f"{word}.", tone)

        def cancel() -> None:
            window.close()

        with content:
            widgets.paragraph("A run starts as if this event had come:", "sp-muted")
            form = Form(send, label="Try it")
            with form:
                event = form.add(
                    JsonField(About("event", "Event"), model.sample(model.kind_of(self._trigger)), lines=12)
                )
                form.buttons("Start a run", cancel)

    def _ask_to_delete(self) -> None:
        started = words.counted(int(self._trigger.get("runs_started", 0)), "run|runs")
        kept = f"The {started} that it has started stay."
        lost = [
            f"No more runs start {model.when(self._trigger)}.",
            "The events that came are forgotten.",
            kept,
        ]
        if model.kind_of(self._trigger) == "webhook":
            lost.insert(1, "Its address and secret are of no more use to senders.")
        widgets.confirm(f"Delete {self._trigger['display_name']}?", lost, self._delete, label="Delete")

    async def _delete(self) -> None:
        done = f"{self._trigger['display_name']} is deleted."
        if await self._page.attempt(self._page.api.delete(self._path), done=done):
            self._page.go("/triggers")
