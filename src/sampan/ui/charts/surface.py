"""How high something lies over two directions: a field of colours, and the points from which it is guessed. Pure.

The field is laid over the middles of equal steps of both directions (of their logarithms, or over categories), and
guessed by inverse distances (D. Shepard, A two-dimensional interpolation function for irregularly-spaced data, 1968;
weights 1/d⁴).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.charts import cartesian, figure
from sampan.ui.charts.figure import MOST_ROWS, Figure, Options, Table, shown

_STEPS = 24
_MOST_POINTS = 300
"""From which the field is guessed; the work is steps² times these."""
_DENSE = 100
"""More spots are drawn on a canvas, and the field with them."""
_NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Direction:
    """One of the two. `kind` is `value`, `log`, or `category` with `categories`."""

    name: str
    kind: str = "value"
    categories: Sequence[str] = ()
    low: float = 0.0
    high: float = 1.0

    @property
    def steps(self) -> int:
        return len(self.categories) if self.kind == "category" else _STEPS

    def place(self, value: Any) -> float:
        """From 0 to 1."""
        if self.kind == "category":
            return (list(self.categories).index(value) + 0.5) / max(1, len(self.categories))
        low, high, at = self._scaled(self.low), self._scaled(self.high), self._scaled(float(value))
        return (at - low) / (high - low) if high > low else 0.5

    def middles(self) -> list[str]:
        """What stands at the axis, for each step."""
        if self.kind == "category":
            return list(self.categories)
        low, high = self._scaled(self.low), self._scaled(self.high)
        at = [low + (high - low) * (step + 0.5) / _STEPS for step in range(_STEPS)]
        return [f"{math.exp(each) if self.kind == 'log' else each:.3g}" for each in at]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.kind == "log" else value


@dataclass(frozen=True, slots=True)
class Spot:
    """A point that is known."""

    name: str
    x: Any
    y: Any
    height: float


def surface(
    label: str, x: Direction, y: Direction, spots: Sequence[Spot], name: str, *, height: int = 380
) -> Figure:
    """`name` is what the heights are of."""
    placed = [(x.place(spot.x), y.place(spot.y), spot.height) for spot in spots]
    field = guessed(placed[:_MOST_POINTS], x.steps, y.steps)
    options = figure.base(legend=False, trigger="item")
    options["grid"] = figure.grid(top=14) | {"right": 96}
    options["xAxis"] = [_axis(x), _hidden()]
    options["yAxis"] = [_axis(y), _hidden()]
    options["visualMap"] = cartesian.shade_scale([each[2] for each in field] or [0, 1])
    options["visualMap"] |= {
        "seriesIndex": [0],
        "inRange": {"color": ["var(--sp-heat-low)", "var(--sp-heat-high)"]},
    }
    options["series"] = [
        {
            "id": "field",
            "type": "heatmap",
            "data": field,
            "silent": True,
            "emphasis": {"disabled": True},
        },
        {
            "id": "spots",
            "type": "scatter",
            "xAxisIndex": 1,
            "yAxisIndex": 1,
            "symbolSize": 8,
            "color": "var(--sp-text)",
            "itemStyle": {"borderColor": "var(--sp-surface)", "borderWidth": 1.5},
            "data": [
                {"value": list(place[:2]), "tip": _tip(spot, x, y, name)}
                for spot, place in zip(spots, placed, strict=True)
            ],
        },
    ]
    rows = [[spot.name, shown(spot.x), shown(spot.y), shown(spot.height)] for spot in spots[:MOST_ROWS]]
    table = Table(["Name", x.name, y.name, name], rows)
    return Figure(options, table, label, height, len(spots) > _DENSE)


def guessed(
    points: Sequence[tuple[float, float, float]], columns: int, rows: int
) -> list[tuple[int, int, float]]:
    """Column, row and height of each step."""
    if not points:
        return []
    found = []
    for column in range(columns):
        at_x = (column + 0.5) / columns
        for row in range(rows):
            at_y = (row + 0.5) / rows
            above = below = 0.0
            for px, py, height in points:
                distance = (px - at_x) ** 2 + (py - at_y) ** 2
                weight = 1.0 / (distance * distance + _NEAR)
                above += weight * height
                below += weight
            found.append((column, row, round(above / below, 9)))
    return found


def _axis(of: Direction) -> Options:
    made = figure.axis("category", of.name, categories=of.middles())
    made |= {"nameGap": 28, "splitLine": {"show": False}, "axisTick": {"show": False}}
    return made


def _hidden() -> Options:
    return {"type": "value", "min": 0, "max": 1, "show": False}


def _tip(spot: Spot, x: Direction, y: Direction, name: str) -> str:
    rows = ((x.name, spot.x), (y.name, spot.y), (name, spot.height))
    return "\n".join([spot.name, *(f"{key}: {shown(value)}" for key, value in rows)])
