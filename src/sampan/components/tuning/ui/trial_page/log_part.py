"""What a trial prints, and what the metrics collector has read of it: live, and after its pods are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.tuning.api import labels
from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.trial_page.parts import Shown
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.logview.logview import LogSource, LogViewer

_MOST_PODS = 32


class LogPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._keys: list[str] = []
        self._viewer: LogViewer | None = None

    async def build(self) -> None:
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "article",
                "No log yet",
                "It begins with the trial's first pod. What keeps that is said above.",
            )
        self._place = ui.element("div")
        self.update()

    def update(self) -> None:
        found = sources(self._shown)
        self._none.set_visibility(not found)
        keys = [source.key for source in found]
        if not found or keys == self._keys:
            return
        self._keys = keys
        if self._viewer is None:
            with self._place:
                label = f"Log of {self._shown.trial.name}"
                self._viewer = LogViewer(self._page, found, chosen=found[0].key, label=label)
        else:
            self._viewer.set_sources(found, self._viewer.chosen)

    def stop(self) -> None:
        """The viewer ends when it is removed."""


def sources(shown: Shown) -> list[LogSource]:
    """Of each container of each pod, that which trains first. Pure."""
    pods: Sequence[Mapping[str, Any]] = sorted(shown.pods, key=lambda each: not each.get("primary"))
    several = len(pods) > 1
    trial = shown.trial
    path = places.trial_api(trial.namespace, trial.name, "log")
    found = []
    for each in pods[:_MOST_PODS]:
        name = str(each.get("name") or "")
        for container in each.get("containers") or ():
            label = "the metrics collector" if container == labels.COLLECTOR_CONTAINER else str(container)
            found.append(
                LogSource(
                    f"{name}.{container}",
                    f"{name}: {label}" if several else label,
                    path,
                    {"pod": name, "container": str(container)},
                    not trial.state.is_finished,
                    f"{name}-{container}.txt",
                )
            )
    return found
