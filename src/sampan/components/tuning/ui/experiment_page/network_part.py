"""The architectures that a search for one has tried, as graphs: of the best trial, or of another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nicegui import ui

from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.experiment_page import network
from sampan.components.tuning.ui.experiment_page.network import Architecture
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Choice
from sampan.ui.graph.view import GraphView

_REST_SECONDS = 1.0


class NetworkPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._chosen = page.query.get("trial", "")
        self._found: Sequence[Architecture] = ()
        self._drawn: Architecture | None = None
        self._seen = -1

    async def build(self) -> None:
        self._bar = ui.element("div").classes("sp-bar-of-list")
        self._none = ui.element("div")
        with self._none:
            widgets.empty_state(
                "account_tree",
                "No architecture yet",
                "The first trial that succeeds has one: layers, what they do, and what leads to them.",
            )
        self._said = widgets.paragraph("", "sp-muted")
        self._facts = ui.element("div")
        self._place = ui.element("div").classes("tu-space")
        await self._look()

    async def _look(self) -> None:
        experiment = self._shown.experiment
        self._seen = experiment.done
        query = {"experimentName": experiment.name, "namespace": experiment.namespace}
        try:
            answer = await self._page.api.get("/katib/fetch_nas_job_info", query)
        except ApiFailureError as error:
            self._said.set_text(f"The architectures cannot be shown: {error.message}")
            return
        if self._place.is_deleted:
            return
        self._found = network.architectures(answer or ())
        self._said.set_text("")
        self._none.set_visibility(not self._found)
        self._offer()
        self._draw()

    def _offer(self) -> None:
        self._bar.clear()
        self._bar.set_visibility(len(self._found) > 1)
        with self._bar:
            options = [("", "The best"), *((each.trial, each.trial) for each in reversed(self._found))]
            Choice("Trial", options, self._chosen, self._choose)

    def _choose(self, name: str) -> None:
        self._chosen = name
        self._page.set_query(trial=name)
        self._draw()

    def _draw(self) -> None:
        wanted = self._chosen or self._shown.trials.best
        found = next((each for each in self._found if each.trial == wanted), None)
        found = found or (self._found[-1] if self._found else None)
        if found is None or found == self._drawn:
            return
        self._drawn = found
        self._facts.clear()
        with self._facts, ui.element("div").classes("sp-row"):
            place = places.trial(self._shown.experiment.namespace, found.trial)
            widgets.link(found.trial, self._page.href(place))
            for name, value in found.measured.items():
                widgets.text(f"{name} {value}", "sp-tag")
        self._place.clear()
        with self._place:
            GraphView(label=f"Architecture of {found.trial}").show(found.graph)

    def update(self) -> None:
        if self._shown.experiment.done != self._seen:
            self._seen = self._shown.experiment.done
            self._page.spawn(self._later(), "architectures")

    async def _later(self) -> None:
        """What comes quickly, comes together."""
        seen = self._seen
        await asyncio.sleep(_REST_SECONDS)
        if seen == self._seen and not self._place.is_deleted:
            await self._look()

    def stop(self) -> None:
        """Nothing goes on by itself."""
