"""What a pod's containers print, or those of all pods of a Deployment, a Job and so on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.dashboard.kubernetes import related
from sampan.dashboard.kubernetes.described import Object, name_of
from sampan.dashboard.kubernetes.kinds import Catalogue
from sampan.ui import widgets
from sampan.ui.api import JSON
from sampan.ui.context import PageContext
from sampan.ui.logview.logview import LogViewer
from sampan.ui.objects import pod_logs

_MOST_PODS = 50


class LogPart:
    def __init__(self, page: PageContext, catalogue: Catalogue, obj: Object) -> None:
        self._page = page
        self._catalogue = catalogue
        self._obj = obj
        self._viewer: LogViewer | None = None

    async def build(self) -> None:
        self._place = ui.element("div")
        self._show(await self._pods())

    async def _pods(self) -> Sequence[Object]:
        if self._obj.get("kind") == "Pod":
            return (self._obj,)
        for ask in related.asks(self._obj, self._catalogue):
            if ask.name == "pods":
                found = await self._page.api.get(ask.path, ask.query, JSON)
                pods = sorted(found.get("items") or (), key=_created, reverse=True)
                return pods[:_MOST_PODS]
        return ()

    def update(self, obj: Mapping[str, Any]) -> None:
        """A container that was started again has one log more."""
        is_pod = obj.get("kind") == "Pod"
        self._obj = obj
        if is_pod:
            self._show((obj,))

    def stop(self) -> None:
        """The viewer ends when it is removed."""

    def _show(self, pods: Sequence[Object]) -> None:
        found = pod_logs.sources(pods, with_pod=self._obj.get("kind") != "Pod")
        if self._viewer is not None:
            self._viewer.set_sources(found)
            return
        self._place.clear()
        with self._place:
            if found:
                chosen = self._page.query.get("container") or pod_logs.first(pods)
                label = f"Log of {name_of(self._obj)}"
                self._viewer = LogViewer(self._page, found, chosen=chosen, label=label)
            else:
                widgets.empty_state(
                    "article", "No log yet", "It has no pod whose containers could print anything."
                )


def _created(pod: Object) -> str:
    return str((pod.get("metadata") or {}).get("creationTimestamp") or "")
