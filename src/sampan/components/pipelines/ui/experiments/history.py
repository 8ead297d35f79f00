"""How metrics went over an experiment's runs. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from sampan.components.pipelines.ui.compare import figures, model
from sampan.components.pipelines.ui.compare.model import ComparedRun
from sampan.ui.charts import cartesian
from sampan.ui.charts.cartesian import Axes
from sampan.ui.charts.figure import Figure, Series, Table, shown

VALUES = "values"
"""The id of the series whose points are runs."""

Lower = Callable[[str], bool]


def metrics(runs: Sequence[ComparedRun]) -> list[str]:
    return model.names(runs, "metrics")


def having(runs: Sequence[ComparedRun], metric: str) -> list[ComparedRun]:
    """The runs that have it as a number, in the order they were started."""
    known = [run for run in runs if math.isfinite(run.metrics.get(metric, math.nan))]
    return sorted(known, key=lambda run: run.created_at)


def best(runs: Sequence[ComparedRun], metric: str, *, lower: bool) -> ComparedRun | None:
    """The first one, where several are as good."""
    known = having(runs, metric)
    if not known:
        return None
    wanted = (min if lower else max)(run.metrics[metric] for run in known)
    return next(run for run in known if run.metrics[metric] == wanted)


def figure(runs: Sequence[ComparedRun], metric: str, *, lower: bool) -> Figure:
    """A point for each run, and the best so far."""
    known = having(runs, metric)
    values = [(run.created_at, run.metrics[metric]) for run in known]
    tips = [f"{run.name}\n{metric}: {shown(run.metrics[metric])}" for run in known]
    so_far: list[tuple[str, float]] = []
    for at, value in values:
        last = so_far[-1][1] if so_far else value
        so_far.append((at, min(last, value) if lower else max(last, value)))
    series = [
        Series(metric, values, VALUES, 0, tips=tips),
        Series(
            "best so far", so_far, "best", 2, tips=[f"best so far: {shown(value)}" for _, value in so_far]
        ),
    ]
    axes = Axes(x="Started", y=metric, x_kind="time")
    drawn = cartesian.line(f"{metric} of each run", series, axes, height=300)
    drawn.options["series"][1] |= {"step": "end", "symbol": "none"}
    lines = [[run.name, run.created_at, shown(run.metrics[metric])] for run in known]
    return replace(drawn, table=Table(["Run", "Started", metric], lines))


def coordinates(runs: Sequence[ComparedRun]) -> Figure | None:
    """Parameters that differ and metrics of all runs; nothing where there is too little to draw."""
    found = figures.quantities(runs)
    chosen = set(figures.first_axes(found))
    axes = [each for each in found if each.key in chosen]
    return figures.coordinates(runs, axes) if len(runs) > 1 and len(axes) > 1 else None
