"""What the trials of an experiment show together: charts, each on or off. What is on stands in the address."""

from __future__ import annotations

import asyncio
import time

from nicegui import ui

from sampan.components.tuning.ui.experiment_page.chart_cards import CARDS, Card
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.components.tuning.ui.trials import Trials
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips

_USUAL = ("history", "pareto", "coordinates", "importance", "slices")
_REST_SECONDS = 1.0
_SHARE = 20
"""What drawing took rests that many times as long before it is drawn again: a twentieth of a core."""


class ChartsPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._cards: dict[str, Card] = {}
        self._drawn: Trials | None = None
        self._rest_until = 0.0
        self._is_stopped = False

    async def build(self) -> None:
        self._offered = self._names()
        given = tuple(each for each in self._page.query.get("charts", "").split(",") if each in self._offered)
        self._on = given or tuple(each for each in _USUAL if each in self._offered)
        with ui.element("div").classes("sp-bar-of-list"):
            widgets.text("Show", "sp-muted")
            Chips("Charts", self._offered, self._on, self._choose)
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "query_stats",
                "Nothing to draw yet",
                "Charts begin with the first trial that has reported a value.",
            )
        self._place = ui.element("div").classes("tu-charts")
        self._build_cards()
        self._page.spawn(self._draw(), "charts")
        self._page.every(_REST_SECONDS, self._draw)

    def _names(self) -> dict[str, str]:
        trials, experiment = self._shown.trials, self._shown.experiment
        return {key: each.label for key, each in CARDS.items() if each.fits(trials, experiment)}

    def _build_cards(self) -> None:
        self._place.clear()
        self._cards = {}
        with self._place:
            for key in self._offered:
                if key in self._on:
                    made = self._cards[key] = CARDS[key].make(self._page, self._shown)
                    made.build()
        self._drawn = None

    def _choose(self, on: tuple[str, ...]) -> None:
        self._on = on
        self._page.set_query(charts=",".join(on))
        self._build_cards()
        self._rest_until = 0.0
        self._page.spawn(self._draw(), "charts")

    async def _draw(self) -> None:
        """Where something has changed, and the last time is long enough ago."""
        trials = self._shown.trials
        if self._is_stopped or trials is self._drawn or time.monotonic() < self._rest_until:
            return
        self._drawn = trials
        began = time.monotonic()
        has_any = bool(trials.measured)
        self._none.set_visibility(not has_any)
        self._place.set_visibility(has_any)
        for each in list(self._cards.values()) if has_any else ():
            # One after the other: what waits for the server meanwhile has its turn, and the first is seen first.
            await asyncio.sleep(0)
            if self._is_stopped or self._drawn is not trials:
                return
            each.draw()
        ended = time.monotonic()
        self._rest_until = ended + (ended - began) * _SHARE

    def update(self) -> None:
        """Drawn a moment later, together with what else has changed."""

    def stop(self) -> None:
        self._is_stopped = True
