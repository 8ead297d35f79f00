"""The element that draws a figure. Options go to the browser as they are; a changed figure is sent alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Announces the bundle that `chart.js` loads when there is something to draw.
import nicegui.elements.echart  # noqa: F401
from nicegui.element import Element

from sampan.ui.charts.figure import Figure


class Chart(Element, component="chart.js"):
    def __init__(
        self,
        figure: Figure,
        *,
        on_pick: Callable[[str, int], Any] | None = None,
        on_brush: Callable[[list[str] | None], Any] | None = None,
    ) -> None:
        """`on_pick` gets the id of the series that was clicked, and which of its values; `on_brush` the ids of the
        lines of parallel coordinates that are kept, None when all are."""
        super().__init__()
        self._figure = figure
        self._props["picks"] = on_pick is not None
        self._props["brushes"] = on_brush is not None
        self._keep()
        if on_pick is not None:
            self.on("pick", lambda event: on_pick(str(event.args["id"]), int(event.args["index"])))
        if on_brush is not None:
            self.on("brush", lambda event: on_brush(_ids(event.args)))

    def show(self, figure: Figure) -> None:
        """In place of what is shown; nothing is sent where it is the same."""
        if figure != self._figure:
            self._figure = figure
            self._keep()
            self.run_method("draw", self._props["figure"])

    def _keep(self) -> None:
        # What a window that is loaded again begins with; no message by itself.
        figure = self._figure
        # Not `asdict`, which copies every point of thousands.
        plain = {
            "options": figure.options,
            "label": figure.label,
            "height": figure.height,
            "dense": figure.dense,
        }
        plain["table"] = {"columns": figure.table.columns, "rows": figure.table.rows}
        dict.__setitem__(self._props, "figure", plain)


def _ids(args: Any) -> list[str] | None:
    return None if args is None or args.get("ids") is None else [str(each) for each in args["ids"]]
