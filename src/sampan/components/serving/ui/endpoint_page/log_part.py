"""What the containers of an endpoint's pods print: the model's, the storage initializer's, the agent's."""

from __future__ import annotations

from nicegui import ui

from sampan.components.serving.api.labels import CONTAINER
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.logview.logview import LogViewer
from sampan.ui.objects import pod_logs

_MOST_PODS = 50


class LogPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._viewer: LogViewer | None = None
        self._keys: list[str] = []

    async def build(self) -> None:
        self._place = ui.element("div")
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "article",
                "No log now",
                "It has no pods now: logs of pods that are gone lie in the platform's home folder.",
            )
        self.update()

    def update(self) -> None:
        """What was read of a pod that is gone stays until another is chosen."""
        pods = self._shown.pods[:_MOST_PODS]
        found = pod_logs.sources(pods, with_pod=True)
        keys = [each.key for each in found]
        self._none.set_visibility(not keys and self._viewer is None)
        if not keys or keys == self._keys:
            return
        self._keys = keys
        if self._viewer is not None:
            self._viewer.set_sources(found)
            return
        names = (f"{meta.name(pod)}.{CONTAINER}" for pod in pods)
        chosen = next((each for each in names if each in keys), "") or pod_logs.first(pods)
        with self._place:
            label = f"Log of {self._shown.endpoint.name}"
            self._viewer = LogViewer(self._page, found, chosen=chosen, label=label)

    def stop(self) -> None:
        """The viewer ends when it is removed."""
