"""Below an experiment's head: why it failed, or what it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.experiment_page.waiting import Notice
from sampan.ui import widgets
from sampan.ui.context import PageContext

_ICONS = {"bad": "error", "warn": "warning", "idle": "info"}


class Notices:
    def __init__(self, page: PageContext, namespace: str) -> None:
        self._page = page
        self._namespace = namespace
        self._drawn: Sequence[Notice] = ()
        self._place = ui.element("div").props('role="status"')

    def show(self, notices: Sequence[Notice]) -> None:
        if list(notices) == list(self._drawn):
            return
        self._drawn = notices
        self._place.clear()
        with self._place:
            for each in notices:
                self._show(each)

    def _show(self, notice: Notice) -> None:
        with ui.element("section").classes(f"sp-notice sp-tone-{notice.tone}") as found:
            found._props["aria-label"] = notice.title
            with ui.element("div").classes("sp-notice-head"):
                ui.icon(_ICONS.get(notice.tone, "info")).props("aria-hidden=true")
                widgets.heading(notice.title)
            if notice.text:
                widgets.paragraph(notice.text, "sp-pre")
            if notice.hint:
                widgets.paragraph(notice.hint, "sp-muted")
            if notice.trials:
                with ui.element("div").classes("sp-row"):
                    widgets.text("Such as", "sp-muted")
                    for name in notice.trials:
                        widgets.link(name, self._page.href(places.trial(self._namespace, name)))
