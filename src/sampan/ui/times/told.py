"""Times within a page's text: how long ago, and how long it took or takes."""

from __future__ import annotations

from nicegui.element import Element

from sampan.ui.times import TIMES


class Told(Element, component="told.js", esm=TIMES):
    def __init__(self, kind: str, start: str, end: str) -> None:
        super().__init__()
        self._props.update(kind=kind, start=start, end=end)


def ago(at: str) -> Told:
    """RFC 3339; the moment itself is shown on pointing at it."""
    return Told("ago", at, "")


def span(start: str, end: str = "") -> Told:
    """Counts on while there is no end."""
    return Told("span", start, end)
