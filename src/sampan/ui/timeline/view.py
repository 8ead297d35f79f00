"""The timeline on a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from nicegui.element import Element

from sampan.ui.timeline.model import Timeline, change
from sampan.ui.times import TIMES

_EMPTY = Timeline()


class TimelineView(Element, component="timeline.js", esm={"sampan-timeline": "modules", **TIMES}):
    """Fills the width; its height is `height` at most, and less for a few rows."""

    def __init__(
        self, *, label: str, on_select: Callable[[str], Any] | None = None, height: str = "min(68vh, 760px)"
    ) -> None:
        """`label` names it for whoever hears it. `on_select` gets a row's id, empty when none is chosen any more."""
        super().__init__()
        self._timeline = _EMPTY
        self.selected = ""
        self._props.update(label=label, height=height, selected="", timeline="")
        if on_select is not None:
            self.on("select", lambda event: self._choose(str(event.args), on_select))

    def show(self, timeline: Timeline) -> None:
        """All of it. Only what differs from the last is sent."""
        former, self._timeline = self._timeline, timeline
        dict.__setitem__(self._props, "timeline", msgspec.json.encode(timeline).decode())
        found = change(former, timeline)
        if found is None:
            self.update()
        elif former != timeline:
            self.run_method("patch", msgspec.json.encode(found).decode())

    def select(self, row_id: str) -> None:
        """Marks a row and brings it into sight. Empty for none."""
        self.selected = row_id
        dict.__setitem__(self._props, "selected", row_id)
        self.run_method("choose", row_id)

    def _choose(self, row_id: str, on_select: Callable[[str], Any]) -> Any:
        self.selected = row_id
        dict.__setitem__(self._props, "selected", row_id)
        return on_select(row_id)
