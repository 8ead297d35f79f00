"""Charts on two axes: lines, bars, points, histograms and ROC curves. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.charts import figure
from sampan.ui.charts.figure import MOST_ROWS, Figure, Options, Series, Table, shown

_MOST_BINS = 60
_MOST_SYMBOLS = 30
"""On a line; more would hide it."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What a chart's two directions are."""

    x: str = ""
    y: str = ""
    x_kind: str = "category"
    """`category`, `value`, `log`, or `time` (RFC 3339, shown in the reader's zone)."""
    y_kind: str = "value"
    from_zero: bool = False
    """Whether the values' axis begins at zero, wherever the values lie."""
    y_most: float | None = None
    """The end of the values' axis; where the values end, if it is not said."""
    shade: str = ""
    """What a third number of each point is, which its colour stands for."""


def line(
    label: str,
    series: Sequence[Series],
    axes: Axes,
    *,
    categories: Sequence[str] = (),
    filled: bool = False,
    height: int = 280,
) -> Figure:
    """Over categories, values are one for each; else they are pairs of x and y."""
    options = _frame(axes, categories, len(series) > 1)
    if any(each.tips for each in series):
        options["tooltip"]["trigger"] = "item"
    options["series"] = [
        {
            "id": each.id or each.name,
            "name": each.name,
            "type": "line",
            "data": [
                {"value": _point(value), "tip": each.tips[place]} if each.tips else _point(value)
                for place, value in enumerate(each.values)
            ],
            "symbol": figure.symbol(look),
            "symbolSize": 7,
            "showSymbol": len(each.values) <= _MOST_SYMBOLS,
            "color": figure.colour(look),
            "lineStyle": {"width": 2, "type": figure.dashes(look)},
            **({"areaStyle": {"opacity": 0.15}} if filled else {}),
        }
        for index, each in enumerate(series)
        for look in (figure.look_of(each, index),)
    ]
    return Figure(options, _table(axes, series, categories), label, height)


def bars(
    label: str,
    series: Sequence[Series],
    categories: Sequence[str],
    axes: Axes,
    *,
    lying: bool = False,
    height: int = 280,
) -> Figure:
    """One group for each category. `lying` bars leave room for long names; then `axes.x` are still the categories."""
    options = _frame(axes, categories, len(series) > 1)
    if lying:
        options["xAxis"], options["yAxis"] = options["yAxis"], options["xAxis"]
        options["yAxis"]["inverse"] = True
    options["aria"] = {"enabled": True, "label": {"enabled": False}, "decal": {"show": len(series) > 1}}
    options["series"] = [
        {
            "id": each.id or each.name,
            "name": each.name,
            "type": "bar",
            "data": [
                {"value": figure.finite(value), "itemStyle": {"color": figure.colour(each.looks[place])}}
                if each.looks
                else figure.finite(value)
                for place, value in enumerate(each.values)
            ],
            "color": figure.colour(figure.look_of(each, index)),
            "barMaxWidth": 32,
        }
        for index, each in enumerate(series)
    ]
    return Figure(options, _table(axes, series, categories), label, height)


def scatter(
    label: str,
    series: Sequence[Series],
    axes: Axes,
    *,
    shades: Mapping[str, float] | None = None,
    shade_name: str = "",
    height: int = 320,
) -> Figure:
    """Points (x, y) of a series share colour and symbol; with `shades`, by id, the colour stands for a number."""
    options = _frame(axes, (), len(series) > 1)
    options["tooltip"]["trigger"] = "item"
    for side in ("xAxis", "yAxis"):
        # No point lies on an axis.
        options[side]["boundaryGap"] = ["4%", "4%"]
    options["series"] = [
        {
            "id": each.id or each.name,
            "name": each.name,
            "type": "scatter",
            "symbol": figure.symbol(look),
            "symbolSize": 13,
            "color": figure.colour(look),
            "data": [_dot(each, pair, axes, (shades or {}).get(each.id), shade_name) for pair in each.values],
        }
        for index, each in enumerate(series)
        for look in (figure.look_of(each, index),)
    ]
    columns = ["Name", axes.x, axes.y]
    rows = [[each.name, shown(x), shown(y)] for each in series for x, y in each.values]
    if shades:
        options["visualMap"] = shade_scale(list(shades.values()))
        options["grid"]["right"] = 96
        columns.append(shade_name)
        rows = [
            [each.name, shown(x), shown(y), shown(shades.get(each.id))]
            for each in series
            for x, y in each.values
        ]
    return Figure(options, Table(columns, rows[:MOST_ROWS]), label, height)


def histogram(label: str, values: Sequence[float], x: str = "", *, height: int = 240) -> Figure:
    """How often values lie in each of some equal steps (as many as the square root of their number)."""
    known = [float(value) for value in values if math.isfinite(value)]
    edges, counts = _bins(known)
    names = [f"{low:.3g} – {high:.3g}" for low, high in itertools.pairwise(edges)]
    found = bars(label, [Series("Count", counts)], names, Axes(x=x, y="Count", from_zero=True), height=height)
    found.options["series"][0] |= {"barCategoryGap": "4%", "barMaxWidth": None}
    return found


