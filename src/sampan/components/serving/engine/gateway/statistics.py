"""How requests went in the last minutes, for each backend: for pages, and for Prometheus. Pure.

Of latencies a histogram is kept whose bounds grow by a fixed ratio, so that a quantile is right within that ratio.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_SLOT_SECONDS = 10.0
_SLOTS = 60
"""Ten minutes."""
_LEAST_SECONDS = 0.0001
_RATIO = 1.1
_LOG_RATIO = math.log(_RATIO)
_MOST_BUCKETS = 170
"""The last bound is beyond a thousand seconds."""

Name = tuple[str, str, str, str]
"""Kind, namespace and name of the object, and the backend's Service."""


@dataclass(frozen=True, slots=True)
class Summary:
    seconds: float
    """That it is about."""
    requests: int
    requests_per_second: float
    codes: dict[int, int]
    """By status; 499 for a client that left."""
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    mean_seconds: float


@dataclass(frozen=True, slots=True)
class Moment:
    """Ten seconds of one object, all its backends together."""

    seconds_ago: float
    """When they began."""
    summary: Summary


@dataclass(slots=True)
class _Slot:
    start: float
    codes: Counter[int] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0


class Statistics:
    """For one event loop. `now` as of `Meter`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._slots: dict[Name, deque[_Slot]] = {}
        self.totals: dict[Name, tuple[Counter[int], list[float]]] = {}
        """Since the start: by status, and of seconds the sum and the count."""

    def names(self) -> Iterable[Name]:
        return list(self._slots)

    def note(self, name: Name, status: int, seconds: float) -> None:
        now = self._now()
        slots = self._slots.get(name)
        if slots is None:
            slots = self._slots[name] = deque(maxlen=_SLOTS)
            self.totals.setdefault(name, (Counter(), [0.0, 0.0]))
        if not slots or now - slots[-1].start >= _SLOT_SECONDS:
            slots.append(_Slot(now - now % _SLOT_SECONDS))
        slot = slots[-1]
        slot.codes[status] += 1
        slot.buckets[_bucket(seconds)] += 1
        slot.seconds += seconds
        codes, sums = self.totals[name]
        codes[status] += 1
        sums[0] += seconds
        sums[1] += 1

    def summary(self, name: Name, window_seconds: float = 60.0) -> Summary:
        """Of the last seconds, as whole slots of ten."""
        now = self._now()
        since = now - window_seconds
        found = [slot for slot in self._slots.get(name, ()) if slot.start + _SLOT_SECONDS > since]
        span = max(now - found[0].start, 1.0) if found else window_seconds
        return _summed(found, span)

    def history(self, kind: str, namespace: str, name: str) -> list[Moment]:
        """The oldest first, without gaps: what nobody asked for is said too. Empty for what was never asked."""
        slots: dict[float, list[_Slot]] = {}
        for each, kept in self._slots.items():
            if each[:3] == (kind, namespace, name):
                for slot in kept:
                    slots.setdefault(slot.start, []).append(slot)
        if not slots:
            return []
        now = self._now()
        latest = now - now % _SLOT_SECONDS
        first = max(min(slots), latest - (_SLOTS - 1) * _SLOT_SECONDS)
        starts = [first + step * _SLOT_SECONDS for step in range(round((latest - first) / _SLOT_SECONDS) + 1)]
        return [
            Moment(now - start, _summed(slots.get(start, ()), min(_SLOT_SECONDS, max(now - start, 1.0))))
            for start in starts
        ]

    def forget(self, namespace: str, name: str, kind: str) -> None:
        """The object is gone."""
        for each in [each for each in self.totals if each[:3] == (kind, namespace, name)]:
            self._slots.pop(each, None)
            del self.totals[each]


def _summed(slots: Iterable[_Slot], span: float) -> Summary:
    found = list(slots)
    codes: Counter[int] = Counter()
    buckets: Counter[int] = Counter()
    for slot in found:
        codes.update(slot.codes)
        buckets.update(slot.buckets)
    count = codes.total()
    return Summary(
        span,
        count,
        count / span,
        dict(codes),
        _quantile(buckets, count, 0.5),
        _quantile(buckets, count, 0.95),
        _quantile(buckets, count, 0.99),
        sum(slot.seconds for slot in found) / count if count else 0.0,
    )


def _bucket(seconds: float) -> int:
    if seconds <= _LEAST_SECONDS:
        return 0
    return min(math.ceil(math.log(seconds / _LEAST_SECONDS) / _LOG_RATIO), _MOST_BUCKETS)


def _quantile(buckets: Counter[int], count: int, share: float) -> float:
    rank, seen = share * count, 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            return float(_LEAST_SECONDS * _RATIO**bucket)
    return 0.0
