"""The YAML of an experiment and of its suggestion, as the API has them now."""

from __future__ import annotations

from nicegui import ui

from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS
from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.objects import yamltext

_MOST = 1024 * 1024
"""Characters: what is longer is read elsewhere."""


class YamlPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._drawn: tuple[str, str] = ("", "")

    async def build(self) -> None:
        experiment = self._shown.experiment
        edit = places.cluster(EXPERIMENTS, experiment.namespace, experiment.name)
        with ui.element("div").classes("sp-bar-of-list"):
            widgets.button("Edit", icon="edit", href=self._page.href(edit, tab="yaml"))
            widgets.button("What belongs to it", icon="account_tree", href=self._page.href(edit, tab="owned"))
        self._place = ui.element("div")
        self.update()

    def update(self) -> None:
        shown = self._shown
        texts = (yaml_of(shown.obj, EXPERIMENTS.kind), yaml_of(shown.suggestion, SUGGESTIONS.kind))
        if texts == self._drawn:
            return
        self._drawn = texts
        self._place.clear()
        with self._place, ui.element("div").classes("sp-stack"):
            CodeView(texts[0], label=f"YAML of {shown.experiment.name}", language="yaml", height="70vh")
            if texts[1]:
                widgets.heading("What its algorithm was asked, and has answered")
                CodeView(texts[1], label="YAML of the suggestion", language="yaml", height="50vh")

    def stop(self) -> None:
        """Nothing goes on by itself."""


def yaml_of(obj: Object, kind: str) -> str:
    """Pure."""
    if not obj:
        return ""
    text = yamltext.dump({"apiVersion": EXPERIMENTS.api_version, "kind": kind, **obj})
    return text if len(text) <= _MOST else text[:_MOST] + "\n# … it goes on: kubectl get shows all of it\n"
