"""The part of home that tuning brings: experiments that run now, and those that failed lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.summary import State, Summary, summarise
from sampan.components.tuning.ui import places, states
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.charts.figure import shown
from sampan.ui.context import PageContext
from sampan.ui.contract import HomeCard
from sampan.ui.times import told

_MOST = 5


async def build(page: PageContext) -> None:
    place = ui.element("ul").classes("sp-run-rows")
    drawn: list[Any] = [None]

    def take(answer: Any) -> None:
        found = chosen([summarise(each) for each in answer.get("items") or ()])
        if found == drawn[0]:
            return
        drawn[0] = found
        place.clear()
        with place:
            for experiment in found:
                with ui.element("li"):
                    _row(page, experiment)
            if not found:
                with ui.element("li"):
                    widgets.paragraph("No experiment runs, or has failed.", "sp-muted")

    try:
        await page.live(places.experiments_api(page.namespace), take)
    except ApiFailureError as error:
        widgets.paragraph(f"Experiments cannot be shown: {error.message}", "sp-muted")
    with ui.element("div").classes("sp-row"):
        widgets.link("All tuning experiments", page.href(places.LIST))


def chosen(experiments: Sequence[Summary]) -> list[Summary]:
    """Those under way first, then what failed; the newest of each first. Pure."""
    wanted = [each for each in experiments if each.state != State.SUCCEEDED]
    wanted.sort(key=lambda each: each.created, reverse=True)
    wanted.sort(key=lambda each: each.state == State.FAILED)
    return wanted[:_MOST]


def _row(page: PageContext, experiment: Summary) -> None:
    with ui.element("div").classes("sp-row"):
        place = page.href(places.experiment(experiment.namespace, experiment.name))
        widgets.link(experiment.name, place).classes("sp-run-name")
        ui.element("div").classes("sp-space")
        widgets.state(*states.shown(experiment.state))
        if experiment.started:
            told.span(experiment.started, experiment.ended)
    if experiment.state == State.FAILED:
        if experiment.message:
            widgets.paragraph(experiment.message, "sp-muted sp-small")
        return
    share, said = states.progress(experiment)
    best = experiment.best_value
    found = f", {experiment.objective.metric} {shown(best)}" if best is not None else ""
    bar = widgets.text(f"{said} trials{found}" if experiment.most_trials else f"{said}{found}", "sp-bar")
    bar._style["--sp-part"] = f"{share:.3f}"


CARDS = (HomeCard("Tuning", build, order=27),)
