"""A box above a list: what is typed into it narrows the list, a moment after the last letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element

_REST_SECONDS = 0.25


def search_box(label: str, value: str, find: Callable[[str], Any]) -> Element:
    """`label` says what is searched: shown while the box is empty, and read aloud."""
    with ui.element("div").classes("sp-find"):
        ui.icon("search").props("aria-hidden=true")
        box = Element("input").classes("sp-input")
        box._props.update(
            {
                "type": "search",
                "aria-label": label,
                "placeholder": label,
                # The attribute: with the property, Vue writes over what is being typed whenever it draws anew.
                "^value": value,
                "autocomplete": "off",
            }
        )
        box.on(
            "input",
            lambda event: find(str(event.args).strip()),
            js_handler="(event) => emit(event.target.value)",
            throttle=_REST_SECONDS,
            leading_events=False,
        )
    return box
