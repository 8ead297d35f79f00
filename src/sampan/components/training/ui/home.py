"""The part of home that training brings: jobs that run or wait now, and those that failed lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from sampan.components.training.api.summary import State, Summary, summarise
from sampan.components.training.ui import places, states
from sampan.components.training.ui.following import Jobs
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.contract import HomeCard
from sampan.ui.times import told

_MOST = 6


async def build(page: PageContext) -> None:
    place = ui.element("ul").classes("sp-run-rows")
    drawn: list[Any] = [None]

    def take(jobs: Sequence[Object]) -> None:
        found = chosen([summarise(job) for job in jobs])
        if found == drawn[0]:
            return
        drawn[0] = found
        place.clear()
        with place:
            for job in found:
                with ui.element("li"):
                    _row(page, job)
            if not found:
                with ui.element("li"):
                    widgets.paragraph("No training job runs, waits, or has failed.", "sp-muted")

    await Jobs(page, take).follow()
    with ui.element("div").classes("sp-row"):
        widgets.link("All training jobs", page.href(places.LIST))


def chosen(jobs: Sequence[Summary]) -> list[Summary]:
    """Those under way first, then what failed; the newest of each first. Pure."""
    wanted = [job for job in jobs if job.state != State.SUCCEEDED]
    wanted.sort(key=lambda job: job.created, reverse=True)
    wanted.sort(key=lambda job: job.state == State.FAILED)
    return wanted[:_MOST]


def _row(page: PageContext, job: Summary) -> None:
    with ui.element("div").classes("sp-row"):
        widgets.link(job.name, page.href(places.of(job))).classes("sp-run-name")
        ui.element("div").classes("sp-space")
        widgets.state(*states.shown(job.state))
        if began := states.began(job):
            told.span(began, job.ended)
    percent = states.percent(job)
    if percent is not None and not job.state.is_finished:
        bar = widgets.text(f"{percent}%", "sp-bar")
        bar._style["--sp-part"] = f"{percent / 100:.3f}"
    elif job.state == State.FAILED and states.why(job):
        widgets.paragraph(states.why(job), "sp-muted sp-small")


CARDS = (HomeCard("Training", build, order=25),)
