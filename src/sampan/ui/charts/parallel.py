"""Parallel coordinates: one axis for each parameter or metric, one line for each run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.charts import figure
from sampan.ui.charts.figure import MOST_ROWS, Figure, Options, Table, shown

_MOST_OWN = 10
"""Lines with a colour of their own; more are coloured by their last value."""
_DENSE = 100
"""More are drawn on a canvas."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """An axis. Numbers where all values are, else the texts in the order given."""

    name: str
    kind: str = "value"
    """`value`, `log` or `category`."""
    categories: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Line:
    id: str
    name: str
    values: Sequence[Any]
    """One for each dimension; None where it has none."""
    look: int = -1


def dimension(name: str, values: Sequence[Any]) -> Dimension:
    """What suits these values: numbers on a logarithmic axis where they span much, texts as categories."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        low, high = min(there), max(there)
        return Dimension(name, "log" if low > 0 and high / low >= 1000 else "value")
    return Dimension(name, "category", sorted({shown(value) for value in there}))


def parallel(label: str, dimensions: Sequence[Dimension], lines: Sequence[Line], height: int = 340) -> Figure:
    """Drag along an axis to keep only the lines that cross there: the element's `on_brush` gets their ids."""
    has_legend = 1 < len(lines) <= _MOST_OWN
    options = figure.base(legend=has_legend, trigger="item")
    options["parallel"] = {
        "left": 64,
        "right": 90,
        "top": 74 if has_legend else 44,
        "bottom": 24,
        "parallelAxisDefault": {
            "nameLocation": "end",
            "nameTextStyle": {"color": "var(--sp-text)", "width": 120, "overflow": "truncate"},
            "nameTruncate": {"maxWidth": 130},
            "axisLabel": {
                "color": "var(--sp-muted)",
                "width": 90,
                "overflow": "truncate",
                "textBorderColor": "var(--sp-surface)",
                "textBorderWidth": 3,
            },
            "axisLine": {"lineStyle": {"color": "var(--sp-strong-border)"}},
            "axisTick": {"lineStyle": {"color": "var(--sp-strong-border)"}},
        },
    }
    options["parallelAxis"] = [_axis(index, each) for index, each in enumerate(dimensions)]
    options["series"] = _series(dimensions, lines)
    if len(lines) > _MOST_OWN and dimensions and dimensions[-1].kind != "category":
        options["visualMap"] = _colours(len(dimensions) - 1, lines)
    columns = ["Name", *(each.name for each in dimensions)]
    rows = [[each.name, *map(shown, each.values)] for each in lines[:MOST_ROWS]]
    return Figure(options, Table(columns, rows), label, height, len(lines) > _DENSE)


def _axis(index: int, each: Dimension) -> Options:
    chosen = {"borderColor": "var(--sp-accent)", "color": "var(--sp-accent)", "opacity": 0.3, "width": 18}
    made: Options = {"id": f"{index} {each.name}", "dim": index, "name": each.name, "type": each.kind}
    made["areaSelectStyle"] = chosen
    if each.kind == "category":
        made["data"] = list(each.categories)
    else:
        made["scale"] = True
    return made


def _series(dimensions: Sequence[Dimension], lines: Sequence[Line]) -> list[Options]:
    data = [
        {
            "id": each.id,
            "name": each.name,
            "value": [_value(value, of) for value, of in zip(each.values, dimensions, strict=True)],
            "tip": _tip(each, dimensions),
        }
        for each in lines
    ]
    shape: Options = {"type": "parallel", "smooth": 0.15, "inactiveOpacity": 0.08, "activeOpacity": 1}
    if len(lines) > _MOST_OWN:
        return [shape | {"id": "lines", "data": data, "lineStyle": {"width": 1.5, "opacity": 0.6}}]
    return [
        shape
        | {
            "id": each.id,
            "name": each.name,
            "data": [datum],
            "color": figure.colour(look),
            "lineStyle": {
                "width": 2.5,
                "opacity": 0.95,
                "color": figure.colour(look),
                "type": figure.dashes(look),
            },
        }
        for index, (each, datum) in enumerate(zip(lines, data, strict=True))
        for look in (each.look if each.look >= 0 else index,)
    ]


def _value(value: Any, of: Dimension) -> Any:
    """A hyphen is ECharts' word for a value that is not there."""
    if value is None:
        return "-"
    found = shown(value) if of.kind == "category" else figure.finite(value)
    return "-" if found is None else found


def _tip(each: Line, dimensions: Sequence[Dimension]) -> str:
    rows = (f"{of.name}: {shown(value)}" for of, value in zip(dimensions, each.values, strict=True))
    return "\n".join([each.name, *rows])


def _colours(index: int, lines: Sequence[Line]) -> Options:
    known = [value for each in lines if isinstance(value := each.values[index], int | float)]
    return {
        "show": False,
        "dimension": index,
        "min": min(known, default=0),
        "max": max(known, default=1),
        "inRange": {"color": ["var(--sp-series-6)", "var(--sp-series-1)", "var(--sp-series-5)"]},
    }
