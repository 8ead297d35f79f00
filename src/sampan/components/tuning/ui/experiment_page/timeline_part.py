"""When each trial waited and ran, as a timeline; a click leads to the trial."""

from __future__ import annotations

from nicegui import ui

from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.components.tuning.ui.plots import times
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.timeline.view import TimelineView


class TimelinePart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown

    async def build(self) -> None:
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "view_timeline", "No trials yet", "When each waited and ran will be seen here."
            )
        self._said = widgets.paragraph("", "sp-muted")
        self._view = TimelineView(label="Timeline of the trials", on_select=self._open)
        self.update()

    def update(self) -> None:
        trials = self._shown.trials
        count = len(trials.items)
        self._none.set_visibility(not count)
        self._view.set_visibility(bool(count))
        self._said.set_visibility(count > times.MOST_ROWS)
        self._said.set_text(f"The newest {times.MOST_ROWS:,} of {count:,} trials.")
        self._view.show(times.timeline(trials))

    def _open(self, name: str) -> None:
        if name:
            self._page.go(places.trial(self._shown.experiment.namespace, name))

    def stop(self) -> None:
        """Nothing goes on by itself."""
