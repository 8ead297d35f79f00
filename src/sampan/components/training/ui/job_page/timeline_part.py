"""When each rank of a job waited, was prepared and ran, as a timeline."""

from __future__ import annotations

from nicegui import ui

from sampan.components.training.ui.job_page.parts import Shown
from sampan.components.training.ui.job_page.timeline import timeline
from sampan.ui import widgets
from sampan.ui.timeline.view import TimelineView


class TimelinePart:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    async def build(self) -> None:
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state("view_timeline", "No pods", "When a rank ran is read from its pods.")
        self._view = TimelineView(label="Timeline of the ranks")
        self.update()

    def update(self) -> None:
        shown = self._shown
        self._none.set_visibility(not shown.ranks)
        self._view.set_visibility(bool(shown.ranks))
        self._view.show(timeline(shown.job.kind, shown.ranks, shown.pods))

    def stop(self) -> None:
        """Nothing goes on by itself."""
