"""What the containers of an endpoint's pods print: the model's, the storage initializer's, the agent's.

Pods that are gone are there too, after the others, where the server keeps what they have printed.
"""

from __future__ import annotations

from collections.abc import Iterator

from nicegui import ui

from sampan.components.serving.api.labels import CONTAINER
from sampan.components.serving.ui import measuring, places
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.logview.logview import LogSource, LogViewer
from sampan.ui.objects import pod_logs

_MOST_PODS = 50


class LogPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._viewer: LogViewer | None = None
        self._keys: list[str] = []
        self._kept: dict[str, Object] = {}
        """By uid, the newest first: what is told of pods that there were."""

    async def build(self) -> None:
        found = await measuring.got(self._page.api, places.kept_pods(self._shown.owner))
        self._kept = {str(each["uid"]): each for each in reversed(found.get("items") or ()) if each["runs"]}
        self._place = ui.element("div")
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "article",
                "No log now",
                "It has no pods now, and nothing is left of those that it had.",
            )
        self.update()

    def update(self) -> None:
        """What was read of a pod that is gone stays until another is chosen."""
        pods = self._shown.pods[:_MOST_PODS]
        found = pod_logs.sources(pods, with_pod=True)
        there = {meta.uid(each) for each in self._shown.pods}
        gone = [each for uid, each in self._kept.items() if uid not in there][:_MOST_PODS]
        found += [source for each in gone for source in self._sources(each)]
        keys = [each.key for each in found]
        self._none.set_visibility(not keys and self._viewer is None)
        if not keys or keys == self._keys:
            return
        self._keys = keys
        if self._viewer is not None:
            self._viewer.set_sources(found)
            return
        names = (f"{meta.name(pod)}.{CONTAINER}" for pod in pods)
        chosen = next((each for each in names if each in keys), "") or pod_logs.first(pods) or keys[-1]
        with self._place:
            label = f"Log of {self._shown.endpoint.name}"
            self._viewer = LogViewer(self._page, found, chosen=chosen, label=label)

    def _sources(self, pod: Object) -> Iterator[LogSource]:
        """Of one that is gone."""
        for run in pod["runs"]:
            name, restart = str(run["container"]), str(run["restart"])
            path = f"{places.kept_pods(self._shown.owner)}/{segment(str(pod['uid']))}/log"
            yield LogSource(
                f"{pod['name']}.{name}.{restart}",
                f"{pod['name']} (gone), {name}" + (f", run {int(restart) + 1}" if restart != "0" else ""),
                path,
                {"container": name, "restart": restart},
                follow=False,
                file_name=f"{pod['name']}-{name}-{restart}.txt",
            )

    def stop(self) -> None:
        """The viewer ends when it is removed."""
