"""Below a job's head: why it failed, or what it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from sampan.components.training.ui.job_page.waiting import Reason
from sampan.ui import widgets

_ICONS = {"bad": "error", "warn": "warning", "idle": "info"}


class Banner:
    def __init__(self) -> None:
        self._drawn: Sequence[Reason] = ()
        self._place = ui.element("div").props('role="status"')

    def show(self, reasons: Sequence[Reason]) -> None:
        if list(reasons) == list(self._drawn):
            return
        self._drawn = reasons
        self._place.clear()
        with self._place:
            for each in reasons:
                _notice(each)


def _notice(reason: Reason) -> None:
    label = "Why it failed" if reason.tone == "bad" else "What it waits for"
    with ui.element("section").classes(f"sp-notice sp-tone-{reason.tone}") as found:
        found._props["aria-label"] = label
        with ui.element("div").classes("sp-notice-head"):
            ui.icon(_ICONS.get(reason.tone, "info")).props("aria-hidden=true")
            widgets.heading(reason.title)
        if reason.text:
            widgets.paragraph(reason.text, "sp-pre")
        if reason.hint:
            widgets.paragraph(reason.hint, "sp-muted")
