"""How the search went: each trial's value, the best so far, and how the values are spread. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.summary import TrialState
from sampan.components.tuning.ui.plots import axes
from sampan.components.tuning.ui.trials import Trial, Trials
from sampan.ui.charts.cartesian import Axes, line
from sampan.ui.charts.figure import Figure, Series
from sampan.ui.charts.points import Path, Points, points

_MOST_STEPS = 400
_GROUPS = (
    ("Trials", (TrialState.SUCCEEDED,), 0),
    ("Stopped early", (TrialState.EARLY_STOPPED,), 4),
    ("Running", (TrialState.RUNNING, TrialState.PENDING), 2),
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure, and which trial each of its points is: by the series' id and the place in it."""

    figure: Figure
    places: dict[str, list[str]]


def history(trials: Trials, metric: str = "", height: int = 320) -> Drawn:
    """`metric` is another than the objective, which has no best."""
    name = metric or trials.goal.metric
    known = [each for each in trials.measured if each.metrics.get(name) is not None]
    groups, places = [], {}
    for label, wanted, look in _GROUPS:
        part = [each for each in known if each.state in wanted]
        if not part:
            continue
        values = [(each.number, each.metrics[name]) for each in part]
        groups.append(Points(label, values, label, [each.name for each in part], look))
        places[label] = [each.name for each in part]
    measured = [value for each in known if (value := each.metrics[name]) is not None]
    kind = axes.of_values(measured)
    paths = []
    if name == trials.goal.metric and known:
        paths.append(Path("Best so far", best_so_far(trials, known), 1, step=True))
        goal = trials.goal.goal
        if goal is not None and (kind != "log" or goal > 0):
            last = max(each.number for each in known)
            paths.append(Path("Goal", [(1, goal), (max(2, last), goal)], 3, dashed=True))
    made = points(
        f"{name} of each trial",
        groups,
        Axes("Trial", name, x_kind="value", y_kind=kind),
        paths=paths,
        height=height,
    )
    made.options["xAxis"].update(minInterval=1, min=0)
    return Drawn(made, places)


def best_so_far(trials: Trials, known: Sequence[Trial]) -> list[tuple[int, float]]:
    """Where it got better, and where it ends: number of the trial and value."""
    found: list[tuple[int, float]] = []
    for each in known:
        value = trials.value(each)
        if value is not None and (not found or trials.goal.is_better(value, found[-1][1])):
            found.append((each.number, value))
    if found and known[-1].number > found[-1][0]:
        found.append((known[-1].number, found[-1][1]))
    return found


def distribution(trials: Trials) -> Figure:
    """The share of trials whose value is at most so much: the empirical distribution function."""
    values = sorted(value for each in trials.measured if (value := trials.value(each)) is not None)
    count = len(values)
    step = max(1, count // _MOST_STEPS)
    kept = [*range(0, count, step), *([count - 1] if count and (count - 1) % step else [])]
    pairs = [(values[at], (at + 1) / count) for at in kept]
    name = trials.goal.metric
    kind = axes.of_values(values)
    made = line(
        f"Share of trials by {name}",
        [Series(f"Share of {count:,} trials", pairs)],
        Axes(name, "Share of trials", x_kind=kind, y_most=1, from_zero=False),
        filled=True,
        height=320,
    )
    made.options["yAxis"]["min"] = 0
    made.options["series"][0] |= {"step": "end", "showSymbol": False}
    return made
