"""What a trial has measured, as curves and as numbers. Pure; from `/tuning/v1/…/curves`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.charts.cartesian import Axes, line
from sampan.ui.charts.figure import Figure, Series, shown
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

COLUMNS = (
    Column("name", "Metric"),
    Column("last", "Last", number=True),
    Column("low", "Least", number=True),
    Column("high", "Most", number=True),
    Column("count", "Values", number=True),
)


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    """Of the metric."""
    points: Sequence[tuple[float, float | None]]
    """Seconds since 1970, and what was measured then."""
    count: int
    """How many there are in all."""


def of_trial(answer: Mapping[str, Any], trial: str) -> list[Curve]:
    """In the order in which the API has them."""
    found: Mapping[str, Any] = (answer.get("trials") or {}).get(trial) or {}
    return [_curve(str(name), each) for name, each in found.items()]


def _curve(name: str, each: Mapping[str, Any]) -> Curve:
    times, values = each.get("time") or (), each.get("value") or ()
    points = list(zip(times, values, strict=False))
    return Curve(name, points, int(each.get("of") or len(points)))


def figure(curve: Curve, began: float, height: int = 260) -> Figure:
    """Over the seconds since the trial began; over the number of the report where all came at once."""
    start = began or (curve.points[0][0] if curve.points else 0.0)
    return line(curve.name, [Series(curve.name, _pairs(curve, start))], _axes(curve), height=height)


def _is_at_once(curve: Curve) -> bool:
    return len(curve.points) > 1 and curve.points[-1][0] - curve.points[0][0] < 1e-6


def _axes(curve: Curve) -> Axes:
    return Axes("report" if _is_at_once(curve) else "seconds", "", x_kind="value")


def _pairs(curve: Curve, start: float) -> list[tuple[float, float | None]]:
    if _is_at_once(curve):
        return [(float(place), value) for place, (_, value) in enumerate(curve.points, 1)]
    return [(round(at - start, 3), value) for at, value in curve.points]


def compared(
    answer: Mapping[str, Any], metric: str, names: Sequence[str], height: int = 340
) -> Figure | None:
    """One metric of several trials, by the number of the report; None where none has reported it."""
    series = []
    for name in names:
        found = next((each for each in of_trial(answer, name) if each.name == metric), None)
        if found is not None and found.points:
            pairs = [(place, value) for place, (_, value) in enumerate(found.points, 1)]
            series.append(Series(name, pairs, id=name))
    if not series:
        return None
    made = line(f"{metric} as it was reported", series, Axes("report", metric, x_kind="value"), height=height)
    made.options["xAxis"]["minInterval"] = 1
    return made


def rows(found: Sequence[Curve]) -> list[Row]:
    return [_row(each) for each in found]


def _row(curve: Curve) -> Row:
    known = [value for _, value in curve.points if value is not None]
    last = curve.points[-1][1] if curve.points else None
    return Row(
        curve.name,
        {
            "name": curve.name,
            "last": cells.number(None, "no number" if last is None else shown(float(last))),
            "low": cells.number(None, shown(float(min(known))) if known else ""),
            "high": cells.number(None, shown(float(max(known))) if known else ""),
            "count": cells.number(curve.count, f"{curve.count:,}"),
        },
    )
