"""How many requests there are at a time, and how many come, for each target: implements `api.demand.Demand`. Pure.

Of each target two sums are kept, of requests times seconds and of requests, and what they were at moments of the past.
An average over a window is a difference of two of these, divided by the window: one addition for each request, whatever
windows are asked for. Between two moments that are kept the load is taken as even.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence

from sampan.components.serving.api.demand import Load
from sampan.components.serving.api.routing import Target

_SPACING_SECONDS = 0.25
_KEPT_SECONDS = 3600.0 + 60.0
"""The longest window that Knative allows, and a little."""
_MOST_KEPT = 4096


class Meter:
    """For one event loop. `now` gives seconds of a clock that only goes forward."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._counts: dict[Target, _Count] = {}
        self._listeners: list[Callable[[Target], None]] = []
        self._waiting: dict[Target, int] = {}

    # Demand.

    def load(self, target: Target, window_seconds: float) -> Load:
        count = self._counts.get(target)
        waiting = self._waiting.get(target, 0)
        if count is None:
            return Load(0.0, 0.0, waiting, math.inf)
        now = self._now()
        concurrency, rate = count.averages(now, window_seconds)
        return Load(concurrency, rate, waiting, 0.0 if count.current else now - count.latest)

    def waiting(self) -> Sequence[Target]:
        return list(self._waiting)

    def on_wait(self, callback: Callable[[Target], None]) -> None:
        self._listeners.append(callback)

    # The gateway.

    def came(self, target: Target) -> None:
        now = self._now()
        count = self._counts.get(target)
        if count is None:
            count = self._counts[target] = _Count(now)
        count.is_of_the_past = False
        count.add(now, 1)

    def went(self, target: Target) -> None:
        """One that came has its answer."""
        count = self._counts.get(target)
        if count is not None:
            count.add(self._now(), -1)
            if count.is_of_the_past and not count.current:
                del self._counts[target]

    def begins_to_wait(self, target: Target) -> None:
        self._waiting[target] = self._waiting.get(target, 0) + 1
        for callback in self._listeners:
            callback(target)

    def waits_no_longer(self, target: Target) -> None:
        left = self._waiting.get(target, 0) - 1
        if left > 0:
            self._waiting[target] = left
        else:
            self._waiting.pop(target, None)

    def forget(self, target: Target) -> None:
        """It is gone, when the last of its requests is."""
        count = self._counts.get(target)
        if count is not None and not count.current:
            del self._counts[target]
        elif count is not None:
            count.is_of_the_past = True


class _Count:
    __slots__ = ("_at", "_kept", "_sum", "_total", "current", "is_of_the_past", "latest")

    def __init__(self, now: float) -> None:
        self.current = 0
        self.is_of_the_past = False
        self.latest = now
        """When the last one came or had its answer."""
        self._at = now
        self._sum = 0.0
        self._total = 0
        self._kept: deque[tuple[float, float, int]] = deque(((now, 0.0, 0),), maxlen=_MOST_KEPT)

    def add(self, now: float, change: int) -> None:
        if now - self._at > _SPACING_SECONDS and self._at > self._kept[-1][0]:
            self._keep(self._at)
        self._sum += self.current * (now - self._at)
        self._at = now
        if now - self._kept[-1][0] > _SPACING_SECONDS:
            self._keep(now)
        self.current += change
        if change > 0:
            self._total += 1
        self.latest = now

    def averages(self, now: float, window: float) -> tuple[float, float]:
        total = self._sum + self.current * (now - self._at)
        before = self._values_at(now - window)
        return max(total - before[0], 0.0) / window, max(self._total - before[1], 0.0) / window

    def _keep(self, at: float) -> None:
        self._kept.append((at, self._sum, self._total))
        while len(self._kept) > 2 and self._kept[1][0] < at - _KEPT_SECONDS:
            self._kept.popleft()

    def _values_at(self, moment: float) -> tuple[float, float]:
        kept = self._kept
        if moment <= kept[0][0]:
            return kept[0][1], kept[0][2]
        index = bisect_right(kept, moment, key=lambda each: each[0])
        start = kept[index - 1]
        end = kept[index] if index < len(kept) else (self._at, self._sum, self._total)
        if end[0] <= start[0] or moment >= end[0]:
            # Since the last event nothing came, and what runs has run all the time.
            return end[1] + self.current * max(moment - end[0], 0.0), end[2]
        share = (moment - start[0]) / (end[0] - start[0])
        return start[1] + share * (end[1] - start[1]), start[2] + share * (end[2] - start[2])
