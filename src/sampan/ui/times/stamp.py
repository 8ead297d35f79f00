"""A moment within a page's text: said in the browser's zone, with how long ago or ahead it is."""

from __future__ import annotations

from nicegui.element import Element

from sampan.ui.times import TIMES


class Stamp(Element, component="stamp.js", esm=TIMES):
    def __init__(self, at: str) -> None:
        """RFC 3339; nothing is shown for nothing."""
        super().__init__()
        self._props["at"] = at
