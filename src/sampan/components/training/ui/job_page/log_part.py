"""What the ranks of a job print."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from sampan.components.training.ui.job_page import ranks
from sampan.components.training.ui.job_page.parts import Shown
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.logview.logview import LogSource, LogViewer


class LogPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._viewer: LogViewer | None = None
        self._keys: list[str] = []
        self._is_none = False

    async def build(self) -> None:
        self._place = ui.element("div")
        self.update()

    def update(self) -> None:
        found = sources(self._shown)
        keys = [source.key for source in found]
        if keys == self._keys and (self._viewer is not None or self._is_none):
            return
        self._keys = keys
        if self._viewer is not None and found:
            self._viewer.set_sources(found)
            return
        self._place.clear()
        self._viewer, self._is_none = None, not found
        with self._place:
            if not found:
                widgets.empty_state("notes", "No log yet", "It has no pods that could print anything.")
                return
            chosen = self._page.query.get("rank") or found[0].key
            label = f"Log of {self._shown.job.name}"
            self._viewer = LogViewer(self._page, found, chosen=chosen, label=label)

    def stop(self) -> None:
        """The viewer ends when it is removed."""


def sources(shown: Shown) -> Sequence[LogSource]:
    """One for each rank, and one for what a container printed before it was started again. Pure."""
    found = []
    for rank in shown.ranks:
        path = f"/api/v1/namespaces/{segment(rank.namespace)}/pods/{segment(rank.pod)}/log"
        container = ranks.container_of(shown.job.kind, shown.pods.get(rank.pod, {}))
        query = {"container": str(container.get("name") or "")}
        name = f"{meta.name(shown.obj)}-{rank.label.partition(',')[0]}"
        found.append(LogSource(rank.pod, rank.label, path, query, not rank.is_over, f"{name}.txt"))
        if rank.restarts:
            before = {**query, "previous": "true"}
            label = f"{rank.label}, the run before"
            found.append(
                LogSource(f"{rank.pod}.previous", label, path, before, False, f"{name}-previous.txt")
            )
    return found
