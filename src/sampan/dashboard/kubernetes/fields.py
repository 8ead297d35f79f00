"""The inputs above lists of objects: a text, a choice, a tick. Each tells the server when it has changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui
from nicegui.element import Element

from sampan.ui import widgets

Change = Callable[[str], Any]
"""Gets the new value; may be a coroutine function."""

INITIAL = "^value"
"""The attribute, not the property: with that, Vue would write over what is being typed whenever it draws anew."""

_numbers = itertools.count(1)
_TYPING_SECONDS = 0.25


def text_box(label: str, value: str, change: Change, *, hint: str = "", typing: bool = True) -> Element:
    """`typing` says that a change counts while one types; else once one has finished."""
    found = Element("input").classes("sp-input")
    found._props.update(
        {
            "type": "search",
            INITIAL: value,
            "aria-label": label,
            "placeholder": hint or label,
            "autocomplete": "off",
        }
    )
    event, delay = ("input", _TYPING_SECONDS) if typing else ("change", 0.0)
    found.on(
        event,
        lambda said: change(str(said.args)),
        js_handler="(event) => emit(event.target.value)",
        throttle=delay,
        leading_events=False,
    )
    return found


def number_box(label: str, value: int, change: Change) -> Element:
    found = Element("input").classes("sp-input")
    found._props.update({"type": "number", "min": "0", INITIAL: str(value), "aria-label": label})
    found.on("input", lambda said: change(str(said.args)), js_handler="(event) => emit(event.target.value)")
    return found


def tick(label: str, checked: bool, change: Callable[[bool], Any]) -> Element:
    with ui.element("label").classes("sp-row kc-tick") as found:
        box = Element("input")
        box._props.update({"type": "checkbox", "checked": checked})
        box.on(
            "change", lambda said: change(bool(said.args)), js_handler="(event) => emit(event.target.checked)"
        )
        widgets.text(label)
    return found


def choice(
    label: str, groups: Sequence[tuple[str, Mapping[str, str]]], chosen: str, change: Change
) -> Element:
    """`groups` are headings with names by value; a heading may be empty."""
    found = Element("select").classes("sp-input")
    found._props["aria-label"] = label
    with found:
        for heading, options in groups:
            if heading:
                with Element("optgroup") as place:
                    place._props["label"] = heading
                    _options(options, chosen)
            else:
                _options(options, chosen)
    found.on("change", lambda said: change(str(said.args)), js_handler="(event) => emit(event.target.value)")
    return found


def _options(options: Mapping[str, str], chosen: str) -> None:
    for value, name in options.items():
        option = widgets.Text("option", name)
        option._props["value"] = value
        if value == chosen:
            option._props["selected"] = True


def labelled(label: str, field: Element) -> None:
    """Puts a visible label before a field that was just made."""
    number = f"kc-field-{next(_numbers)}"
    field._props["id"] = number
    with ui.element("div").classes("sp-field") as place:
        widgets.Text("label", label)._props["for"] = number
    field.move(place)
