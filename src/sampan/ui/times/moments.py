"""A list of moments, each as the user's clock shows it and how far away it is."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui.element import Element

from sampan.ui.times import TIMES


class Moments(Element, component="moments.js", esm=TIMES):
    def __init__(self, label: str) -> None:
        """`label` names the list for whoever hears it."""
        super().__init__()
        self._props.update(label=label, moments=[])

    def show(self, moments: Sequence[str]) -> None:
        """RFC 3339."""
        if list(moments) != self._props["moments"]:
            self._props["moments"] = list(moments)
            self.update()
