"""Series of metrics, by name and rank, each of bounded length however long a job runs. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sampan.components.training.engine.metrics.lines import measured, step_of

MOST_POINTS = 1000
MOST_SERIES = 500


@dataclass(frozen=True, slots=True)
class Point:
    step: float | None
    value: float
    time: str
    """RFC 3339; empty where nobody knows."""

    def to_json(self) -> dict[str, Any]:
        step = int(self.step) if self.step is not None and self.step == int(self.step) else self.step
        value: Any = self.value if math.isfinite(self.value) else str(self.value)
        return {"step": step, "value": value, "time": self.time}


@dataclass(slots=True)
class Series:
    """Every `stride`-th point, and the last. The stride doubles when there are too many."""

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    _kept: list[Point] = field(default_factory=list)
    _stride: int = 1
    _last: Point | None = None

    def add(self, point: Point) -> None:
        if math.isfinite(point.value):
            self.low, self.high = min(self.low, point.value), max(self.high, point.value)
        if self.count % self._stride == 0:
            self._kept.append(point)
            if len(self._kept) >= 2 * MOST_POINTS:
                del self._kept[1::2]
                self._stride *= 2
        self._last = point
        self.count += 1

    def points(self, most: int = MOST_POINTS) -> list[Point]:
        """At most so many, the last one always."""
        every = max(1, -(-len(self._kept) // max(most - 1, 1)))
        found = self._kept[::every]
        if self._last is not None and (not found or found[-1] is not self._last):
            found.append(self._last)
        return found[-most:]


class Metrics:
    """All series of a job."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str], Series] = {}
        self._steps: dict[str, float] = {}
        self.is_cut = False
        """There were more series than are kept."""

    def take_line(self, rank: str, time: str, text: str) -> None:
        """What a rank has printed. A line with an epoch alone says what the next ones are about."""
        found = measured(text)
        if not found:
            if "poch" in text and (step := step_of(text)) is not None:
                self._steps[rank] = step
            return
        for each in found:
            step = each.step if each.step is not None else self._steps.get(rank)
            self.add(("log", each.name, rank), Point(step, each.value, time))

    def add(self, key: tuple[str, str, str], point: Point) -> None:
        """`key` is source, name and rank."""
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MOST_SERIES:
                self.is_cut = True
                return
            series = self._series[key] = Series()
        series.add(point)

    def to_json(self, names: Iterable[str] = (), most: int = MOST_POINTS) -> Iterator[dict[str, Any]]:
        wanted = set(names)
        for (source, name, rank), series in sorted(self._series.items()):
            if wanted and name not in wanted:
                continue
            points = series.points(most)
            yield {
                "name": name,
                "rank": rank,
                "source": source,
                "count": series.count,
                "min": series.low if math.isfinite(series.low) else None,
                "max": series.high if math.isfinite(series.high) else None,
                "points": [point.to_json() for point in points],
            }
