"""A job's page: its head, what it waits for, and its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.components.training.api.summary import pod_selector, summarise
from sampan.components.training.ui import places
from sampan.components.training.ui.job_page import surroundings
from sampan.components.training.ui.job_page.banner import Banner
from sampan.components.training.ui.job_page.environment_part import EnvironmentPart
from sampan.components.training.ui.job_page.events_part import EventsPart
from sampan.components.training.ui.job_page.header import Header
from sampan.components.training.ui.job_page.log_part import LogPart, log_path
from sampan.components.training.ui.job_page.metrics_part import MetricsPart
from sampan.components.training.ui.job_page.overview_part import OverviewPart
from sampan.components.training.ui.job_page.parts import Shown
from sampan.components.training.ui.job_page.ranks import of_kind, ranks
from sampan.components.training.ui.job_page.timeline_part import TimelinePart
from sampan.components.training.ui.job_page.usage import Samples
from sampan.components.training.ui.job_page.usage_part import UsagePart
from sampan.components.training.ui.job_page.waiting import Around, reasons
from sampan.components.training.ui.job_page.yaml_part import YamlPart
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.parts import Part, ShownPart

_PARTS = {
    "overview": "Overview",
    "timeline": "Timeline",
    "logs": "Logs",
    "metrics": "Metrics",
    "usage": "Resources",
    "events": "Events",
    "environment": "Environment",
    "yaml": "YAML",
}
_SECONDS = 5.0
_QUOTED_LINES = "8"


async def build(page: PageContext) -> None:
    resource = places.by_plural(page.params["plural"])
    if resource is None:
        raise ApiFailureError(404, f"There is no kind of training jobs {page.params['plural']}.")
    await _JobPage(page, resource).build()


class _JobPage:
    def __init__(self, page: PageContext, resource: Resource) -> None:
        self._page = page
        self._resource = resource
        self._namespace = page.params["namespace"]
        self._name = page.params["name"]
        self._shown: Shown | None = None
        self._pods: list[Object] = []
        self._around = Around()
        self._samples = Samples()
        self._part = ShownPart()

    async def build(self) -> None:
        page = self._page
        page.set_title(self._name)
        self._header = Header(page)
        self._banner = Banner(self._end_of_log, page.spawn)
        await page.live(places.api(self._resource, self._namespace, self._name), self._take)
        pods = f"/api/v1/namespaces/{segment(self._namespace)}/pods"
        query = {"labelSelector": pod_selector(self._resource.kind, self._name)}
        try:
            await page.live(pods, self._take_pods, query=query)
        except ApiFailureError as error:
            widgets.paragraph(f"Its pods cannot be shown: {error.message}", "sp-muted")
        await self._look_around()
        page.every(_SECONDS, self._look_around)
        self._tabs = widgets.Tabs(_PARTS, page.query.get("tab", ""), self._choose)
        await self._tabs.show()

    def _take(self, obj: Any) -> None:
        obj = {**obj, "kind": self._resource.kind, "apiVersion": self._resource.api_version}
        job = summarise(obj)
        if self._shown is None:
            self._shown = Shown(self._resource, obj, job)
        self._shown.obj, self._shown.job = obj, job
        self._header.show(obj, job)
        self._refresh()

    def _take_pods(self, found: Any) -> None:
        self._pods = of_kind(self._resource.kind, found.get("items") or ())
        self._refresh()

    def _refresh(self) -> None:
        shown = self._shown
        if shown is None:
            return
        shown.pods = {meta.name(pod): {**pod, "kind": "Pod"} for pod in self._pods}
        shown.ranks = ranks(self._resource.kind, list(shown.pods.values()), self._around.nodes)
        self._banner.show(reasons(shown.job, shown.ranks, self._around))
        self._part.update()

    async def _look_around(self) -> None:
        """Only while somebody could ask why it does not run."""
        shown = self._shown
        if shown is None or shown.job.state.is_finished:
            return
        if shown.ranks and all(rank.node and not rank.health.is_trouble for rank in shown.ranks):
            return
        found = await surroundings.look(self._page.api, self._namespace, self._name)
        if found != self._around:
            self._around = found
            self._refresh()

    async def _end_of_log(self, rank: str) -> str:
        path = log_path(self._resource, self._namespace, self._name)
        query = {"ranks": rank, "tail": _QUOTED_LINES}
        try:
            reply = await self._page.api.request("GET", path, query=query, accept="text/plain")
        except ApiFailureError:
            # The tab of logs says why.
            return ""
        return reply.body.decode(errors="replace")

    async def _choose(self, key: str) -> None:
        self._part.stop()
        if key != self._page.query.get("tab", next(iter(_PARTS))):
            self._page.set_query(tab=key if key != next(iter(_PARTS)) else "")
        if self._shown is None:
            return
        await self._part.build(self._made(key, self._shown))

    def _made(self, key: str, shown: Shown) -> Part:
        page = self._page
        made: dict[str, Callable[[], Part]] = {
            "overview": lambda: OverviewPart(page, shown, self._open_rank),
            "timeline": lambda: TimelinePart(shown),
            "logs": lambda: LogPart(page, shown),
            "metrics": lambda: MetricsPart(page, shown),
            "usage": lambda: UsagePart(page, shown, self._samples),
            "events": lambda: EventsPart(page, shown),
            "environment": lambda: EnvironmentPart(page, shown),
            "yaml": lambda: YamlPart(page, shown),
        }
        return made[key]()

    async def _open_rank(self, pod: str, what: str) -> None:
        if what == "log" and self._shown is not None:
            place = next((rank.place for rank in self._shown.ranks if rank.pod == pod), "")
            self._page.set_query(ranks=place, line="")
            await self._tabs.show("logs")
        else:
            self._page.set_query(rank=pod)
            await self._tabs.show("environment")
