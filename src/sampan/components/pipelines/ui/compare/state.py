"""What the parts of the page share: the runs, and what the address says of them."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.pipelines.ui.compare import model
from sampan.components.pipelines.ui.compare.matrix import Column
from sampan.components.pipelines.ui.compare.model import ComparedRun
from sampan.ui.context import PageContext

_DIRECTIONS = "metric_directions"
"""The preference that says of metrics whether less is better, where their names do not."""


class Directions:
    """Whether less of a metric is better: by its name, unless the user has said otherwise."""

    def __init__(self, page: PageContext) -> None:
        self._page = page

    def lower_is_better(self, metric: str) -> bool:
        said = self._page.preference(_DIRECTIONS, {}).get(metric)
        return said == "lower" if said else model.lower_is_better(metric)

    async def turn(self, metric: str) -> None:
        """The other way round."""
        word = "higher" if self.lower_is_better(metric) else "lower"
        known = self._page.preference(_DIRECTIONS, {})
        await self._page.keep_preference(_DIRECTIONS, {**known, metric: word})


class Comparison:
    def __init__(self, page: PageContext, ids: Sequence[str]) -> None:
        self.page = page
        self.ids = list(ids)
        self.runs: list[ComparedRun] = []
        self.directions = Directions(page)

    @property
    def base(self) -> str:
        """The run that the others are held against; nothing for none."""
        chosen = self.page.query.get("base", "")
        return chosen if any(run.id == chosen for run in self.runs) else ""

    def columns(self) -> list[Column]:
        return [Column(run.id, run.name, self.page.href(f"/runs/{run.id}"), run.look) for run in self.runs]

    def compare(self, ids: Sequence[str]) -> None:
        """Other runs, or the same in another order."""
        kept = {key: value for key, value in self.page.query.items() if key != "runs"}
        if kept.get("base") not in ids:
            kept.pop("base", None)
        self.page.go("/compare", **{"runs": ",".join(ids), **kept})

    def move(self, run_id: str, by: int) -> None:
        ids = [each for each in self.ids if any(run.id == each for run in self.runs)]
        place = ids.index(run_id)
        other = place + by
        if 0 <= other < len(ids):
            ids[place], ids[other] = ids[other], ids[place]
            self.compare(ids)

    def leave_out(self, run_id: str) -> None:
        self.compare([each for each in self.ids if each != run_id])
