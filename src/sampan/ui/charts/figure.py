"""What a chart shows as plain data: ECharts' options, and the same as a table. Pure; made by this package."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Options = dict[str, Any]
Number = float | int | None

MOST_ROWS = 500
"""Of the table that says the same as the chart."""

SERIES = tuple(f"var(--sp-series-{number})" for number in range(1, 11))
SYMBOLS = (
    "circle",
    "rect",
    "triangle",
    "diamond",
    "emptyCircle",
    "emptyRect",
    "emptyTriangle",
    "emptyDiamond",
)
_DASHES = ("solid", "dashed", "dotted")


@dataclass(frozen=True, slots=True)
class Table:
    """For whoever does not see the chart, or wants its numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    options: Mapping[str, Any]
    """ECharts'. A text `var(--…)` is the token's value. A datum's `tip` is the text of its tooltip."""
    table: Table
    label: str
    """What the chart is, in a few words; read aloud."""
    height: int = 280
    """In pixels."""
    dense: bool = False
    """Whether there is so much of it that it is drawn on a canvas."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values under one name. `values` are as long as the categories, or pairs of x and y."""

    name: str
    values: Sequence[Any]
    id: str = ""
    """Tells it from others of its name; what `on_pick` gets."""
    look: int = -1
    """Which colour, symbol and dashes it has; by its place where it is not said."""
    looks: Sequence[int] = ()
    """Of its bars one by one."""
    tips: Sequence[str] = ()
    """Of a line's points: what is said on pointing at one, in place of its numbers."""


def look_of(series: Series, index: int) -> int:
    return series.look if series.look >= 0 else index


def colour(look: int) -> str:
    return SERIES[look % len(SERIES)]


def symbol(look: int) -> str:
    return SYMBOLS[look % len(SYMBOLS)]


def dashes(look: int) -> str:
    """Those of the first ten differ from their neighbours' in this too."""
    return _DASHES[look % len(_DASHES)]


def finite(value: Any) -> Any:
    """JSON has no word for what is no number; a chart leaves a gap."""
    if isinstance(value, bool):
        return int(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shown(value: Any) -> str:
    """A value for people: six significant digits, no tail of zeros."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"inf": "∞", "-inf": "-∞"}.get(str(value), "not a number")
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
    return str(value)


def base(*, legend: bool, trigger: str, hints: bool = True) -> Options:
    """What all charts have. The element makes tooltips texts, whatever is said here."""
    options: Options = {
        "animationDuration": 200,
        "animationDurationUpdate": 200,
        "color": list(SERIES),
        "textStyle": {"fontFamily": "var(--sp-font)", "color": "var(--sp-text)"},
    }
    if hints:
        options["tooltip"] = {
            "trigger": trigger,
            "confine": True,
            "backgroundColor": "var(--sp-raised)",
            "borderColor": "var(--sp-border)",
            "textStyle": {"color": "var(--sp-text)", "fontSize": 12.5},
        }
    if legend:
        options["legend"] = {
            "type": "scroll",
            "top": 0,
            "left": 0,
            "right": 8,
            "itemWidth": 22,
            "textStyle": {"color": "var(--sp-text)", "width": 220, "overflow": "truncate"},
            "inactiveColor": "var(--sp-muted)",
            "pageTextStyle": {"color": "var(--sp-muted)"},
            "pageIconColor": "var(--sp-accent)",
            "pageIconInactiveColor": "var(--sp-border)",
        }
    return options


def grid(*, top: int) -> Options:
    """Where the axes stand: their labels and names are within it."""
    bounds = {"outerBoundsMode": "same", "outerBoundsContain": "all"}
    return {"left": 6, "right": 20, "top": top, "bottom": 6, **bounds}


def axis(kind: str, name: str = "", *, categories: Sequence[str] | None = None) -> Options:
    """`kind` is ECharts': category, value, time, log."""
    made: Options = {
        "type": kind,
        "name": name,
        "nameLocation": "middle",
        "nameTextStyle": {"color": "var(--sp-muted)"},
        "axisLabel": {"color": "var(--sp-muted)", "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": "var(--sp-strong-border)"}},
        "axisTick": {"lineStyle": {"color": "var(--sp-strong-border)"}},
        "splitLine": {"lineStyle": {"color": "var(--sp-border)"}},
    }
    if categories is not None:
        made["data"] = list(categories)
        made["axisLabel"] |= {"width": 140, "overflow": "truncate"}
    return made
