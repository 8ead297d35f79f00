"""A form of a notification: a new one, or one that is there. URLs and secrets are never shown again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import lookups
from sampan.components.pipelines.ui.events import notification_model as model
from sampan.components.pipelines.ui.events import trigger_model
from sampan.components.pipelines.ui.events.notification_overview import API
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, ChoiceField, Field, NumberField, SwitchField, TextField
from sampan.ui.forms.form import Form

_KINDS = ("experiment", "pipeline")


async def build(page: PageContext) -> None:
    await _NotificationForm(page, {}).build()


async def build_edit(page: PageContext) -> None:
    there = await page.api.get(f"{API}/{segment(page.params['notification_id'])}")
    page.set_title(
        f"Edit {there['display_name']}",
        [
            ("Notifications", "/notifications"),
            (there["display_name"], f"/notifications/{there['notification_id']}"),
        ],
    )
    await _NotificationForm(page, there).build()


class _NotificationForm:
    def __init__(self, page: PageContext, there: Mapping[str, Any]) -> None:
        self._page = page
        self._there = there
        self._channel = model.channel_of(there) if there else "webhook"
        self._target: dict[str, Field] = {}
        self._scope: dict[str, ChoiceField] = {}
        self._run_id = str(there.get("run_id", "")) or page.query.get("run", "")

    async def build(self) -> None:
        there = self._there
        widgets.page_header(f"Edit {there['display_name']}" if there else "New notification")
        self._form = Form(self._send, label="Notification", places=_places())
        with self._form:
            self._name = self._form.add(
                TextField(About("name", "Name", required=True), there.get("display_name", ""))
            )
            self._description = self._form.add(
                TextField(About("description", "Description"), there.get("description", ""))
            )
            options = list(model.CHANNELS.items())
            about = About("channel kind", "Is sent by")
            self._choice = self._form.add(
                ChoiceField(about, options, self._channel, segments=True, change=self._choose_channel)
            )
            self._target_place = ui.element("div").classes("sp-stack")
            self._draw_target()
            self._add_states()
            await self._add_scope()
            back = f"/notifications/{there['notification_id']}" if there else "/notifications"
            self._form.buttons("Save" if there else "Make the notification", self._page.href(back))

    def _add_states(self) -> None:
        chosen = self._there.get("states") if self._there else ["FAILED"]
        with ui.element("fieldset").classes("sp-fieldset"):
            widgets.Text("legend", "When a run")
            self._states = {
                state: self._form.add(SwitchField(About(f"state {state}", word), state in (chosen or ())))
                for state, word in model.STATES.items()
            }
        longer = int(self._there.get("longer_than_seconds", 0))
        hint = "Such as 90s, 15m, 2h or 1h30m. Empty: however long it takes."
        self._longer = self._form.add(
            TextField(
                About("longer", "Or takes longer than", hint=hint),
                f"{longer}s" if longer else "",
                check=_duration_problem,
            )
        )
        hint = "Of the log of a step that failed; values of Secrets are masked."
        self._lines = self._form.add(
            NumberField(
                About("log_lines", "Lines of the log", hint=hint),
                str(self._there.get("log_lines", "20")),
                whole=True,
            )
        )

    async def _add_scope(self) -> None:
        for kind in _KINDS:
            given = str(self._there.get(f"{kind}_id", ""))
            options = list(await lookups.options(self._page, f"{kind}s", f"All {kind}s"))
            if given and all(key != given for key, _ in options):
                options.append((given, await lookups.name_of(self._page.api, f"{kind}s", given) or given))
            self._scope[kind] = self._form.add(
                ChoiceField(
                    About(f"scope {kind}", f"Runs of the {kind}"), options, given, look=self._look_for(kind)
                )
            )
        if self._run_id:
            widgets.paragraph(f"It is about the run {self._run_id} only.", "sp-muted")

    def _look_for(self, kind: str) -> Any:
        async def look(text: str) -> Sequence[tuple[str, str]]:
            return await lookups.options(self._page, f"{kind}s", f"All {kind}s", text)

        return look

    def _choose_channel(self) -> None:
        self._channel = self._choice.read()
        self._draw_target()

    def _draw_target(self) -> None:
        for field in self._target.values():
            self._form.forget(field.name)
        self._target_place.clear()
        given = self._there.get(self._channel, {})
        with self._target_place:
            self._target = {
                field.name.removeprefix("target "): self._form.add(field)
                for field in _target_fields(self._channel, given)
            }

    async def _send(self) -> None:
        given = {name: field.read() for name, field in self._target.items()}
        body: dict[str, Any] = {
            "display_name": self._name.read(),
            "description": self._description.read(),
            "namespace": self._page.namespace,
            "states": [state for state, field in self._states.items() if field.read()],
            "longer_than_seconds": str(model.seconds(self._longer.read())),
            "log_lines": str(self._lines.read() if self._lines.read() is not None else 20),
            "disabled": bool(self._there) and trigger_model.is_paused(self._there),
            "run_id": self._run_id,
            **{f"{kind}_id": field.read() for kind, field in self._scope.items()},
            **model.target(self._channel, given, self._there),
        }
        if self._there:
            path = f"{API}/{segment(self._there['notification_id'])}"
            made = await self._page.api.put(path, body)
        else:
            made = await self._page.api.post(API, body)
        self._page.notify(
            f"{made['display_name']} is {'saved' if self._there else 'made'}. Try it: send a test."
        )
        self._page.go(f"/notifications/{made['notification_id']}")


def _target_fields(channel: str, given: Mapping[str, Any]) -> list[Field]:
    if channel == "email":
        to = ", ".join(given.get("to") or ())
        hint = "One address or several, with commas between them."
        return [TextField(About("target to", "To", hint=hint, required=True), to)]
    kept = f"Empty: it stays {given['url']}" if given.get("url") else ""
    about = About("target url", "URL", hint=kept or "It is not shown again.", required=not given)
    fields: list[Field] = [TextField(about, "", secret=bool(given), placeholder="https://")]
    if channel == "slack":
        hint = "Such as #ml. Empty: the one that the URL is for."
        return [
            *fields,
            TextField(About("target channel", "Channel", hint=hint), str(given.get("channel", ""))),
        ]
    hint = "Messages are signed with it (X-Hub-Signature-256)."
    hint += " Empty: it stays as it is." if given.get("signed") else " Empty: they are not signed."
    return [*fields, TextField(About("target secret", "Secret", hint=hint), "", secret=True)]


def _places() -> dict[str, str]:
    """From what the API's messages name to fields."""
    channels = {
        f"notification.{channel}.{name}": f"target {name}" for channel in model.CHANNELS for name in _TARGETS
    }
    return channels | {
        "notification.display_name": "name",
        "notification.log_lines": "log_lines",
        "notification.longer_than_seconds": "longer",
    }


_TARGETS = ("url", "secret", "channel", "to")


def _duration_problem(text: Any) -> str:
    try:
        model.seconds(str(text))
    except ValueError:
        return "Write a duration such as 90s, 15m or 1h30m"
    return ""
