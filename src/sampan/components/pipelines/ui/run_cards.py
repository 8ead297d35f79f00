"""The parts of home that runs bring: what runs now, what failed lately and why, what waits and for what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_list import rows
from sampan.components.pipelines.ui.states import shown
from sampan.lib.clock import rfc3339
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.contract import HomeCard
from sampan.ui.times import told

Run = Mapping[str, Any]
_RUNS = "/apis/v2beta1/runs"
_UNDER_WAY = ("RUNNING", "PENDING", "CANCELING")
_MOST = 6
_LATELY = timedelta(days=7)


def question(namespace: str, states: Sequence[str], since: datetime | None = None) -> dict[str, str]:
    """Of the API, for the newest runs in these states. Pure."""
    predicates: list[dict[str, Any]] = [
        {"key": "storage_state", "operation": "EQUALS", "string_value": "AVAILABLE"},
        {"key": "state", "operation": "IN", "string_values": {"values": list(states)}},
    ]
    if since is not None:
        # To the hour: all tabs ask alike, and ask again rather than anew.
        at = since.replace(minute=0, second=0, microsecond=0)
        predicates.append(
            {"key": "created_at", "operation": "GREATER_THAN_EQUALS", "timestamp_value": rfc3339(at)}
        )
    return {
        "namespace": namespace,
        "page_size": str(_MOST),
        "sort_by": "created_at desc",
        "filter": json.dumps({"predicates": predicates}),
        "include": "origin,progress,waiting",
    }


def is_waiting(run: Run) -> bool:
    """Nothing of it runs: all steps under way say what they wait for, or it is paused, or cannot go on. Pure."""
    if run.get("state") == "PAUSED" or (run.get("error") or {}).get("message"):
        return True
    counts: Mapping[str, int] = run.get("progress", {})
    under_way = counts.get("RUNNING", 0) + counts.get("PENDING", 0)
    return 0 < under_way <= int(run.get("waiting", {}).get("steps", 0))


async def running(page: PageContext) -> None:
    await _listed(
        page,
        question(page.namespace, _UNDER_WAY),
        _running_row,
        "Nothing runs at the moment.",
        lambda run: True,
    )
    with ui.element("div").classes("sp-row"):
        widgets.link("All running runs", page.href("/runs", state=",".join(_UNDER_WAY)))


async def failed(page: PageContext) -> None:
    asked = question(page.namespace, ("FAILED",), datetime.now(UTC) - _LATELY)
    await _listed(page, asked, _failed_row, "Nothing failed in the last seven days.", lambda run: True)
    with ui.element("div").classes("sp-row"):
        widgets.link("All failed runs", page.href("/runs", state="FAILED"))


async def waiting(page: PageContext) -> None:
    states = ("PAUSED", *_UNDER_WAY)
    asked = question(page.namespace, states) | {"page_size": "50"}
    await _listed(page, asked, _waiting_row, "Nothing waits.", is_waiting)


CARDS = (
    HomeCard("Running now", running, order=10),
    HomeCard("Waiting", waiting, order=20),
    HomeCard("Failed lately", failed, order=30),
)


async def _listed(
    page: PageContext,
    asked: Mapping[str, str],
    draw: Callable[[PageContext, Run], None],
    none: str,
    fits: Callable[[Run], bool],
) -> None:
    """A few rows, live. Drawn anew when they are others: there are never many."""
    place = ui.element("ul").classes("sp-run-rows")
    drawn: list[Any] = [None]

    def take(found: Any) -> None:
        runs = [run for run in found.get("runs", ()) if fits(run)][:_MOST]
        if runs == drawn[0]:
            return
        drawn[0] = runs
        place.clear()
        with place:
            for run in runs:
                with ui.element("li"):
                    draw(page, run)
            if not runs:
                with ui.element("li"):
                    widgets.paragraph(none, "sp-muted")

    await page.live(_RUNS, take, query=asked)


def _name(page: PageContext, run: Run, **query: str) -> None:
    widgets.link(run["display_name"], page.href(f"/runs/{run['run_id']}", **query)).classes("sp-run-name")


def _running_row(page: PageContext, run: Run) -> None:
    done, known = rows.progress(run)
    with ui.element("div").classes("sp-row"):
        _name(page, run)
        ui.element("div").classes("sp-space")
        word, tone, icon = shown(run.get("state", ""))
        widgets.state(word, tone, icon)
        told.span(run["created_at"])
    if known:
        bar = widgets.text(f"{done} of {known} steps", "sp-bar")
        bar._style["--sp-part"] = f"{done / known:.3f}"


def _failed_row(page: PageContext, run: Run) -> None:
    with ui.element("div").classes("sp-row"):
        _name(page, run)
        ui.element("div").classes("sp-space")
        told.ago(rows.ended(run) or run["created_at"])
        widgets.icon_button("replay", f"Retry {run['display_name']}", partial(run_actions.retry, page, run))
    why = rows.explanation(run)
    if why:
        widgets.paragraph(why, "sp-muted sp-small")


def _waiting_row(page: PageContext, run: Run) -> None:
    with ui.element("div").classes("sp-row"):
        _name(page, run)
        ui.element("div").classes("sp-space")
        told.span(run["created_at"])
    why = rows.explanation(run) or "It waits for you to continue or stop it."
    widgets.paragraph(why, "sp-muted sp-small")
