"""How a program asks the endpoint: to be copied, for each protocol."""

from __future__ import annotations

from nicegui import ui

from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.components.serving.ui.trying import protocols
from sampan.ui import widgets
from sampan.ui.controls.controls import Choice
from sampan.ui.copied.copied import ORIGIN, Copied

_LANGUAGES = (("curl", "curl"), ("python", "Python"))


class CallCard:
    def __init__(self, shown: Shown) -> None:
        self._ways = {each.key: each for each in protocols.ways(shown.endpoint, shown.obj)}
        self._way = next(iter(self._ways))
        self._language = "curl"
        with widgets.card("Call it"):
            with ui.element("div").classes("sp-row sv-tabs-snippet"):
                options = [(each.key, each.label) for each in self._ways.values()]
                Choice("Protocol", options, self._way, self._choose_way)
                Choice("As", _LANGUAGES, self._language, self._choose_language)
            self._place = ui.element("div")
            widgets.paragraph(
                "By its own address, or by this path on the platform's, which needs no name to be known.",
                "sp-muted sp-small",
            )
        self._show()

    def _choose_way(self, key: str) -> None:
        self._way = key
        self._show()

    def _choose_language(self, language: str) -> None:
        self._language = language
        self._show()

    def _show(self) -> None:
        way = self._ways[self._way]
        write = protocols.curl if self._language == "curl" else protocols.python
        self._place.clear()
        with self._place:
            Copied(write(way, ORIGIN, way.example), "snippet")
