"""A box above a list: what is typed into it narrows the list, a moment after the last letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element

_REST_SECONDS = 0.25


class SearchBox(Element):
    """`label` says what is searched: shown while the box is empty, and read aloud."""

    def __init__(self, label: str, value: str, find: Callable[[str], Any]) -> None:
        super().__init__("span")
        self.classes("sp-find")
        self._label = label
        self._find = find
        self._draw(value)

    def set(self, value: str) -> None:
        """In place of what stands there; nobody is told."""
        self.clear()
        self._draw(value)

    def _draw(self, value: str) -> None:
        with self:
            ui.icon("search").props("aria-hidden=true")
            box = Element("input").classes("sp-input")
            box._props.update(
                {
                    "type": "search",
                    "aria-label": self._label,
                    "placeholder": self._label,
                    # The attribute: with the property, Vue writes over what is being typed whenever it draws anew.
                    "^value": value,
                    "autocomplete": "off",
                }
            )
            box.on(
                "input",
                lambda event: self._find(str(event.args).strip()),
                js_handler="(event) => emit(event.target.value)",
                throttle=_REST_SECONDS,
                leading_events=False,
            )
