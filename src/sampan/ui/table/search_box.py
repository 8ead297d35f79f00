"""A box above a list: what is typed into it narrows the list, a moment after the last letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

_REST_SECONDS = 0.25


def search_box(label: str, value: str, find: Callable[[str], Any]) -> Element:
    """`label` says what is searched: shown while the box is empty, and read aloud."""

    def take(event: GenericEventArguments) -> Any:
        # For when it is drawn again, but without drawing it now.
        dict.__setitem__(box._props, "value", str(event.args))
        return find(str(event.args).strip())

    with ui.element("div").classes("sp-find"):
        ui.icon("search").props("aria-hidden=true")
        box = Element("input").classes("sp-input")
        box._props.update(
            {
                "type": "search",
                "aria-label": label,
                "placeholder": label,
                "value": value,
                "autocomplete": "off",
            }
        )
        box.on(
            "input",
            take,
            js_handler="(event) => emit(event.target.value)",
            throttle=_REST_SECONDS,
            leading_events=False,
        )
    return box
