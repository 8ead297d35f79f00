"""A form of a trigger: a new one, or one that is there. A secret that was made for it is shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import lookups
from sampan.components.pipelines.ui.events import trigger_model as model
from sampan.components.pipelines.ui.events.pipeline_fields import PipelineFields
from sampan.components.pipelines.ui.events.trigger_overview import API
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.copied.copied import ORIGIN, Copied
from sampan.ui.forms.fields import (
    About,
    ChoiceField,
    Field,
    NumberField,
    PairsField,
    SwitchField,
    TextField,
    typed,
)
from sampan.ui.forms.form import Form

_TYPES = (
    "system.Artifact",
    "system.Dataset",
    "system.Model",
    "system.Metrics",
    "system.HTML",
    "system.Markdown",
)


async def build(page: PageContext) -> None:
    await _TriggerForm(page, {}).build()


async def build_edit(page: PageContext) -> None:
    trigger = await page.api.get(f"{API}/{segment(page.params['trigger_id'])}")
    page.set_title(
        f"Edit {trigger['display_name']}",
        [("Triggers", "/triggers"), (trigger["display_name"], f"/triggers/{trigger['trigger_id']}")],
    )
    await _TriggerForm(page, trigger).build()


class _TriggerForm:
    def __init__(self, page: PageContext, trigger: Mapping[str, Any]) -> None:
        """`trigger` is the one that is there; empty for a new one."""
        self._page = page
        self._trigger = trigger
        self._kind = model.kind_of(trigger) if trigger else page.query.get("kind", "webhook")
        if self._kind not in model.KINDS:
            self._kind = "webhook"
        self._source: dict[str, Field] = {}
        self._ends: dict[str, SwitchField] = {}

    async def build(self) -> None:
        there = self._trigger
        widgets.page_header(f"Edit {there['display_name']}" if there else "New trigger")
        places = {
            "trigger.display_name": "name",
            "trigger.max_concurrency": "max_concurrency",
            "trigger.conditions": "conditions",
            "trigger.pipeline_version_reference": "pipeline",
            **{f"trigger.{kind}.{name}": f"source {name}" for kind in model.KINDS for name in _ALL_FIELDS},
        }
        self._form = Form(self._send, label="Trigger", places=places)
        with self._form:
            self._name = self._form.add(
                TextField(About("name", "Name", required=True), there.get("display_name", ""))
            )
            self._description = self._form.add(
                TextField(About("description", "Description"), there.get("description", ""))
            )
            self._choice = self._form.add(
                ChoiceField(
                    About("kind", "Starts runs on"),
                    list(model.KINDS.items()),
                    self._kind,
                    segments=True,
                    change=self._choose_kind,
                )
            )
            self._source_place = ui.element("div").classes("sp-stack")
            self._draw_source()
            self._conditions = self._form.add(
                PairsField(
                    About(
                        "conditions",
                        "Only if",
                        hint="A part of the event, such as body.ref, and what it is: refs/heads/*.",
                    ),
                    there.get("conditions", {}),
                )
            )
            widgets.heading("What runs")
            self._pipeline = PipelineFields(self._page, self._form, there)
            await self._pipeline.build()
            self._pipeline.tell(model.event_hint(self._kind))
            await self._add_rest()
            self._form.buttons(
                "Save" if there else "Make the trigger",
                self._page.href(f"/triggers/{there['trigger_id']}" if there else "/triggers"),
            )

    async def _add_rest(self) -> None:
        there = self._trigger
        experiments = await lookups.options(self._page, "experiments", "Default")
        self._experiment = self._form.add(
            ChoiceField(
                About("experiment", "Experiment"),
                experiments,
                there.get("experiment_id", ""),
                look=self._look,
            )
        )
        hint = "How many of its runs may be unfinished; further events wait for their turn."
        self._most = self._form.add(
            NumberField(
                About("max_concurrency", "At once", hint=hint),
                str(there.get("max_concurrency", "10")),
                whole=True,
            )
        )

    async def _look(self, text: str) -> Sequence[tuple[str, str]]:
        return await lookups.options(self._page, "experiments", "Default", text)

    def _choose_kind(self) -> None:
        self._kind = self._choice.read()
        self._draw_source()
        self._pipeline.tell(model.event_hint(self._kind))

    def _draw_source(self) -> None:
        for field in self._source.values():
            self._form.forget(field.name)
        for name in self._ends:
            self._form.forget(name)
        self._source, self._ends = {}, {}
        self._source_place.clear()
        given = self._trigger.get(self._kind, {})
        with self._source_place:
            for name in _FIELDS[self._kind]:
                self._source[name] = self._form.add(_field(name, given, has_secret=bool(given)))
            if self._kind == "run":
                chosen = given.get("states") or ["SUCCEEDED"]
                with ui.element("fieldset").classes("sp-fieldset"):
                    widgets.Text("legend", "When it has")
                    for state, words in model.ENDS.items():
                        self._ends[state] = self._form.add(SwitchField(About(state, words), state in chosen))

    async def _send(self) -> None:
        given = {name: field.read() for name, field in self._source.items()}
        given["states"] = [state for state, field in self._ends.items() if field.read()]
        body: dict[str, Any] = {
            "display_name": self._name.read(),
            "description": self._description.read(),
            "namespace": self._page.namespace,
            "experiment_id": self._experiment.read(),
            "service_account": self._trigger.get("service_account", ""),
            "max_concurrency": str(self._most.read() or 10),
            "conditions": self._conditions.read(),
            "disabled": bool(self._trigger) and model.is_paused(self._trigger),
            **self._pipeline.message(),
            **model.source(self._kind, given, self._trigger),
        }
        if self._trigger:
            made = await self._page.api.put(f"{API}/{segment(self._trigger['trigger_id'])}", body)
        else:
            made = await self._page.api.post(API, body)
        secret = made.get("webhook", {}).get("secret", "")
        if secret:
            self._show_secret(made, secret)
        else:
            self._page.notify(f"{made['display_name']} is {'saved' if self._trigger else 'made'}.")
            self._page.go(f"/triggers/{made['trigger_id']}")

    def _show_secret(self, made: Mapping[str, Any], secret: str) -> None:
        window, content = widgets.dialog("The trigger is made", wide=True)
        address = f"{ORIGIN}/apis/v2beta1/triggers/{made['trigger_id']}:fire"
        path = f"/triggers/{made['trigger_id']}"

        def leave() -> None:
            window.close()
            self._page.go(path)

        with content:
            widgets.paragraph("This is its secret. Copy it now: it is not shown again.")
            Copied(secret, "secret")
            widgets.paragraph("Whoever knows it fires the trigger at:")
            Copied(address, "address")
            widgets.paragraph("For example:")
            Copied(f"curl {address} -H \"Authorization: Bearer {secret}\" --json '{{}}'", "command")
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("I have it", leave, kind="primary")


_FIELDS = {
    "webhook": ("events", "secret"),
    "file": ("folder", "glob", "settle_seconds", "include_existing"),
    "object": ("uri", "glob", "settle_seconds", "include_existing"),
    "artifact": ("type", "name"),
    "run": ("name",),
}
_ALL_FIELDS = sorted({name for names in _FIELDS.values() for name in names})
_ABOUT = {
    "events": ("Events", "Names that senders give, such as push, tag. Empty: all of them."),
    "folder": ("Folder", "The whole path, on the server's machine."),
    "uri": ("Where", "Such as s3://bucket/in."),
    "glob": ("Files", "Such as *.csv, or **/*.csv for any folder below."),
    "settle_seconds": ("Counts after", "Seconds in which a file has not changed."),
    "include_existing": ("Also what is there already", ""),
    "type": ("Type", "Of the artifact."),
    "name": ("Name", "With * for any letters. Empty: all names."),
}
_NEEDED = ("folder", "uri")


def _field(name: str, given: Mapping[str, Any], *, has_secret: bool) -> Field:
    if name == "secret":
        hint = "Empty: it keeps the one it has." if has_secret else "Empty: one is made, and shown once."
        return TextField(About("source secret", "Secret", hint=hint), secret=True)
    label, hint = _ABOUT[name]
    about = About(f"source {name}", label, hint=hint, required=name in _NEEDED)
    if name == "include_existing":
        return SwitchField(about, bool(given.get(name)))
    if name == "settle_seconds":
        return NumberField(about, str(given.get(name, 3)), whole=True)
    if name == "type":
        return ChoiceField(about, [(each, each) for each in _TYPES], given.get(name, ""), free=True)
    if name == "events":
        return TextField(about, ", ".join(given.get(name) or ()))
    return TextField(about, typed(given.get(name)))
