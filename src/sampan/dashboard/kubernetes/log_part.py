"""What a pod's containers print, or those of all pods of a Deployment, a Job and so on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.dashboard.kubernetes import related
from sampan.dashboard.kubernetes.described import Object, name_of, namespace_of
from sampan.dashboard.kubernetes.kinds import Catalogue
from sampan.ui import widgets
from sampan.ui.api import JSON
from sampan.ui.context import PageContext
from sampan.ui.logview.logview import LogSource, LogViewer
from sampan.ui.objects import health

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
        found = sources(pods, with_pod=self._obj.get("kind") != "Pod")
        if self._viewer is not None:
            self._viewer.set_sources(found)
            return
        self._place.clear()
        with self._place:
            if found:
                chosen = self._page.query.get("container") or first(pods)
                label = f"Log of {name_of(self._obj)}"
                self._viewer = LogViewer(self._page, found, chosen=chosen, label=label)
            else:
                widgets.empty_state(
                    "article", "No log yet", "It has no pod whose containers could print anything."
                )


def _created(pod: Object) -> str:
    return str((pod.get("metadata") or {}).get("creationTimestamp") or "")


def sources(pods: Sequence[Object], *, with_pod: bool) -> list[LogSource]:
    """Each container's log, and that of its last run before where there was one. Pure."""
    found = []
    for pod in pods:
        status, path = pod.get("status") or {}, _path(pod)
        is_over = status.get("phase") in ("Succeeded", "Failed")
        restarts = {
            each.get("name"): each.get("restartCount") or 0
            for part in ("initContainerStatuses", "containerStatuses")
            for each in status.get(part) or ()
        }
        for name in _containers(pod):
            shown = f"{name_of(pod)}, {name}" if with_pod else name
            key = f"{name_of(pod)}.{name}" if with_pod else name
            file = f"{name_of(pod)}-{name}"
            query = {"container": name}
            found.append(LogSource(key, shown, path, query, not is_over, f"{file}.txt"))
            if restarts.get(name):
                before = {**query, "previous": "true"}
                label = f"{shown}, the run before"
                found.append(LogSource(f"{key}.previous", label, path, before, False, f"{file}-previous.txt"))
    return found


def first(pods: Sequence[Object]) -> str:
    """The key of the log that is looked for most likely: of what failed, else of the first container."""
    if len(pods) != 1:
        return f"{name_of(pods[0])}.{_containers(pods[0])[-1]}" if pods and _containers(pods[0]) else ""
    pod = pods[0]
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if health.container(each) is not None:
            return str(each.get("name"))
    containers = (pod.get("spec") or {}).get("containers") or ()
    return str(containers[0].get("name")) if containers else ""


def _containers(pod: Object) -> list[str]:
    spec = pod.get("spec") or {}
    parts = ("initContainers", "containers", "ephemeralContainers")
    return [str(each.get("name")) for part in parts for each in spec.get(part) or ()]


def _path(pod: Object) -> str:
    return related.pod_path(namespace_of(pod), name_of(pod)) + "/log"
