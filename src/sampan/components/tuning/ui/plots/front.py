"""Several objectives against each other, and how much each parameter matters. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.tuning.ui.plots import axes
from sampan.components.tuning.ui.plots.progress import Drawn
from sampan.components.tuning.ui.trials import Trial, Trials
from sampan.ui.charts.cartesian import Axes, bars
from sampan.ui.charts.figure import Figure, Series
from sampan.ui.charts.points import Path, Points, points


def pareto(trials: Trials, front: Sequence[str], x: str, y: str) -> Drawn:
    """`front` are the names of the trials that no other is better than in all objectives."""
    of_front = frozenset(front)
    known = [
        each
        for each in trials.measured
        if each.metrics.get(x) is not None and each.metrics.get(y) is not None
    ]
    best = [each for each in known if each.name in of_front]
    others = [each for each in known if each.name not in of_front]
    groups, places = [], {}
    for label, part, look in (("Others", others, 8), ("Front", best, 1)):
        if part:
            values = [_pair(each, x, y) for each in part]
            groups.append(Points(label, values, label, [each.name for each in part], look))
            places[label] = [each.name for each in part]
    paths = []
    if len(best) > 1 and len(trials.goals) == 2:
        paths.append(Path("Along the front", sorted(_pair(each, x, y) for each in best), 1))
    kinds = [axes.of_values([_pair(each, x, y)[side] for each in known]) for side in (0, 1)]
    made = points(
        f"{y} against {x}", groups, Axes(x, y, x_kind=kinds[0], y_kind=kinds[1]), paths=paths, height=380
    )
    return Drawn(made, places)


def _pair(trial: Trial, x: str, y: str) -> tuple[float, float]:
    return float(trial.metrics[x] or 0.0), float(trial.metrics[y] or 0.0)


def importances(answer: Mapping[str, Any]) -> Figure | None:
    """Of `/tuning/v1/…/importances`; None while they cannot be told."""
    found = answer.get("importances") or ()
    if not found:
        return None
    names = [str(each.get("parameter")) for each in found]
    values = [round(float(each.get("importance") or 0.0), 4) for each in found]
    return bars(
        f"How much each parameter matters for {answer.get('metric')}",
        [Series("Share", values)],
        names,
        Axes("Parameter", "Share", from_zero=True),
        lying=True,
        height=max(140, 60 + 34 * len(names)),
    )
