"""What the gateway has counted, and what pods have held, as charts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sampan.components.serving.ui.endpoint_page.parts import Sample
from sampan.lib.clock import rfc3339
from sampan.ui.charts.cartesian import Axes, line
from sampan.ui.charts.figure import Figure, Series

LATENCY, RATE, CODES = "Latency", "Requests a second", "Answers by status"
REPLICAS, MEMORY, CPU = "Replicas", "Memory held", "CPU used"
OF_REQUESTS = (LATENCY, RATE, CODES)
TITLES = (LATENCY, RATE, CODES, REPLICAS, MEMORY, CPU)
_UNITS = {LATENCY: "ms", RATE: "a second", CODES: "answers", REPLICAS: "", MEMORY: "MiB", CPU: "cores"}
_QUANTILES = ("p50", "p95", "p99")
_MIB = 1024.0**2
_SECONDS = 600


def empty(title: str, now: datetime) -> Figure:
    return _figure(title, [Series(title, [])], now)


def of_history(history: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Figure]:
    """Latencies stand where there were any; a time without requests leaves a gap."""
    if not history:
        return {}
    times = [_at(each, now) for each in history]
    latencies = [
        Series(
            name,
            [
                (
                    at,
                    float((each.get("latencySeconds") or {}).get(name) or 0) * 1000
                    if each.get("requests")
                    else None,
                )
                for at, each in zip(times, history, strict=True)
            ],
            id=name,
        )
        for name in _QUANTILES
    ]
    rates = [(at, float(each.get("requestsPerSecond") or 0)) for at, each in zip(times, history, strict=True)]
    codes = sorted({code for each in history for code in each.get("codes") or {}})
    answers = [
        Series(
            code,
            [
                (at, int((each.get("codes") or {}).get(code) or 0))
                for at, each in zip(times, history, strict=True)
            ],
            id=code,
        )
        for code in codes
    ]
    return {
        LATENCY: _figure(LATENCY, latencies, now),
        RATE: _figure(RATE, [Series(RATE, rates, id="rate")], now),
        CODES: _figure(CODES, answers or [Series(CODES, [])], now),
    }


def of_samples(samples: Iterable[Sample], now: datetime) -> dict[str, Figure]:
    found = list(samples)
    values: dict[str, list[Any]] = {
        REPLICAS: [(each.at, each.pods) for each in found],
        MEMORY: [(each.at, each.memory / _MIB) for each in found],
        CPU: [(each.at, each.cores) for each in found],
    }
    return {title: _figure(title, [Series(title, points, id=title)], now) for title, points in values.items()}


def _figure(title: str, series: Sequence[Series], now: datetime) -> Figure:
    """All over the same ten minutes, so that what happened together stands together."""
    axes = Axes("", _UNITS[title], x_kind="time", from_zero=True)
    found = line(title, series, axes, height=220)
    first = now - timedelta(seconds=_SECONDS)
    x = {**found.options["xAxis"], "min": rfc3339(first), "max": rfc3339(now)}
    return replace(found, options={**found.options, "xAxis": x})


def _at(each: Mapping[str, Any], now: datetime) -> str:
    at = now - timedelta(seconds=float(each.get("secondsAgo") or 0))
    return rfc3339(at.replace(microsecond=0))
