"""A job's metrics as curves and as a table. Pure.

They come from `/training/v1/…/metrics`: series of points, each with a step where one is known, and a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.charts.cartesian import Axes, line
from sampan.ui.charts.figure import Figure, Series, shown
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

COLUMNS = (
    Column("name", "Metric"),
    Column("rank", "Rank"),
    Column("last", "Now", number=True),
    Column("low", "Least", number=True),
    Column("high", "Most", number=True),
    Column("count", "Values", number=True),
    Column("source", "From"),
)
_MOST_RANKS = 10
_SOURCES = {"log": "the log", "trainer": "its trainer's reports", "tensorboard": "TensorBoard's files"}
_FIRST = (re.compile("loss", re.I), re.compile("acc|auc|f1|score", re.I), re.compile("error|rmse|mae", re.I))
_LAST = re.compile("time|seconds|lr|learning_rate|epoch|step|progress|memory|speed|per_second", re.I)

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric, of all ranks that have it."""

    name: str
    series: tuple[Given, ...]

    def figure(self) -> Figure:
        by_step = all(point.get("step") is not None for each in self.series for point in each["points"])
        drawn = [
            Series(
                _label(each),
                [(point["step"] if by_step else point["time"], _number(point)) for point in each["points"]],
                id=f"{each.get('source')} {each.get('rank')}",
            )
            for each in self.series[:_MOST_RANKS]
        ]
        axes = Axes("step", "", x_kind="value") if by_step else Axes("", "", x_kind="time")
        return line(self.name, drawn, axes, height=240)


def curves(metrics: Sequence[Given]) -> list[Curve]:
    """What people look for first, first."""
    by_name: dict[str, list[Given]] = {}
    for each in metrics:
        if each.get("points"):
            by_name.setdefault(str(each.get("name")), []).append(each)
    return [Curve(name, tuple(by_name[name])) for name in sorted(by_name, key=_order)]


def rows(found: Sequence[Curve]) -> list[Row]:
    return [
        Row(
            f"{curve.name} {each.get('source')} {each.get('rank')}",
            {
                "name": curve.name,
                "rank": str(each.get("rank") or ""),
                "last": cells.number(None, shown(_number(each["points"][-1]))),
                "low": cells.number(None, shown(each.get("min"))),
                "high": cells.number(None, shown(each.get("max"))),
                "count": cells.number(int(each.get("count") or 0)),
                "source": _SOURCES.get(str(each.get("source")), str(each.get("source") or "")),
            },
        )
        for curve in found
        for each in curve.series
    ]


def _order(name: str) -> tuple[int, str]:
    for place, pattern in enumerate(_FIRST):
        if pattern.search(name):
            return place, name
    return (len(_FIRST) + (1 if _LAST.search(name) else 0)), name


def _label(series: Given) -> str:
    rank, source = str(series.get("rank") or ""), str(series.get("source") or "")
    return rank or {"trainer": "reported", "tensorboard": "TensorBoard"}.get(source, source)


def _number(point: Given) -> float | None:
    """What is no number that can be drawn comes as a text."""
    value = point.get("value")
    return value if isinstance(value, int | float) else None
