"""Heat maps, confusion matrices among them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.ui.charts import figure
from sampan.ui.charts.figure import MOST_ROWS, Figure, Number, Table, shown

_MOST_WRITTEN = 14
"""Columns up to which each cell has its number written in it."""
_DARK_FROM = 0.55
"""Of the largest value: from here on a cell's number has the colour for dark ground."""


def confusion_matrix(label: str, classes: Sequence[str], counts: Sequence[Sequence[Number]]) -> Figure:
    """Rows are the true classes, columns the predicted ones."""
    return heat_map(label, classes, classes, counts, names=("True", "Predicted"))


def heat_map(
    label: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[Number]],
    *,
    names: tuple[str, str] = ("", ""),
) -> Figure:
    """The first row is at the top. `names` are those of the rows' and of the columns' axis."""
    options = figure.base(legend=False, trigger="item")
    known = [value for row in values for value in row if value is not None]
    low, high = min([0, *known]), max(known, default=1)
    is_written = len(columns) <= _MOST_WRITTEN
    of_x = figure.axis("category", names[1], categories=columns)
    of_y = figure.axis("category", names[0], categories=rows)
    of_x |= {"nameGap": 28, "splitLine": {"show": False}}
    of_y |= {"inverse": True, "splitLine": {"show": False}}
    of_x["axisLabel"] |= {"width": 90, "interval": 0 if is_written else "auto"}
    options["grid"] = figure.grid(top=14)
    options["xAxis"], options["yAxis"] = of_x, of_y
    options["visualMap"] = {
        "show": False,
        "min": low,
        "max": high if high > low else low + 1,
        "inRange": {"color": ["var(--sp-heat-low)", "var(--sp-heat-high)"]},
    }
    options["series"] = [
        {
            "id": "cells",
            "type": "heatmap",
            "label": {"show": is_written},
            "itemStyle": {"borderColor": "var(--sp-surface)", "borderWidth": 1},
            "data": [
                {
                    "value": [column, row, figure.finite(value)],
                    "tip": f"{names[0]} {rows[row]}\n{names[1]} {columns[column]}\n{shown(value)}".replace(
                        "\n ", "\n"
                    ).strip(),
                    "label": {
                        "formatter": shown(value),
                        "color": "var(--sp-heat-on-high)"
                        if (value or 0) - low >= _DARK_FROM * (high - low)
                        else "var(--sp-text)",
                    },
                }
                for row, of_row in enumerate(values)
                for column, value in enumerate(of_row)
            ],
        }
    ]
    corner = " / ".join(name for name in names if name) or "Name"
    table = Table(
        [corner, *columns],
        [[name, *map(shown, values[index])] for index, name in enumerate(rows[:MOST_ROWS])],
    )
    return Figure(options, table, label, height=max(220, min(640, 90 + 34 * len(rows))))
