"""The YAML of a job, as the API has it now."""

from __future__ import annotations

from nicegui import ui

from sampan.components.training.ui import places
from sampan.components.training.ui.job_page.parts import Shown
from sampan.ui import widgets
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.objects import yamltext


class YamlPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._drawn = ""

    async def build(self) -> None:
        job, resource = self._shown.job, self._shown.resource
        edit = places.cluster(resource, job.namespace, job.name)
        with ui.element("div").classes("sp-bar-of-list"):
            widgets.button("Edit", icon="edit", href=self._page.href(edit, tab="yaml"))
            widgets.button("What belongs to it", icon="account_tree", href=self._page.href(edit, tab="owned"))
        self._place = ui.element("div")
        self.update()

    def update(self) -> None:
        text = yamltext.dump(self._shown.obj)
        if text == self._drawn:
            return
        self._drawn = text
        self._place.clear()
        with self._place:
            CodeView(text, label=f"YAML of {self._shown.job.name}", language="yaml", height="70vh")

    def stop(self) -> None:
        """Nothing goes on by itself."""
