"""Where in the space the good values lie: parallel coordinates, slices, contours. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.tuning.api.suggesting import Parameter
from sampan.components.tuning.ui.plots import axes
from sampan.components.tuning.ui.plots.axes import Axis
from sampan.components.tuning.ui.plots.progress import Drawn
from sampan.components.tuning.ui.trials import Trials
from sampan.ui.charts.cartesian import Axes
from sampan.ui.charts.figure import Figure
from sampan.ui.charts.parallel import Dimension, Line, parallel
from sampan.ui.charts.points import Points, points
from sampan.ui.charts.surface import Direction, Spot, surface

MOST_LINES = 300
MOST_POINTS = 500
_SPOTS = "spots"
_LEAST_SPOTS = 2


def coordinates(parameters: Sequence[Parameter], trials: Trials) -> Figure:
    """A line for each trial, over its parameters to its value; the objective's colour is the value's."""
    of_parameters = axes.of(parameters, trials)
    kept = axes.sampled(trials, MOST_LINES)
    values = [value for each in kept if (value := trials.value(each)) is not None]
    last = Dimension(trials.goal.metric, axes.of_values(values))
    dimensions = [*(Dimension(each.name, each.kind, each.categories) for each in of_parameters), last]
    lines = [
        Line(
            each.name,
            each.name,
            [*(axis.value(each.parameters.get(axis.name)) for axis in of_parameters), trials.value(each)],
        )
        for each in kept
    ]
    return parallel("Parameters and what they came to", dimensions, lines, height=380)


def slices(parameters: Sequence[Parameter], trials: Trials) -> list[tuple[str, Drawn]]:
    """The value over each parameter by itself. The colour is the trial's number: what was tried later."""
    kept = axes.sampled(trials, MOST_POINTS)
    kind = axes.of_values([value for each in kept if (value := trials.value(each)) is not None])
    found = []
    for axis in axes.of(parameters, trials):
        part = [each for each in kept if axis.value(each.parameters.get(axis.name)) is not None]
        values = [(axis.value(each.parameters[axis.name]), trials.value(each), each.number) for each in part]
        groups = [Points("Trials", values, "Trials", [each.name for each in part])]
        made = points(
            f"{trials.goal.metric} by {axis.name}",
            groups,
            Axes(axis.name, trials.goal.metric, x_kind=axis.kind, y_kind=kind, shade="Trial"),
            categories=axis.categories,
            height=260,
        )
        found.append((axis.name, Drawn(made, {"Trials": [each.name for each in part]})))
    return found


def contour(parameters: Sequence[Parameter], trials: Trials, x: str, y: str) -> Drawn | None:
    """The value over two parameters; None where they are not among them, or there is too little to guess from."""
    by_name = {each.name: each for each in axes.of(parameters, trials)}
    if x not in by_name or y not in by_name or x == y:
        return None
    of_x, of_y = by_name[x], by_name[y]
    spots = []
    for each in axes.sampled(trials, MOST_POINTS):
        at_x, at_y = of_x.value(each.parameters.get(x)), of_y.value(each.parameters.get(y))
        value = trials.value(each)
        if at_x is not None and at_y is not None and value is not None:
            spots.append(Spot(each.name, at_x, at_y, value))
    if len(spots) < _LEAST_SPOTS:
        return None
    made = surface(
        f"{trials.goal.metric} over {x} and {y}",
        _direction(of_x, [each.x for each in spots]),
        _direction(of_y, [each.y for each in spots]),
        spots,
        trials.goal.metric,
    )
    return Drawn(made, {_SPOTS: [each.name for each in spots]})


def pairs(parameters: Sequence[Parameter], trials: Trials) -> list[str]:
    """The parameters that a contour can be drawn over."""
    return [
        each.name
        for each in axes.of(parameters, trials)
        if each.kind != "category" or len(each.categories) > 1
    ]


def _direction(axis: Axis, values: Sequence[float | str]) -> Direction:
    if axis.kind == "category":
        return Direction(axis.name, "category", axis.categories)
    numbers = [float(each) for each in values]
    low, high = min(numbers), max(numbers)
    if low == high:
        low, high = (low / 2, low * 2) if axis.kind == "log" else (low - 0.5, high + 0.5)
    elif axis.kind == "log":
        margin = (high / low) ** 0.04
        low, high = low / margin, high * margin
    else:
        margin = (high - low) * 0.04
        low, high = low - margin, high + margin
    return Direction(axis.name, axis.kind, (), low, high)
