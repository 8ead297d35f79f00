"""Asking an endpoint: a form of what its model says that it takes, the request itself, and what it answers.

The browser asks, not this server: the request is any client's, and the time that it takes is what a client sees.
"""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.components.serving.ui.trying import protocols, requests
from sampan.components.serving.ui.trying.asker import Answer, Asker
from sampan.components.serving.ui.trying.protocols import CHAT, Way
from sampan.components.serving.ui.trying.requests import Input
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Choice
from sampan.ui.forms.fields import About, JsonField, NumberField, TextField
from sampan.ui.forms.form import Form
from sampan.ui.forms.values import NotAValueError

_METADATA = "metadata"
_MOST_KEPT = 8 * 1024
"""Of a request, to begin with the next time."""


class TryPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._ways: dict[str, Way] = {}
        self._find_ways(page.query.get("by", ""))
        self._fields: list[tuple[Input, JsonField]] = []
        self._request: JsonField | None = None
        self._start = ""
        self._is_woken = False

    async def build(self) -> None:
        with ui.element("div").classes("sp-bar-of-list"):
            self._choice = ui.element("div")
            self._said = widgets.text("", "sp-muted")
        with ui.element("div").classes("sv-halves"):
            with widgets.card("Request"):
                self._place = ui.element("div")
            with widgets.card("Answer"):
                self._asker = Asker("What it answers", self._take)
        self._offer()
        self._build_form()
        self.update()

    def _find_ways(self, chosen: str) -> None:
        shown = self._shown
        found = requests.fitting(protocols.ways(shown.endpoint, shown.obj), shown.told)
        self._ways = {each.key: each for each in found}
        self._way = self._ways.get(chosen) or found[0]

    def _offer(self) -> None:
        self._choice.clear()
        options = [(each.key, each.label) for each in self._ways.values()]
        if len(options) > 1:
            with self._choice:
                Choice("Protocol", options, self._way.key, self._choose)

    def _choose(self, key: str) -> None:
        self._way = self._ways[key]
        self._page.set_query(by=key)
        self._build_form()

    def _look(self) -> None:
        """What the model takes; an answer comes where it says so, and counts as a request."""
        self._is_woken = True
        if self._way.metadata and self._shown.told == requests.NOTHING:
            self._asker.look(self._way.metadata, key=_METADATA)

    def _take(self, answer: Answer) -> None:
        if answer.key != _METADATA or answer.status != 200:
            return
        told = requests.told(answer.body)
        if told in (self._shown.told, requests.NOTHING):
            return
        self._shown.told = told
        if self._request is None or self._request.raw == self._start:
            # What somebody has begun to write stays as it is.
            self._find_ways(self._way.key)
            self._offer()
            self._build_form()

    def _build_form(self) -> None:
        self._place.clear()
        self._fields = []
        self._request = None
        with self._place:
            if self._way.key == CHAT:
                self._build_chat(self._way)
            else:
                self._build_request(self._way)

    def _build_request(self, way: Way) -> None:
        kept = self._page.preference(self._preference(way))
        form = Form(self._send, label="Request")
        with form:
            if (inputs := self._shown.told.inputs) and way.key in requests.BY_INPUTS:
                for each in inputs:
                    about = About(f"input-{each.name}", each.name, each.hint)
                    text = json.dumps(requests.example(each))
                    lines = 1 if each.is_column else 3
                    field = form.add(JsonField(about, text, lines=lines, change=self._compose))
                    self._fields.append((each, field))
                self._start = requests.laid_out(self._composed(way))
            else:
                self._start = kept if isinstance(kept, str) else requests.laid_out(way.example)
            about = About("request", "As it is sent", way.path, required=True)
            self._request = form.add(JsonField(about, self._start, lines=9))
            form.buttons("Send")

    def _composed(self, way: Way) -> Any:
        """Raises NotAValueError."""
        return requests.request(way.key, [(each, field.read()) for each, field in self._fields])

    def _compose(self) -> None:
        if self._request is None:
            return
        try:
            made = self._composed(self._way)
        except NotAValueError:
            return
        self._request.put(requests.laid_out(made))

    async def _send(self) -> None:
        if self._request is None:
            return
        text = json.dumps(self._request.read())
        self._asker.ask(self._way.path, text)
        raw = str(self._request.raw)
        if not self._fields and len(raw) <= _MOST_KEPT:
            await self._page.keep_preference(self._preference(self._way), raw)

    def _preference(self, way: Way) -> str:
        endpoint = self._shown.endpoint
        return f"serving-request/{endpoint.kind}/{endpoint.namespace}/{endpoint.name}/{way.key}"

    def _build_chat(self, way: Way) -> None:
        form = Form(lambda: self._talk(way), label="Chat")
        with form:
            self._message = form.add(
                TextField(About("message", "What you say", required=True), "", lines=4, placeholder="Hello")
            )
            about = About("tokens", "At most so many tokens")
            self._tokens = form.add(NumberField(about, "128", whole=True))
            with form.buttons("Send"):
                widgets.button("New talk", lambda: self._asker.forget(), icon="restart_alt")

    def _talk(self, way: Way) -> None:
        request: dict[str, Any] = {"model": way.model}
        if (tokens := self._tokens.read()) is not None:
            request["max_tokens"] = int(tokens)
        self._asker.chat(way.path, request, str(self._message.raw))
        self._message.begin_anew("")

    def update(self) -> None:
        state = self._shown.endpoint.state
        said = {
            State.ASLEEP: "It is asleep: the first request wakes it, and waits some seconds.",
            State.STOPPED: "It is stopped: requests are refused.",
            State.STARTING: "It is starting: a request waits until it is ready.",
            State.FAILED: "It does not start: a request will be refused, with the reason.",
        }
        self._said.set_text(said.get(state, ""))
        if state == State.READY and not self._is_woken:
            self._look()

    def stop(self) -> None:
        """What is being asked ends with its element."""
