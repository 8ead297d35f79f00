"""How long values are waited for once a run has succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.controller.collecting.collector import Collector
from sampan.components.tuning.controller.trials.measuring import Measuring, NotYetError


class Ticking:
    """A clock that goes on with each look at it."""

    def __init__(self, seconds: float) -> None:
        self._times = count(0.0, seconds)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return next(self._times)


class Nothing:
    """Observations of a trial that reports nothing."""

    def __init__(self) -> None:
        self.reported: list[str] = []

    async def of(self, _namespace: str, _trial: str) -> list[MetricLog]:
        return []

    async def report(self, _namespace: str, _trial: str, logs: Iterable[MetricLog]) -> None:
        self.reported += [each.value for each in logs]


def measured(kind: str, seconds: float) -> tuple[str, list[str]]:
    """What is wrong, and what was written."""
    trial = {
        "metadata": {"name": "one", "namespace": "team", "uid": "1"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "metricsCollector": {"collector": {"kind": kind}},
        },
    }
    observations: Any = Nothing()
    around = SimpleNamespace(client=None, clock=Ticking(seconds), observations=observations)
    nowhere: Any = SimpleNamespace(of=lambda _request: [])

    async def main() -> str:
        collector = Collector(observations, cast("Any", None), lambda _: None)
        measuring = Measuring(cast("Any", around), collector, nowhere)
        return (await measuring.measure(trial)).problem

    return asyncio.run(main()), observations.reported


def test_what_is_pushed_is_there_when_the_run_has_ended() -> None:
    assert measured("Push", 0.001) == ("nothing was reported for loss", ["unavailable"])


def test_a_collector_of_ones_own_has_time() -> None:
    with pytest.raises(NotYetError, match="somebody has 30 s to report loss"):
        measured("Custom", 0.001)
    assert measured("Custom", 31.0)[1] == ["unavailable"]
