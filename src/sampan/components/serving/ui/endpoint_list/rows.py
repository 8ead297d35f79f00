"""Endpoints as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from sampan.components.serving.api.kinds import TRAINED_MODELS
from sampan.components.serving.api.summary import State
from sampan.components.serving.ui import places, states
from sampan.components.serving.ui.actions import ACTIONS
from sampan.components.serving.ui.endpoint_list.query import Listed
from sampan.components.serving.ui.figures import Figures
from sampan.components.serving.ui.summary import Endpoint
from sampan.ui.objects import amounts
from sampan.ui.table import cells
from sampan.ui.table.cells import Cell
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]
"""The address of a page by its path."""

COLUMNS = (
    Column("name", "Endpoint", sort="name"),
    Column("state", "State", sort="state"),
    Column("serves", "Serves", sort="serves"),
    Column("copies", "Replicas", sort="copies", number=True),
    Column("rate", "Requests/s", sort="rate", number=True),
    Column("p95", "p95", sort="p95", number=True),
    Column("memory", "Memory", sort="memory", number=True),
    Column("created", "Created", sort="created"),
    Column("actions", "", narrow=True),
)


def row(listed: Listed, href: Href) -> Row:
    endpoint, figures = listed.endpoint, listed.figures
    word, tone, icon = states.shown(endpoint.state)
    page = places.of(endpoint.kind, endpoint.namespace, endpoint.name)
    return Row(
        endpoint.identity,
        {
            "name": cells.link(endpoint.name, href(page), endpoint.kind),
            "state": cells.state(word, tone, icon, endpoint.why, second(endpoint)),
            "serves": cells.lines(endpoint.serves or "–", endpoint.runtime),
            "copies": copies(endpoint),
            "rate": cells.number(figures.requests_per_second, states.rate(figures.requests_per_second)),
            "p95": latency(figures),
            "memory": memory(listed),
            "created": cells.time(endpoint.created),
            "actions": cells.actions(
                [(each.name, each.label, each.icon) for each in ACTIONS if each.fits(endpoint)]
            ),
        },
        name=endpoint.name,
    )


def second(endpoint: Endpoint) -> str:
    """Why it is as it is; else how its requests are split."""
    return states.short(endpoint) or ", ".join(traffic(endpoint))


def traffic(endpoint: Endpoint) -> list[str]:
    """Only where it is split: revisions by their numbers."""
    shares = [each for each in endpoint.rollout.traffic if each.percent]
    if len(shares) < 2:
        return []
    return [f"{short_revision(each.revision)} {each.percent}%" for each in shares]


def short_revision(revision: str) -> str:
    """`00002` of `iris-predictor-00002`."""
    return revision.rpartition("-")[2] or revision


def copies(endpoint: Endpoint) -> Cell:
    if endpoint.state == State.STOPPED:
        return cells.number(0, "0")
    if endpoint.copies is None:
        return cells.number(None, "–")
    return cells.number(endpoint.copies, str(endpoint.copies))


def latency(figures: Figures) -> Cell:
    if figures.p95_seconds is None:
        return cells.number(None, "–")
    return cells.number(figures.p95_seconds, states.in_milliseconds(figures.p95_seconds))


def memory(listed: Listed) -> Cell:
    """What it holds, also while nobody asks; a dash where it has no pods of its own."""
    figures = listed.figures
    if not figures.pods:
        has_own = listed.endpoint.kind != TRAINED_MODELS.kind
        return cells.number(0.0 if has_own else None, "0" if has_own else "–")
    return cells.number(figures.memory, amounts.in_bytes(Decimal(int(figures.memory))))
