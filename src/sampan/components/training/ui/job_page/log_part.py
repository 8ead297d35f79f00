"""What the ranks of a job print, as one log: each in its colour, some of them or all."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from sampan.components.training.ui.job_page.parts import Shown
from sampan.components.training.ui.job_page.rank_colours import RankColours
from sampan.kube.kinds import Resource
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips, Choice
from sampan.ui.logview.logview import LogSource, LogViewer

_MOST_CHIPS = 16
"""Ranks; of more, one or all are chosen."""


class LogPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._chosen = tuple(each for each in page.query.get("ranks", "").split(",") if each)
        self._offered: tuple[str, ...] = ()
        self._keys: list[str] = []

    async def build(self) -> None:
        self._bar = ui.element("div").classes("sp-bar-of-list")
        self._offer()
        found = sources(self._shown, self._chosen)
        self._keys = [source.key for source in found]
        label = f"Log of {self._shown.job.name}"
        self._viewer = LogViewer(self._page, found, chosen=found[0].key, label=label)

    def _offer(self) -> None:
        """The ranks that there are now."""
        labels = tuple(dict.fromkeys(str(rank.place) for rank in self._shown.ranks))
        if labels == self._offered:
            return
        self._offered = labels
        self._bar.clear()
        self._bar.set_visibility(len(labels) > 1)
        with self._bar:
            if len(labels) > _MOST_CHIPS:
                options = [("", "All ranks"), *((each, each) for each in labels)]
                chosen = self._chosen[0] if self._chosen else ""
                Choice("Rank", options, chosen, lambda one: self._choose((one,) if one else ()))
            else:
                widgets.text("Ranks", "sp-muted")
                Chips("Ranks", {each: each for each in labels}, self._chosen, self._choose)

    def _choose(self, labels: tuple[str, ...]) -> None:
        self._chosen = labels
        self._page.set_query(ranks=",".join(labels), line="")
        self._show()

    def _show(self) -> None:
        found = sources(self._shown, self._chosen)
        keys = [source.key for source in found]
        if keys != self._keys:
            self._keys = keys
            self._viewer.set_sources(found, found[0].key)

    def update(self) -> None:
        self._offer()
        self._show()

    def stop(self) -> None:
        """The viewer ends when it is removed."""


def log_path(resource: Resource, namespace: str, name: str) -> str:
    """Of the merged log. Pure."""
    return f"/training/v1/namespaces/{segment(namespace)}/{resource.plural}/{segment(name)}/log"


def sources(shown: Shown, labels: Sequence[str]) -> list[LogSource]:
    """The merged log of these ranks, or of all; and that of their runs before, where one was started again. Pure."""
    job = shown.job
    path = log_path(shown.resource, job.namespace, job.name)
    query = {"ranks": ",".join(labels)} if labels else {}
    named = "+".join(labels) if labels else "all"
    file_name = f"{job.name}-{named[:60]}.txt"
    title = "The chosen ranks" if labels else "All ranks"
    found = [LogSource(named, title, path, query, not job.state.is_finished, file_name, RankColours)]
    if any(rank.restarts or not rank.is_latest for rank in shown.ranks):
        before = {**query, "previous": "true"}
        name = f"{job.name}-previous.txt"
        found.append(
            LogSource(f"{named}.previous", "The runs before", path, before, False, name, RankColours)
        )
    return found
