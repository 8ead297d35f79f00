"""The charts of a comparison. Pure: figures of runs, with each run's own colour and symbol wherever it is shown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.ui import classification
from sampan.components.pipelines.ui.compare import model
from sampan.components.pipelines.ui.compare.model import ComparedRun
from sampan.ui.charts import cartesian, heat_map, parallel
from sampan.ui.charts.cartesian import Axes
from sampan.ui.charts.figure import Figure, Series
from sampan.ui.charts.parallel import Line

_FIRST_PARAMETERS = 6
_FIRST_METRICS = 5
_MOST_BARS = 12
_LONG = 60


@dataclass(frozen=True, slots=True)
class Quantity:
    """A parameter or a metric, as something to draw along an axis."""

    key: str
    """`p:lr`, `m:accuracy`: what addresses say."""
    label: str
    is_number: bool


def quantities(runs: Sequence[ComparedRun]) -> list[Quantity]:
    """Parameters that differ, then metrics, then the duration."""
    found = [Quantity(f"p:{name}", name, False) for name in model.differing_parameters(runs)]
    found += [Quantity(f"m:{name}", name, True) for name in model.names(runs, "metrics")]
    found.append(Quantity("duration", "duration (s)", True))
    return [
        Quantity(each.key, each.label, all(is_number(value(run, each.key)) for run in runs)) for each in found
    ]


def first_axes(found: Sequence[Quantity]) -> list[str]:
    """What parallel coordinates begin with."""
    parameters = [each.key for each in found if each.key.startswith("p:")]
    metrics = [each.key for each in found if each.key.startswith("m:")]
    return [*parameters[:_FIRST_PARAMETERS], *(metrics[:_FIRST_METRICS] or ["duration"])]


def value(run: ComparedRun, key: str) -> Any:
    """Numbers and texts as they are; of other values, how they are written; None for none."""
    if key == "duration":
        return run.seconds
    if key.startswith("m:"):
        return run.metrics.get(key[2:])
    found = run.parameters.get(key[2:])
    if isinstance(found, dict | list):
        found = json.dumps(found, ensure_ascii=False)
    return found[:_LONG] if isinstance(found, str) else found


def coordinates(runs: Sequence[ComparedRun], chosen: Sequence[Quantity]) -> Figure:
    columns = [[value(run, each.key) for run in runs] for each in chosen]
    dimensions = [
        parallel.dimension(each.label, column) for each, column in zip(chosen, columns, strict=True)
    ]
    lines = [
        Line(run.id, run.name, [column[index] for column in columns], run.look)
        for index, run in enumerate(runs)
    ]
    return parallel.parallel("Parameters and metrics of each run", dimensions, lines)


def points(runs: Sequence[ComparedRun], x: Quantity, y: Quantity, shade: Quantity | None) -> Figure:
    """A point for each run that has both. `shade` colours by a number; without it each run has its own colour."""
    label = f"{y.label} against {x.label}"
    series = []
    for run in runs:
        pair = value(run, x.key), value(run, y.key)
        if is_number(pair[0]) and is_number(pair[1]):
            series.append(Series(run.name, [pair], run.id, run.look))
    shades = {run.id: value(run, shade.key) for run in runs} if shade is not None else {}
    return cartesian.scatter(
        label,
        series,
        Axes(x.label, y.label, x_kind="value"),
        shades={key: each for key, each in shades.items() if is_number(each)},
        shade_name=shade.label if shade is not None else "",
    )


def metric_bars(runs: Sequence[ComparedRun]) -> list[Figure]:
    """A chart for each metric: they have no scale in common."""
    found = []
    for name in model.names(runs, "metrics")[:_MOST_BARS]:
        having = [run for run in runs if name in run.metrics]
        found.append(
            cartesian.bars(
                name,
                [Series(name, [run.metrics[name] for run in having], looks=[run.look for run in having])],
                [run.name for run in having],
                Axes(from_zero=all(run.metrics[name] >= 0 for run in having)),
                lying=True,
                height=44 + 30 * len(having),
            )
        )
    return found


def step_bars(runs: Sequence[ComparedRun]) -> Figure | None:
    """The steps that took longest in any of the runs."""
    longest = {
        path: max(run.steps[path].seconds for run in runs if path in run.steps)
        for path in model.names(runs, "steps")
    }
    paths = [path for path in sorted(longest, key=lambda path: -longest[path]) if longest[path] > 0]
    paths = paths[:_MOST_BARS]
    if not paths:
        return None
    series = [
        Series(
            run.name,
            [round(run.steps[path].seconds, 3) if path in run.steps else None for path in paths],
            run.id,
            run.look,
        )
        for run in runs
    ]
    height = 80 + len(paths) * max(28, 16 * len(runs))
    axes = Axes(y="Seconds", from_zero=True)
    return cartesian.bars("The steps that took longest", series, paths, axes, lying=True, height=height)


def curves(runs: Sequence[ComparedRun]) -> dict[str, Figure]:
    """By artifact, the ROC curves of the runs that have one, over each other."""
    found = {}
    for key in model.names(runs, "artifacts"):
        series = []
        for run in runs:
            artifact = run.artifacts.get(key)
            drawn = classification.roc_points(artifact.metadata) if artifact is not None else []
            if drawn:
                area = cartesian.area_below(drawn)
                values = [point if not math.isnan(point[2]) else point[:2] for point in drawn]
                series.append(Series(f"{run.name} (AUC {area:.3f})", values, run.id, run.look))
        if series:
            found[key] = cartesian.roc(f"ROC curves of {key}", series, height=380)
    return found


def matrices(runs: Sequence[ComparedRun]) -> dict[str, list[tuple[ComparedRun, Figure]]]:
    """By artifact, the confusion matrix of each run that has one."""
    found: dict[str, list[tuple[ComparedRun, Figure]]] = {}
    for key in model.names(runs, "artifacts"):
        for run in runs:
            artifact = run.artifacts.get(key)
            drawn = classification.confusion(artifact.metadata) if artifact is not None else None
            if drawn is not None:
                label = f"Confusion matrix of {run.name}"
                figure = heat_map.confusion_matrix(label, drawn.classes, drawn.counts)
                found.setdefault(key, []).append((run, figure))
    return found


def is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
