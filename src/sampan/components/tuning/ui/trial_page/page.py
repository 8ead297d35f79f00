"""A trial's page: its head, why it failed or waits, and its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.reading import objective_of
from sampan.components.tuning.api.summary import TrialState, TrialSummary, summarise_trial
from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.experiment_page.notices import Notices
from sampan.components.tuning.ui.experiment_page.waiting import Notice
from sampan.components.tuning.ui.trial_page.header import Header
from sampan.components.tuning.ui.trial_page.log_part import LogPart
from sampan.components.tuning.ui.trial_page.metrics_part import MetricsPart
from sampan.components.tuning.ui.trial_page.overview_part import OverviewPart
from sampan.components.tuning.ui.trial_page.parts import Shown
from sampan.components.tuning.ui.trial_page.yaml_part import YamlPart
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.parts import Part, ShownPart

_PARTS = {"overview": "Overview", "metrics": "Metrics", "logs": "Logs", "yaml": "YAML"}


async def build(page: PageContext) -> None:
    await _TrialPage(page).build()


class _TrialPage:
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
        await page.live(places.trials_api(self._namespace, self._name), self._take)
        try:
            await page.live(places.trial_api(self._namespace, self._name, "pods"), self._take_pods)
        except ApiFailureError as error:
            widgets.paragraph(f"Its pods cannot be shown: {error.message}", "sp-muted")
        self._tabs = widgets.Tabs(_PARTS, page.query.get("tab", ""), self._choose)
        await self._tabs.show()

    def _take(self, obj: Any) -> None:
        obj = {**obj, "kind": TRIALS.kind, "apiVersion": TRIALS.api_version}
        trial = summarise_trial(obj)
        if self._shown is None:
            self._shown = Shown(obj, trial, objective_of(meta.spec(obj)))
            above = places.experiment(trial.namespace, trial.experiment)
            crumbs = [("Tuning experiments", places.LIST)]
            if trial.experiment:
                crumbs.append((trial.experiment, above))
            self._page.set_title(self._name, crumbs)
        self._shown.obj, self._shown.trial = obj, trial
        self._refresh()

    def _take_pods(self, answer: Any) -> None:
        if self._shown is not None:
            self._shown.pods = list(answer.get("pods") or ())
            self._refresh()

    def _refresh(self) -> None:
        shown = self._shown
        if shown is None:
            return
        self._header.show(shown)
        self._notices.show(notices(shown.trial))
        self._part.update()

    async def _choose(self, key: str) -> None:
        self._part.stop()
        if key != self._page.query.get("tab", next(iter(_PARTS))):
            self._page.set_query(tab=key if key != next(iter(_PARTS)) else "", line="")
        if self._shown is None:
            return
        with ui.element("div"):
            await self._part.build(self._made(key, self._shown))

    def _made(self, key: str, shown: Shown) -> Part:
        page = self._page
        made: dict[str, Callable[[], Part]] = {
            "overview": lambda: OverviewPart(page, shown),
            "metrics": lambda: MetricsPart(page, shown),
            "logs": lambda: LogPart(page, shown),
            "yaml": lambda: YamlPart(page, shown),
        }
        return made[key]()


def notices(trial: TrialSummary) -> list[Notice]:
    """Why it failed, or does not run. Pure."""
    titles = {
        TrialState.FAILED: ("bad", "It failed"),
        TrialState.METRICS_UNAVAILABLE: ("warn", "It has reported no number to compare"),
        TrialState.KILLED: ("warn", "It was ended"),
        TrialState.EARLY_STOPPED: ("idle", "It was stopped early"),
        TrialState.PENDING: ("idle", "It waits to begin"),
    }
    if trial.state not in titles or not (trial.message or trial.reason):
        return []
    tone, title = titles[trial.state]
    return [Notice(tone, title, trial.message or trial.reason)]
