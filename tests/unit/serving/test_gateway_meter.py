"""How many requests there are at a time, on the average of a window."""

from __future__ import annotations

import math
import random

import pytest

from sampan.components.serving.api.routing import Target
from sampan.components.serving.engine.gateway.meter import Meter

TARGET = Target("default", "iris-00001-deployment")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_has_come_yet() -> None:
    load = Meter(Clock()).load(TARGET, 60)
    assert (load.concurrency, load.requests_per_second, load.waiting) == (0, 0, 0)
    assert load.idle_seconds == math.inf


def test_a_request_counts_from_when_it_comes_until_its_answer() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.came(TARGET)
    clock.now += 30
    load = meter.load(TARGET, 60)
    assert load.concurrency == pytest.approx(0.5)
    assert load.requests_per_second == pytest.approx(1 / 60)
    assert load.idle_seconds == 0
    clock.now += 30
    meter.went(TARGET)
    assert meter.load(TARGET, 60).concurrency == pytest.approx(1)
    clock.now += 90
    load = meter.load(TARGET, 60)
    assert (load.concurrency, load.requests_per_second, load.idle_seconds) == (0, 0, 90)


def test_averages_are_those_of_what_happened() -> None:
    """Against the sum over all requests of how long each was in the window."""
    clock, rng = Clock(), random.Random(7)
    meter = Meter(clock)
    open_: list[float] = []
    spans: list[tuple[float, float]] = []
    came: list[float] = []
    for _ in range(6000):
        clock.now += rng.expovariate(20) if rng.random() < 0.98 else 5
        if open_ and rng.random() < 0.5:
            spans.append((open_.pop(rng.randrange(len(open_))), clock.now))
            meter.went(TARGET)
        else:
            open_.append(clock.now)
            came.append(clock.now)
            meter.came(TARGET)
    for window in (6.0, 60.0, 120.0):
        start = clock.now - window
        parts = (min(end, clock.now) - max(begin, start) for begin, end in spans if end > start)
        rest = (clock.now - max(begin, start) for begin in open_)
        load = meter.load(TARGET, window)
        assert load.concurrency == pytest.approx((sum(parts) + sum(rest)) / window, rel=0.02)
        count = sum(1 for each in came if each > start)
        assert load.requests_per_second == pytest.approx(count / window, rel=0.05, abs=0.3)


def test_a_burst_does_not_last_longer_than_it_was() -> None:
    clock = Clock()
    meter = Meter(clock)
    for _ in range(1000):
        meter.came(TARGET)
    clock.now += 0.1
    for _ in range(1000):
        meter.went(TARGET)
    clock.now += 100
    meter.came(TARGET)
    meter.went(TARGET)
    clock.now += 1
    assert meter.load(TARGET, 60).concurrency == pytest.approx(0, abs=0.01)


def test_who_waits_is_told_at_once() -> None:
    meter = Meter(Clock())
    told: list[Target] = []
    meter.on_wait(told.append)
    meter.begins_to_wait(TARGET)
    meter.begins_to_wait(TARGET)
    assert told == [TARGET, TARGET]
    assert meter.load(TARGET, 1).waiting == 2
    assert list(meter.waiting()) == [TARGET]
    meter.waits_no_longer(TARGET)
    meter.waits_no_longer(TARGET)
    assert list(meter.waiting()) == []


def test_what_is_kept_is_bounded() -> None:
    clock = Clock()
    meter = Meter(clock)
    for _ in range(20_000):
        clock.now += 0.3
        meter.came(TARGET)
        meter.went(TARGET)
    assert len(meter._counts[TARGET]._kept) <= 4096
