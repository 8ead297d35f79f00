"""How fast an endpoint answers, how often and with what, and what it holds: over the last minutes, live."""

from __future__ import annotations

from nicegui import ui
from nicegui.element import Element

from sampan.components.serving.ui.endpoint_page import charts
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.lib.clock import SystemClock
from sampan.ui import widgets
from sampan.ui.charts.chart import Chart


class StatisticsPart:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._clock = SystemClock()
        self._charts: dict[str, Chart] = {}
        self._cards: dict[str, Element] = {}

    async def build(self) -> None:
        widgets.paragraph(
            "Requests as the gateway saw them in the last ten minutes; what pods hold, since this page is open.",
            "sp-muted sv-lead",
        )
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "query_stats",
                "Nobody has asked it lately",
                "Charts of latency, requests and answers begin with the next request.",
            )
        self._place = ui.element("div").classes("sv-charts")
        with self._place:
            for title in charts.TITLES:
                with widgets.card(title) as card:
                    self._cards[title] = card
                    self._charts[title] = Chart(charts.empty(title, self._clock.now()))
        self.update()

    def update(self) -> None:
        shown, now = self._shown, self._clock.now()
        drawn = {**charts.of_history(shown.history, now), **charts.of_samples(shown.samples, now)}
        self._none.set_visibility(not shown.history)
        for title, chart in self._charts.items():
            if title in charts.OF_REQUESTS:
                self._cards[title].set_visibility(bool(shown.history))
            chart.show(drawn.get(title) or charts.empty(title, now))

    def stop(self) -> None:
        """It is told by the page."""
