"""`/serving/KIND/NAMESPACE/NAME`: an endpoint's head, why it is not ready, and its tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.components.serving.ui import measuring, places
from sampan.components.serving.ui.endpoint_page.events_part import EventsPart
from sampan.components.serving.ui.endpoint_page.header import Header
from sampan.components.serving.ui.endpoint_page.log_part import LogPart
from sampan.components.serving.ui.endpoint_page.notice import Notice
from sampan.components.serving.ui.endpoint_page.overview_part import OverviewPart
from sampan.components.serving.ui.endpoint_page.parts import Sample, Shown
from sampan.components.serving.ui.endpoint_page.statistics_part import StatisticsPart
from sampan.components.serving.ui.endpoint_page.try_part import TryPart
from sampan.components.serving.ui.figures import NONE
from sampan.components.serving.ui.summary import summarise
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, Resource
from sampan.lib.clock import SystemClock, rfc3339
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.objects.yaml_part import YamlPart
from sampan.ui.parts import Part, ShownPart

_PARTS = {
    "overview": "Overview",
    "try": "Try it",
    "statistics": "Statistics",
    "logs": "Logs",
    "events": "Events",
    "yaml": "YAML",
}
_SECONDS = 4.0
_SELECTORS = {
    INFERENCE_SERVICES.kind: labels.INFERENCE_SERVICE,
    LLM_INFERENCE_SERVICES.kind: labels.LLM_INFERENCE_SERVICE,
    INFERENCE_GRAPHS.kind: labels.INFERENCE_GRAPH,
    SELDON_DEPLOYMENTS.kind: labels.SELDON_DEPLOYMENT,
}


async def build(page: PageContext) -> None:
    resource = places.by_plural(page.params["plural"])
    if resource is None:
        raise ApiFailureError(404, f"There is no kind of endpoints {page.params['plural']}.")
    await _EndpointPage(page, resource).build()


class _EndpointPage:
    def __init__(self, page: PageContext, resource: Resource) -> None:
        self._page = page
        self._resource = resource
        self._namespace = page.params["namespace"]
        self._name = page.params["name"]
        self._shown: Shown | None = None
        self._part = ShownPart()
        self._clock = SystemClock()
        # Whose pods and figures these are: a TrainedModel has those of the service that it is in.
        self._owner = resource.kind, self._name
        self._selector = ""

    async def build(self) -> None:
        page = self._page
        page.set_title(self._name)
        self._header = Header(page)
        self._notice = Notice()
        await page.live(places.api(self._resource, self._namespace, self._name), self._take)
        if self._shown is not None and self._resource == TRAINED_MODELS:
            self._owner = INFERENCE_SERVICES.kind, self._shown.endpoint.runtime
        if self._shown is not None and self._owner[0] == INFERENCE_SERVICES.kind:
            self._shown.owner = self._namespace, self._owner[1]
        if (label := _SELECTORS.get(self._owner[0])) and self._owner[1]:
            self._selector = f"{label}={self._owner[1]}"
            await self._follow("pods", f"/api/v1/namespaces/{segment(self._namespace)}/pods")
            await self._follow("deployments", places.api(DEPLOYMENTS, self._namespace))
        await self._measure()
        page.every(_SECONDS, self._measure)
        self._tabs = widgets.Tabs(_PARTS, page.query.get("tab", ""), self._choose)
        await self._tabs.show()

    async def _follow(self, what: str, path: str) -> None:
        def take(found: Any) -> None:
            items = sorted(found.get("items") or (), key=_created, reverse=True)
            if self._shown is not None and what == "pods":
                self._shown.pods = [{**each, "kind": "Pod"} for each in items]
            elif self._shown is not None:
                self._shown.deployments = [{**each, "kind": DEPLOYMENTS.kind} for each in items]
            self._refresh()

        try:
            await self._page.live(path, take, query={"labelSelector": self._selector})
        except ApiFailureError as error:
            widgets.paragraph(f"Its {what} cannot be shown: {error.message}", "sp-muted")

    def _take(self, obj: Any) -> None:
        obj = {**obj, "kind": self._resource.kind, "apiVersion": self._resource.api_version}
        endpoint = summarise(obj)
        if self._shown is None:
            self._shown = Shown(self._resource, obj, endpoint)
        self._shown.obj, self._shown.endpoint = obj, endpoint
        self._refresh()

    async def _measure(self) -> None:
        shown = self._shown
        if shown is None:
            return
        api, key = self._page.api, self._owner
        found = await measuring.look(api, self._namespace, self._selector or "sampan.dev/none")
        figures = shown.figures = found.get(key, NONE)
        history = await measuring.got(api, places.history(key[0], self._namespace, key[1]))
        shown.history = history.get("items") or ()
        at = rfc3339(self._clock.now())
        shown.samples.append(Sample(at, figures.pods, figures.cores, figures.memory))
        self._refresh()

    def _refresh(self) -> None:
        shown = self._shown
        if shown is None:
            return
        self._header.show(shown)
        self._notice.show(shown)
        self._part.update()

    async def _choose(self, key: str) -> None:
        self._part.stop()
        if key != self._page.query.get("tab", next(iter(_PARTS))):
            self._page.set_query(tab=key if key != next(iter(_PARTS)) else "")
        if self._shown is None:
            return
        await self._part.build(self._made(key, self._shown))

    def _made(self, key: str, shown: Shown) -> Part:
        page = self._page
        edit = places.cluster(self._resource, self._namespace, self._name)
        made: dict[str, Callable[[], Part]] = {
            "overview": lambda: OverviewPart(page, shown),
            "try": lambda: TryPart(page, shown),
            "statistics": lambda: StatisticsPart(shown),
            "logs": lambda: LogPart(page, shown),
            "events": lambda: EventsPart(page, shown),
            "yaml": lambda: YamlPart(page, lambda: shown.obj, edit),
        }
        return made[key]()


def _created(obj: Any) -> str:
    return str(meta.metadata(obj).get("creationTimestamp") or "")
