"""What trials have measured, as curves with no more points than somebody can see. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.rest.columns import number, seconds

MOST_POINTS = 10_000


def curves_of(lines: Iterable[MetricLog], points: int) -> dict[str, Any]:
    """By metric, in the order of the lines; without values that are no numbers."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        value, time = number(line.value), seconds(line.time)
        if value is not None and time is not None:
            found.setdefault(line.name, []).append((time, value))
    return {
        name: {
            "time": [time for time, _ in kept],
            "value": [value for _, value in kept],
            "of": len(values),
        }
        for name, values in found.items()
        for kept in (thinned(values, points),)
    }


def thinned(values: Sequence[tuple[float, float]], points: int) -> Sequence[tuple[float, float]]:
    """At most so many: the first, the last, and of each stretch between its lowest and highest, in their order."""
    if len(values) <= points:
        return values
    if points < 4:
        return [values[0], values[-1]][:points]
    inner = values[1:-1]
    stretches = (points - 2) // 2
    kept = [values[0]]
    for at in range(stretches):
        stretch = range(at * len(inner) // stretches, (at + 1) * len(inner) // stretches)
        if not stretch:
            continue
        low = min(stretch, key=lambda i: inner[i][1])
        high = max(stretch, key=lambda i: inner[i][1])
        kept += [inner[i] for i in sorted({low, high})]
    kept.append(values[-1])
    return kept
