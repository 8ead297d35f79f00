"""The YAML of a trial, and of the object that it runs, as the API has them now."""

from __future__ import annotations

from nicegui import ui

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.trial_page.parts import Shown
from sampan.kube import meta
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
        trial = self._shown.trial
        place = places.cluster(TRIALS, trial.namespace, trial.name)
        with ui.element("div").classes("sp-bar-of-list"):
            widgets.button("Edit", icon="edit", href=self._page.href(place, tab="yaml"))
            widgets.button(
                "What belongs to it", icon="account_tree", href=self._page.href(place, tab="owned")
            )
        self._place = ui.element("div")
        self.update()

    def update(self) -> None:
        obj = self._shown.obj
        run = meta.spec(obj).get("runSpec")
        text = yamltext.dump(
            {**obj, "spec": {key: each for key, each in meta.spec(obj).items() if key != "runSpec"}}
        )
        if text == self._drawn:
            return
        self._drawn = text
        self._place.clear()
        with self._place, ui.element("div").classes("sp-stack"):
            if isinstance(run, dict) and run:
                widgets.heading("What it runs")
                CodeView(yamltext.dump(run), label="YAML of the run object", language="yaml", height="50vh")
            widgets.heading("The trial, without what it runs")
            CodeView(text, label=f"YAML of {self._shown.trial.name}", language="yaml", height="60vh")

    def stop(self) -> None:
        """Nothing goes on by itself."""
