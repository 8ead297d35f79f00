"""How a program asks the endpoint: to be copied, for each protocol, with a request that the model takes."""

from __future__ import annotations

from nicegui import ui

from sampan.components.serving.api.kinds import INFERENCE_GRAPHS, INFERENCE_SERVICES
from sampan.components.serving.api.summary import State
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.components.serving.ui.trying import protocols, requests
from sampan.components.serving.ui.trying.asker import Answer, Asker
from sampan.components.serving.ui.trying.protocols import Way
from sampan.ui import widgets
from sampan.ui.controls.controls import Choice
from sampan.ui.copied.copied import ORIGIN, Copied

_LANGUAGES = (("curl", "curl"), ("python", "Python"))


class CallCard:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._key = ""
        self._language = "curl"
        self._is_asked = False
        with widgets.card("Call it"):
            self._choices = ui.element("div").classes("sp-row sv-tabs-snippet")
            self._place = ui.element("div")
            if shown.endpoint.kind in (INFERENCE_SERVICES.kind, INFERENCE_GRAPHS.kind):
                widgets.paragraph(
                    "This is the platform's address with a path. The endpoint's own address, above, takes what follows "
                    "the endpoint's name.",
                    "sp-muted sp-small",
                )
            self._asker = Asker("", self._take, is_quiet=True)
        self._offer()
        self.update()

    def update(self) -> None:
        """Asks the model what it takes, once, and only where that wakes nobody."""
        shown = self._shown
        if self._is_asked or shown.told != requests.NOTHING or shown.endpoint.kind == INFERENCE_GRAPHS.kind:
            return
        metadata = next((each.metadata for each in self._ways() if each.metadata), "")
        if metadata and shown.endpoint.state == State.READY and shown.pods:
            self._is_asked = True
            self._asker.look(metadata, key="metadata")

    def _take(self, answer: Answer) -> None:
        if answer.status == 200 and (told := requests.told(answer.body)) != requests.NOTHING:
            self._shown.told = told
            self._offer()

    def _ways(self) -> list[Way]:
        return requests.fitting(protocols.ways(self._shown.endpoint, self._shown.obj), self._shown.told)

    def _offer(self) -> None:
        ways = self._ways()
        if all(each.key != self._key for each in ways):
            self._key = ways[0].key
        self._choices.clear()
        with self._choices:
            if len(ways) > 1:
                Choice("Protocol", [(each.key, each.label) for each in ways], self._key, self._choose_way)
            Choice("As", _LANGUAGES, self._language, self._choose_language)
        self._show()

    def _choose_way(self, key: str) -> None:
        self._key = key
        self._show()

    def _choose_language(self, language: str) -> None:
        self._language = language
        self._show()

    def _show(self) -> None:
        way = next(each for each in self._ways() if each.key == self._key)
        write = protocols.curl if self._language == "curl" else protocols.python
        self._place.clear()
        with self._place:
            Copied(write(way, ORIGIN, requests.filled(way, self._shown.told)), "snippet")
