"""Capacity as it is drawn: a bar for each kind of room, with the last hour beside it. Pure, but for the element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui.element import Element

from sampan.dashboard.capacity import Sample
from sampan.ui.times import TIMES

_LABELS = {"cpu": "CPU", "memory": "Memory", "disk": "Disk", "gpu": "GPUs"}
_POINTS = 60
_FULL, _NEARLY = 0.95, 0.85


class Meters(Element, component="static/meters.js", esm=TIMES):
    def __init__(self) -> None:
        super().__init__()
        self._props["items"] = []

    def show(self, items: Sequence[dict[str, Any]]) -> None:
        if items != self._props["items"]:
            dict.__setitem__(self._props, "items", list(items))
            self.run_method("show", list(items))


def meters(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """One for each kind of room of which there is any."""
    if not samples:
        return []
    latest = samples[-1]
    return [_meter(name, samples) for name in _LABELS if latest.total.get(name)]


def _meter(name: str, samples: Sequence[Sample]) -> dict[str, Any]:
    latest = samples[-1]
    total = latest.total[name]
    used, requested = latest.used.get(name), latest.requested.get(name)
    # Nobody measures how much of a GPU is used: whoever has one has all of it.
    shown = requested if used is None else used
    # Two looks at the clock and one at the counters: a busy machine measures a little more than all of it.
    shown = min(shown or 0.0, total) if used is not None else shown
    part = (shown or 0.0) / total
    words = [
        f"{amount(name, shown or 0.0)} of {amount(name, total)} {'in use' if used is not None else 'requested'}"
    ]
    if used is not None and requested is not None:
        words.append(f"{amount(name, requested)} requested by pods")
    return {
        "key": name,
        "label": _LABELS[name],
        "part": round(part, 4),
        "requested": round((requested or 0.0) / total, 4) if used is not None else None,
        "percent": f"{part * 100:.0f} %",
        "words": words,
        "tone": "bad" if part >= _FULL else "warn" if part >= _NEARLY else "ok",
        "history": thinned([_part(name, sample) for sample in samples]),
        "since": samples[0].at,
    }


def _part(name: str, sample: Sample) -> float | None:
    value, total = sample.used.get(name, sample.requested.get(name)), sample.total.get(name)
    return round(min(value / total, 1.0), 4) if value is not None and total else None


def thinned(values: Sequence[float | None]) -> list[float | None]:
    """`_POINTS` at most, each the highest of those that it stands for; the newest are never left out."""
    step = -(-len(values) // _POINTS) or 1
    first = len(values) % step
    groups = [values[:first], *(values[at : at + step] for at in range(first, len(values), step))]
    return [max((each for each in group if each is not None), default=None) for group in groups if group]


def amount(name: str, value: float) -> str:
    """In the unit that people say it in."""
    if name == "cpu":
        return f"{value:.1f} cores" if value != 1 else "1 core"
    if name == "gpu":
        return f"{value:g}"
    for unit, size in (("TiB", 2**40), ("GiB", 2**30)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value / 2**20:.0f} MiB"
