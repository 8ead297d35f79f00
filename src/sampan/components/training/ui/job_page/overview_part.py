"""A job's replicas, rank by rank, and what became of it, condition by condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from sampan.components.training.ui.job_page import ranks
from sampan.components.training.ui.job_page.parts import Shown
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.objects import conditions
from sampan.ui.table.table import DataTable

_TONES = {"Failed": "bad", "Succeeded": "ok", "Complete": "ok", "Running": "busy", "Restarting": "warn"}


class OverviewPart:
    def __init__(self, page: PageContext, shown: Shown, act: Callable[[str, str], Any]) -> None:
        """`act` gets the name of a pod, and what is wanted of it: `log` or `environment`."""
        self._page = page
        self._shown = shown
        self._act = act

    async def build(self) -> None:
        widgets.heading("Replicas")
        self._ranks = DataTable(ranks.COLUMNS, label="Replicas", on_action=self._act)
        self._none = widgets.paragraph("", "sp-muted")
        self._metrics = ui.element("div")
        self._drawn_metrics: Any = None
        widgets.heading("What became of it").classes("tr-space")
        self._conditions = DataTable(conditions.COLUMNS, label="Conditions")
        self._quiet = widgets.paragraph("Nothing has been said of it yet.", "sp-muted")
        self.update()

    def update(self) -> None:
        found = self._shown.ranks
        self._ranks.set_rows([ranks.row(rank, self._page.href) for rank in found])
        self._ranks.set_visibility(bool(found))
        self._none.set_visibility(not found)
        self._none.set_text(
            "Its pods are gone, as its cleanPodPolicy or their owner wants it."
            if self._shown.job.state.is_finished
            else "It has no pods now."
        )
        told = conditions.rows(meta.status(self._shown.obj).get("conditions"), _TONES)
        self._conditions.set_rows(told)
        self._conditions.set_visibility(bool(told))
        self._quiet.set_visibility(not told)
        self._show_metrics()

    def _show_metrics(self) -> None:
        """What a TrainJob's trainer reports of itself."""
        reported = self._shown.job.progress.get("metrics") or ()
        if reported == self._drawn_metrics:
            return
        self._drawn_metrics = reported
        self._metrics.clear()
        if not reported:
            return
        with self._metrics:
            widgets.heading("What it reports").classes("tr-space")
            widgets.pairs({str(each.get("name")): str(each.get("value")) for each in reported})

    def stop(self) -> None:
        """Nothing goes on by itself."""
