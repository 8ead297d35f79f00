"""The part of home that serving brings: endpoints that fail or start, and those that are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui import measuring, places, states
from sampan.components.serving.ui.figures import NONE, Figures, Key
from sampan.components.serving.ui.summary import Endpoint, summarise
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.contract import HomeCard
from sampan.ui.objects.following import Followed

_MOST = 5
_SECONDS = 5.0
_ORDER = (State.FAILED, State.STARTING, State.READY, State.ASLEEP)


async def build(page: PageContext) -> None:
    place = ui.element("ul").classes("sp-run-rows")
    held: dict[str, Any] = {"endpoints": [], "figures": {}, "drawn": None}

    def draw() -> None:
        found = chosen(held["endpoints"], held["figures"])
        shown = [(each, held["figures"].get((each.kind, each.name), NONE)) for each in found]
        if shown == held["drawn"]:
            return
        held["drawn"] = shown
        place.clear()
        with place:
            for endpoint, figures in shown:
                with ui.element("li"):
                    _row(page, endpoint, figures)
            if not shown:
                with ui.element("li"):
                    widgets.paragraph("No endpoint serves anything.", "sp-muted")

    def take(objects: Sequence[Object]) -> None:
        held["endpoints"] = [summarise(each) for each in objects]
        draw()

    async def measure() -> None:
        if held["endpoints"]:
            held["figures"] = await measuring.look(page.api, page.namespace)
            draw()

    await Followed(page, places.KINDS, take).follow()
    await measure()
    page.every(_SECONDS, measure)
    with ui.element("div").classes("sp-row"):
        widgets.link("All endpoints", page.href(places.LIST))


def chosen(endpoints: Sequence[Endpoint], figures: Mapping[Key, Figures]) -> list[Endpoint]:
    """What is wrong first, then what is asked most. Pure."""
    wanted = [each for each in endpoints if each.state in _ORDER]
    wanted.sort(key=lambda each: each.name)
    wanted.sort(key=lambda each: -figures.get((each.kind, each.name), NONE).requests)
    wanted.sort(key=lambda each: _ORDER.index(each.state))
    return wanted[:_MOST]


def _row(page: PageContext, endpoint: Endpoint, figures: Figures) -> None:
    with ui.element("div").classes("sp-row"):
        place = page.href(places.of(endpoint.kind, endpoint.namespace, endpoint.name))
        widgets.link(endpoint.name, place).classes("sp-run-name")
        ui.element("div").classes("sp-space")
        widgets.state(*states.shown(endpoint.state))
        if figures.requests and figures.p95_seconds is not None:
            rate, p95 = states.rate(figures.requests_per_second), states.in_milliseconds(figures.p95_seconds)
            widgets.text(f"{rate}/s, p95 {p95}", "sp-muted sp-small")
    if endpoint.why and endpoint.state in (State.FAILED, State.STARTING):
        widgets.paragraph(states.short(endpoint), "sp-muted sp-small")


CARDS = (HomeCard("Endpoints", build, order=28),)
