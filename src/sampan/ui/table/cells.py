"""What a table's cells can hold. Plain data, drawn by `table.js`; times live on in the browser, in its zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sampan.ui.links import checked

Cell = Any
"""A text, a number, or what one of these makes."""


def link(text: str, href: str, second: str = "", icon: str = "") -> Cell:
    """`second` is a line below, in small."""
    return {"t": "link", "text": text, "href": checked(href), "second": second, "icon": icon}


def lines(text: str, second: str) -> Cell:
    return {"t": "lines", "text": text, "second": second}


def state(text: str, tone: str, icon: str = "", title: str = "", second: str = "") -> Cell:
    """`title` is shown on pointing at it: why, for one that failed. `second` is a line below, in small."""
    cell = {"t": "state", "text": text, "tone": tone, "icon": icon, "title": title}
    return {**cell, "second": second} if second else cell


def time(at: str) -> Cell:
    """RFC 3339. Shown as how long ago or ahead, with the moment itself on pointing at it."""
    return {"t": "time", "at": at}


def moment(at: str) -> Cell:
    """RFC 3339. The moment itself, and below it how long ago or ahead that is."""
    return {"t": "moment", "at": at}


def strip(items: Sequence[tuple[str, str, str]]) -> Cell:
    """Small marks in a row, each with a tone, words, and what it leads to: the states of something's latest runs."""
    return {
        "t": "strip",
        "items": [{"tone": tone, "title": title, "href": checked(href)} for tone, title, href in items],
    }


def duration(start: str, end: str = "") -> Cell:
    """Counts on while there is no end."""
    return {"t": "duration", "start": start, "end": end}


def mono(text: str) -> Cell:
    return {"t": "mono", "text": text}


def number(value: float | None, text: str = "") -> Cell:
    """Aligned on the right."""
    return {"t": "number", "value": value, "text": text}


def tags(items: Sequence[str]) -> Cell:
    return {"t": "tags", "items": list(items)}


def bar(value: float, text: str) -> Cell:
    """`value` from 0 to 1."""
    return {"t": "bar", "value": value, "text": text}


def actions(items: Sequence[tuple[str, str, str]]) -> Cell:
    """Buttons: a name that the table's `on_action` gets, a label, an icon."""
    return {
        "t": "actions",
        "items": [{"name": name, "label": label, "icon": icon} for name, label, icon in items],
    }


@dataclass(frozen=True, slots=True)
class Mark:
    """A small sign that stands for something: its icon says how it is, its title what it is."""

    tone: str
    icon: str
    """Empty for the tone's own."""
    title: str
    href: str


def marks(items: Sequence[Mark]) -> Cell:
    return {"t": "marks", "items": [asdict(item) for item in items]}
