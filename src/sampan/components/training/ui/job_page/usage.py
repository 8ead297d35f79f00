"""What each rank uses, over the time that somebody looks: samples of the metrics API as curves. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.kube import meta
from sampan.ui.charts.cartesian import Axes, line
from sampan.ui.charts.figure import Figure, Series
from sampan.ui.objects import amounts

_MOST_SAMPLES = 360
_MOST_CURVES = 10
_MIB, _GIB = 1024.0**2, 1024.0**3


class Samples:
    """Of cores and of bytes, by rank."""

    def __init__(self) -> None:
        self._by_rank: dict[str, deque[tuple[str, tuple[float, float]]]] = {}

    def add(self, labels: Mapping[str, str], found: Any, now: str) -> None:
        """An answer of the metrics API. `labels` are those of ranks, by pod; others are no rank's."""
        for item in found.get("items") or ():
            label = labels.get(meta.name(item))
            if label is None:
                continue
            cpu, memory = used(item)
            kept = self._by_rank.setdefault(label, deque(maxlen=_MOST_SAMPLES))
            kept.append((now, (cpu, memory)))

    @property
    def is_empty(self) -> bool:
        return not self._by_rank

    def cores(self) -> Figure:
        return self._figure("CPU of each rank", 0, "cores")

    def memory(self) -> Figure:
        """In the unit that suits the most that there was."""
        most = max((used[1] for kept in self._by_rank.values() for _, used in kept), default=0.0)
        unit, divisor = ("GiB", _GIB) if most >= _GIB else ("MiB", _MIB)
        return self._figure("Memory of each rank", 1, unit, divisor)

    def now(self) -> list[tuple[str, float, float]]:
        """Of each rank the last: its label, cores, bytes."""
        return [(label, *kept[-1][1]) for label, kept in self._by_rank.items()]

    def _figure(self, label: str, part: int, unit: str, divisor: float = 1.0) -> Figure:
        ranks: Sequence[str] = list(self._by_rank)[:_MOST_CURVES]
        series = [
            Series(name, [(at, used[part] / divisor) for at, used in self._by_rank[name]], id=name)
            for name in ranks
        ]
        return line(label, series, Axes("", unit, x_kind="time", from_zero=True))


def used(item: Mapping[str, Any]) -> tuple[float, float]:
    """Cores and bytes of a pod."""
    cpu = memory = 0.0
    for container in item.get("containers") or ():
        usage = container.get("usage") or {}
        cpu += float(amounts.parsed(usage.get("cpu")))
        memory += float(amounts.parsed(usage.get("memory")))
    return cpu, memory
