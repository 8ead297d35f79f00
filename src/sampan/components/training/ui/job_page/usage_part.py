"""What the ranks of a job use, as it is measured while the tab is open."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.training.api.summary import pod_selector
from sampan.components.training.ui.job_page.parts import Shown
from sampan.components.training.ui.job_page.usage import Samples
from sampan.lib.clock import SystemClock, rfc3339
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.charts.chart import Chart
from sampan.ui.context import PageContext

_SECONDS = 3.0


class UsagePart:
    def __init__(self, page: PageContext, shown: Shown, samples: Samples) -> None:
        """`samples` outlive the tab, and go with the page."""
        self._page = page
        self._shown = shown
        self._samples = samples
        self._clock = SystemClock()
        self._is_stopped = False
        self._charts: tuple[Chart, Chart] | None = None

    async def build(self) -> None:
        self._said = widgets.paragraph("", "sp-muted")
        self._place = ui.element("div").classes("tr-charts")
        await self._look()
        self._page.every(_SECONDS, self._look)

    async def _look(self) -> None:
        if self._is_stopped:
            return
        job = self._shown.job
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{segment(job.namespace)}/pods"
        query = {"labelSelector": pod_selector(job.kind, job.name)}
        try:
            found = await self._page.api.get(path, query)
        except ApiFailureError as error:
            self._said.set_text(f"This cluster does not say what pods use: {error.message}")
            return
        self._take(found)

    def _take(self, found: Any) -> None:
        if self._is_stopped:
            return
        labels = {rank.pod: rank.label for rank in self._shown.ranks}
        self._samples.add(labels, found, rfc3339(self._clock.now()))
        self._show()

    def _show(self) -> None:
        if self._samples.is_empty:
            self._said.set_text("Nothing of it runs that could be measured.")
            return
        self._said.set_text("Measured every three seconds while this is open.")
        cores, memory = self._samples.cores(), self._samples.memory()
        if self._charts is None:
            with self._place:
                with widgets.card("CPU"):
                    first = Chart(cores)
                with widgets.card("Memory"):
                    second = Chart(memory)
            self._charts = (first, second)
            return
        self._charts[0].show(cores)
        self._charts[1].show(memory)

    def update(self) -> None:
        """It looks by itself."""

    def stop(self) -> None:
        self._is_stopped = True
