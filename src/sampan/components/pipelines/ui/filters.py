"""What lists are narrowed by: choices, each of which says at once what it has become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

Change = Callable[[str], Any]


def bar() -> Element:
    """What is made within it stands in one row above a list."""
    return ui.element("div").classes("sp-filters")


def choice(label: str, options: Mapping[str, str], value: str, change: Change) -> Element:
    """`options` from values to what is shown for them; the empty value is all."""
    found = Element("select").classes("sp-input")
    found._props["aria-label"] = label
    with found:
        for key, words in options.items():
            option = Element("option")
            option._props["value"] = key
            option._props["selected"] = key == value
            option._text = words
    found.on(
        "change", lambda event: change(str(event.args)), js_handler="(event) => emit(event.target.value)"
    )
    return found
