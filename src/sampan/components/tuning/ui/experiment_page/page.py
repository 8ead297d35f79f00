"""An experiment's page: its head, what it waits for, and its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS
from sampan.components.tuning.api.summary import summarise
from sampan.components.tuning.ui import following, places
from sampan.components.tuning.ui.experiment_page import waiting
from sampan.components.tuning.ui.experiment_page.charts_part import ChartsPart
from sampan.components.tuning.ui.experiment_page.events_part import EventsPart
from sampan.components.tuning.ui.experiment_page.header import Header
from sampan.components.tuning.ui.experiment_page.network_part import NetworkPart
from sampan.components.tuning.ui.experiment_page.notices import Notices
from sampan.components.tuning.ui.experiment_page.overview_part import OverviewPart
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.components.tuning.ui.experiment_page.timeline_part import TimelinePart
from sampan.components.tuning.ui.experiment_page.trials_part import TrialsPart
from sampan.components.tuning.ui.experiment_page.yaml_part import YamlPart
from sampan.components.tuning.ui.trials import Trials
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.parts import Part, ShownPart

_PARTS = {
    "overview": "Overview",
    "trials": "Trials",
    "charts": "Charts",
    "timeline": "Timeline",
    "events": "Events",
    "yaml": "YAML",
}
_NETWORK = {"network": "Architecture"}
_NOT_FOUND = 404


async def build(page: PageContext) -> None:
    await _ExperimentPage(page).build()


class _ExperimentPage:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._namespace = page.params["namespace"]
        self._name = page.params["name"]
        self._shown: Shown | None = None
        self._part = ShownPart()

    async def build(self) -> None:
        page = self._page
        page.set_title(self._name)
        self._header = Header(page)
        self._notices = Notices(page, self._namespace)
        self._trouble = widgets.paragraph("", "sp-muted")
        self._trouble.set_visibility(False)
        await page.live(places.experiments_api(self._namespace, self._name), self._take)
        await self._follow_suggestion()
        try:
            await following.follow(page, self._namespace, self._name, self._take_trials)
        except ApiFailureError as error:
            self._trouble.set_text(f"Its trials cannot be shown: {error.message}")
            self._trouble.set_visibility(True)
        self._tabs = widgets.Tabs(self._names(), page.query.get("tab", ""), self._choose)
        await self._tabs.show()

    def _names(self) -> dict[str, str]:
        shown = self._shown
        if shown is None or not shown.experiment.is_nas:
            return _PARTS
        keys = list(_PARTS)
        return {key: _PARTS[key] for key in keys[:1]} | _NETWORK | {key: _PARTS[key] for key in keys[1:]}

    async def _follow_suggestion(self) -> None:
        """Among all, for it may come later, and go."""

        def take(found: Any) -> None:
            if self._shown is not None:
                self._shown.suggestion = next(iter(found.get("items") or ()), {})
                self._refresh()

        query = {"fieldSelector": f"metadata.name={self._name}"}
        try:
            await self._page.live(places.api(SUGGESTIONS, self._namespace), take, query=query)
        except ApiFailureError as error:
            if error.status != _NOT_FOUND:
                widgets.paragraph(f"What its algorithm says cannot be shown: {error.message}", "sp-muted")

    def _take(self, obj: Any) -> None:
        obj = {**obj, "kind": EXPERIMENTS.kind, "apiVersion": EXPERIMENTS.api_version}
        experiment = summarise(obj)
        if self._shown is None:
            self._shown = Shown(obj, experiment)
        self._shown.obj, self._shown.experiment = obj, experiment
        self._header.show(obj, experiment)
        self._refresh()

    def _take_trials(self, trials: Trials) -> None:
        if self._shown is not None:
            self._shown.trials = trials
            self._refresh()

    def _refresh(self) -> None:
        shown = self._shown
        if shown is None:
            return
        self._notices.show(waiting.notices(shown.experiment, shown.suggestion, shown.trials))
        self._part.update()

    async def _choose(self, key: str) -> None:
        self._part.stop()
        if key != self._page.query.get("tab", next(iter(_PARTS))):
            self._page.set_query(tab=key if key != next(iter(_PARTS)) else "")
        if self._shown is None:
            return
        with ui.element("div"):
            await self._part.build(self._made(key, self._shown))

    def _made(self, key: str, shown: Shown) -> Part:
        page = self._page
        made: dict[str, Callable[[], Part]] = {
            "overview": lambda: OverviewPart(page, shown),
            "network": lambda: NetworkPart(page, shown),
            "trials": lambda: TrialsPart(page, shown),
            "charts": lambda: ChartsPart(page, shown),
            "timeline": lambda: TimelinePart(page, shown),
            "events": lambda: EventsPart(page, shown),
            "yaml": lambda: YamlPart(page, shown),
        }
        return made[key]()
