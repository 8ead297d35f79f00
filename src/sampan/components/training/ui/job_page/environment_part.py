"""What the container of a rank was given: its command, image, resources, and environment."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.training.ui.job_page import ranks
from sampan.components.training.ui.job_page.parts import Shown
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Choice
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (Column("name", "Variable"), Column("value", "Value"))


class EnvironmentPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown

    async def build(self) -> None:
        chosen = self._page.query.get("rank", "")
        labels = self._labels()
        if not labels:
            widgets.empty_state("data_object", "No pods", "What a rank gets is read from its pod.")
            return
        chosen = chosen if chosen in labels else next(iter(labels))
        with ui.element("div").classes("sp-bar-of-list"):
            Choice("Rank", list(labels.items()), chosen, self._choose)
        self._place = ui.element("div")
        self._show(chosen)

    def _labels(self) -> dict[str, str]:
        """Of ranks, by pod."""
        return {rank.pod: rank.label for rank in self._shown.ranks}

    def _choose(self, pod: str) -> None:
        self._page.set_query(rank=pod)
        self._show(pod)

    def _show(self, pod: str) -> None:
        container = ranks.container_of(self._shown.job.kind, self._shown.pods.get(pod, {}))
        self._place.clear()
        with self._place:
            with widgets.card("Container"):
                widgets.pairs({name: partial(_draw, value) for name, value in facts(container).items()})
            widgets.heading("Environment").classes("tr-space")
            table = DataTable(_COLUMNS, label="Environment")
            found = ranks.environment(container)
            table.set_rows(
                [
                    Row(name, {"name": cells.mono(name), "value": cells.mono(value)})
                    for name, value in found.items()
                ]
            )
            if not found:
                table.set_visibility(False)
                widgets.paragraph("It is given no variables of its own.", "sp-muted")

    def update(self) -> None:
        """It does not change while the pod is there."""

    def stop(self) -> None:
        """Nothing goes on by itself."""


def _draw(value: str) -> None:
    widgets.text(value, "sp-mono sp-pre")


def facts(container: Any) -> dict[str, str]:
    """Pure."""
    resources = container.get("resources") or {}
    found = {
        "Image": str(container.get("image") or ""),
        "Command": shlex.join(str(each) for each in container.get("command") or ()),
        "Arguments": shlex.join(str(each) for each in container.get("args") or ()),
        "Working folder": str(container.get("workingDir") or ""),
        "Asks for": _amounts(resources.get("requests")),
        "At most": _amounts(resources.get("limits")),
        "Volumes": ", ".join(str(each.get("mountPath")) for each in container.get("volumeMounts") or ()),
    }
    return {name: value for name, value in found.items() if value}


def _amounts(given: Any) -> str:
    return ", ".join(f"{name} {amount}" for name, amount in (given or {}).items())