def roc(label: str, curves: Sequence[Series], *, height: int = 320) -> Figure:
    """False against true positive rate; each value may carry its threshold: (fpr, tpr, threshold)."""
    axes = Axes("False positive rate", "True positive rate", x_kind="value", from_zero=True, y_most=1)
    options = _frame(axes, (), len(curves) > 1)
    options["xAxis"] |= {"min": 0, "max": 1}
    options["tooltip"]["trigger"] = "item"
    options["series"] = [
        {
            "id": each.id or each.name,
            "name": each.name,
            "type": "line",
            "symbol": figure.symbol(look),
            "symbolSize": 8,
            "showSymbol": len(each.values) <= _MOST_SYMBOLS,
            "color": figure.colour(look),
            "lineStyle": {"width": 2, "type": figure.dashes(look)},
            "data": [{"value": list(value[:2]), "tip": _roc_tip(each.name, value)} for value in each.values],
        }
        for index, each in enumerate(curves)
        for look in (figure.look_of(each, index),)
    ]
    options["series"].append(
        {
            "id": "sp-chance",
            "type": "line",
            "data": [[0, 0], [1, 1]],
            "symbol": "none",
            "silent": True,
            "lineStyle": {"color": "var(--sp-strong-border)", "type": "dotted", "width": 1},
        }
    )
    options.get("legend", {})["data"] = [each.name for each in curves]
    rows = [
        [each.name, *(shown(part) for part in (*value, None)[:3])] for each in curves for value in each.values
    ]
    return Figure(options, Table(["Curve", axes.x, axes.y, "Threshold"], rows[:MOST_ROWS]), label, height)


def area_below(points: Sequence[tuple[float, ...]]) -> float:
    """Of a ROC curve, by trapezoids: 1 is perfect, 0.5 is chance."""
    ordered = sorted((point[0], point[1]) for point in points)
    return sum((right[0] - left[0]) * (right[1] + left[1]) / 2 for left, right in itertools.pairwise(ordered))


def _dot(
    series: Series, pair: Sequence[Any], axes: Axes, shade: float | None, shade_name: str
) -> dict[str, Any]:
    value = [figure.finite(part) for part in pair]
    tip = f"{series.name}\n{axes.x}: {shown(pair[0])}\n{axes.y}: {shown(pair[1])}"
    if shade is None:
        return {"value": value, "tip": tip}
    return {"value": [*value, figure.finite(shade)], "tip": f"{tip}\n{shade_name}: {shown(shade)}"}


def shade_scale(values: Sequence[float]) -> Options:
    """A scale of colours beside a chart, for the third number of each point."""
    return {
        "type": "continuous",
        "dimension": 2,
        "min": min(values),
        "max": max(values),
        "right": 0,
        "top": "middle",
        "itemHeight": 110,
        "text": [shown(max(values)), shown(min(values))],
        "textStyle": {"color": "var(--sp-muted)"},
        "inRange": {"color": ["var(--sp-series-6)", "var(--sp-series-1)", "var(--sp-series-5)"]},
        "outOfRange": {"color": "var(--sp-border)"},
    }


def _roc_tip(name: str, value: Sequence[Any]) -> str:
    text = f"{name}\nfalse positives {shown(value[0])}\ntrue positives {shown(value[1])}"
    return f"{text}\nthreshold {shown(value[2])}" if len(value) > 2 else text


def _frame(axes: Axes, categories: Sequence[str], legend: bool) -> Options:
    options = figure.base(legend=legend, trigger="axis")
    of_x = figure.axis(axes.x_kind, axes.x, categories=categories if axes.x_kind == "category" else None)
    of_y = figure.axis(axes.y_kind, axes.y)
    of_x["nameGap"] = 26
    if axes.x_kind != "category":
        of_x["scale"] = not axes.from_zero
        of_x["splitLine"]["show"] = False
    of_y["scale"] = not axes.from_zero
    if axes.y_most is not None:
        of_y["max"] = axes.y_most
    if axes.from_zero:
        of_y["min"] = 0
    options["grid"] = figure.grid(top=38 if legend else 14)
    options["xAxis"], options["yAxis"] = of_x, of_y
    return options


def _point(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [figure.finite(part) for part in value]
    return figure.finite(value)


def _table(axes: Axes, series: Sequence[Series], categories: Sequence[str]) -> Table:
    """A row for each category; without them, one for each point."""
    if categories:
        columns = [axes.x or "Name", *(each.name for each in series)]
        rows = [
            [name, *(shown(each.values[index]) if index < len(each.values) else "" for each in series)]
            for index, name in enumerate(categories[:MOST_ROWS])
        ]
        return Table(columns, rows)
    points = [[each.name, shown(x), shown(y)] for each in series for x, y in each.values]
    return Table(["Name", axes.x or "x", axes.y or "y"], points[:MOST_ROWS])


def _bins(values: Sequence[float]) -> tuple[list[float], list[int]]:
    if not values:
        return [], []
    low, high = min(values), max(values)
    if low == high:
        return [low, high], [len(values)]
    count = max(1, min(_MOST_BINS, math.isqrt(len(values))))
    width = (high - low) / count
    counts = [0] * count
    for value in values:
        counts[min(count - 1, int((value - low) / width))] += 1
    return [low + width * index for index in range(count)] + [high], counts
