"""Points on two axes, from a handful to ten thousand: each can be pointed at and picked. Pure.

Some hundreds have words of their own; of more, the browser says what the axes say, and draws them on a canvas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.charts import cartesian, figure
from sampan.ui.charts.cartesian import Axes
from sampan.ui.charts.figure import MOST_ROWS, Figure, Options, Table, shown

DENSE = 400
"""From here on there are no words for each point."""
_SIZE, _DENSE_SIZE = 10, 6


@dataclass(frozen=True, slots=True)
class Points:
    """Of one look. `values` are (x, y), or (x, y, shade): what the colour stands for."""

    name: str
    values: Sequence[Sequence[Any]]
    id: str = ""
    """What `on_pick` gets, with the place of the value."""
    names: Sequence[str] = ()
    """Of each point: said on pointing at it, and in the table."""
    look: int = -1


@dataclass(frozen=True, slots=True)
class Path:
    """A line through points: what is best so far, a front, a goal."""

    name: str
    values: Sequence[Sequence[Any]]
    look: int = 1
    step: bool = False
    """Whether it keeps a value until the next."""
    dashed: bool = False


def points(
    label: str,
    groups: Sequence[Points],
    axes: Axes,
    *,
    paths: Sequence[Path] = (),
    categories: Sequence[str] = (),
    height: int = 320,
) -> Figure:
    """`categories` are the names at the axis of x, where that has such."""
    count = sum(len(each.values) for each in groups)
    is_dense = count > DENSE
    options = _frame(axes, categories, len(groups) + len(paths) > 1)
    if axes.shade:
        options["visualMap"] = _shades(groups)
        options["grid"]["right"] = 84
    options["series"] = [
        *(_group(each, index, axes, is_dense) for index, each in enumerate(groups)),
        *(_path(each) for each in paths),
    ]
    return Figure(options, _table(groups, axes), label, height, is_dense)


def _frame(axes: Axes, categories: Sequence[str], legend: bool) -> Options:
    options = figure.base(legend=legend, trigger="item")
    for side, kind, name in (("x", axes.x_kind, axes.x), ("y", axes.y_kind, axes.y)):
        is_named = side == "x" and kind == "category"
        made = figure.axis(kind, name, categories=categories if is_named else None)
        made["nameGap"] = 26
        if not is_named:
            made["scale"] = True
        options[f"{side}Axis"] = made
    options["xAxis"].setdefault("splitLine", {})["show"] = False
    options["grid"] = figure.grid(top=38 if legend else 14)
    return options


def _group(each: Points, index: int, axes: Axes, is_dense: bool) -> Options:
    look = each.look if each.look >= 0 else index
    made: Options = {
        "id": each.id or each.name,
        "name": each.name,
        "type": "scatter",
        "symbol": figure.symbol(look),
        "symbolSize": _DENSE_SIZE if is_dense else _SIZE,
        "color": figure.colour(look),
        "itemStyle": {"opacity": 0.75},
        "animation": not is_dense,
        "data": [_datum(each, place, axes, is_dense) for place in range(len(each.values))],
    }
    if is_dense:
        # In one stroke; a shade of its own for each takes a stroke for each.
        made["large"] = not axes.shade
        made["dimensions"] = [axes.x or "x", axes.y or "y", *([axes.shade] if axes.shade else [])]
    return made


def _datum(each: Points, place: int, axes: Axes, is_dense: bool) -> Any:
    value = [figure.finite(part) for part in each.values[place]]
    if is_dense:
        return value
    name = each.names[place] if each.names else each.name
    told = [name, f"{axes.x}: {shown(value[0])}", f"{axes.y}: {shown(value[1])}"]
    if axes.shade:
        told.append(f"{axes.shade}: {shown(value[2])}")
    return {"value": value, "tip": "\n".join(dict.fromkeys(told))}


def _path(each: Path) -> Options:
    made: Options = {
        "id": f"path {each.name}",
        "name": each.name,
        "type": "line",
        "symbol": "none",
        "silent": True,
        "color": figure.colour(each.look),
        "lineStyle": {"width": 2, "type": "dashed" if each.dashed else "solid"},
        "data": [[figure.finite(part) for part in value] for value in each.values],
    }
    if each.step:
        made["step"] = "end"
    return made


def _shades(groups: Sequence[Points]) -> Options:
    values = [value[2] for each in groups for value in each.values if value[2] is not None]
    made = cartesian.shade_scale(values or [0, 1])
    made["seriesIndex"] = list(range(len(groups)))
    return made


def _table(groups: Sequence[Points], axes: Axes) -> Table:
    columns = ["Name", axes.x, axes.y, *([axes.shade] if axes.shade else [])]
    rows: list[list[str]] = []
    for each in groups:
        for place, value in enumerate(each.values[: MOST_ROWS - len(rows)]):
            rows.append([each.names[place] if each.names else each.name, *map(shown, value)])
    return Table(columns, rows)
