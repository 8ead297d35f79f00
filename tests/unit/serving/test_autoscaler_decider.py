"""How many pods: Knative's algorithm, over the situations of its own tests (autoscaler_test.go, timewindow_test.go)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sampan.components.serving.engine.scaling.annotations import ScalingSpec
from sampan.components.serving.engine.scaling.decider import Decider
from sampan.components.serving.engine.scaling.windows import MaxWindow

_SPEC = ScalingSpec(target=10.0, max_scale_up_rate=10.0, max_scale_down_rate=10.0)
_ONE = replace(_SPEC, target=1.0)


def _decide(spec: ScalingSpec, stable: float, panic: float, ready: int = 1) -> int:
    return Decider(1, 0.0).desired(spec, stable, panic, ready, 0.0)


@pytest.mark.parametrize(
    ("spec", "stable", "panic", "ready", "expected"),
    [
        pytest.param(_SPEC, 0, 0, 1, 0, id="unasked"),
        pytest.param(_SPEC, 50, 50, 1, 5, id="five times the target"),
        pytest.param(_SPEC, 50, 10, 1, 5, id="the stable window alone"),
        pytest.param(_SPEC, 100, 10, 1, 10, id="as much as one may become"),
        pytest.param(_SPEC, 50, 50, 5, 5, id="there already"),
        pytest.param(_SPEC, 50, 100, 1, 10, id="panic takes precedence"),
        pytest.param(_SPEC, 1000, 1001, 1, 10, id="no faster than the rate up"),
        pytest.param(_SPEC, 1000, 1001, 10, 100, id="and again"),
        pytest.param(_SPEC, 1, 1, 100, 10, id="no faster than the rate down"),
        pytest.param(_SPEC, 1, 1, 10, 1, id="and again down"),
        pytest.param(_SPEC, 1000, 888, 0, 10, id="none counts as one"),
        pytest.param(_SPEC, 100, 100, 8, 10, id="a little more"),
        pytest.param(_SPEC, 50, 50, 8, 5, id="a little less"),
        pytest.param(replace(_ONE, max_scale_up_rate=1.1), 3, 3.1, 2, 3, id="a slow rate lets one come"),
        pytest.param(replace(_SPEC, max_scale_down_rate=1.1), 1, 1, 100, 90, id="a slow rate down"),
        pytest.param(
            replace(_SPEC, max_scale_down_rate=1.1, is_reachable=False), 1, 1, 100, 1, id="unreachable"
        ),
        pytest.param(replace(_SPEC, activation_scale=2), 0, 0, 1, 0, id="activation of nothing"),
        pytest.param(replace(_SPEC, activation_scale=2), 1, 0, 1, 2, id="activation"),
    ],
)
def test_numbers_follow_the_averages(
    spec: ScalingSpec, stable: float, panic: float, ready: int, expected: int
) -> None:
    assert _decide(spec, stable, panic, ready) == expected


def test_a_surge_is_followed_and_kept() -> None:
    decider = Decider(1, 0.0)
    for at, (load, ready) in enumerate([(6, 1), (36, 6), (216, 36), (1296, 216)]):
        assert decider.desired(_ONE, load, load, ready, float(at)) == load
        assert decider.is_in_panic
    assert decider.desired(_ONE, 1296, 1296, 1296, 5.0) == 1296


def test_panic_keeps_its_most_until_a_stable_window_has_passed() -> None:
    decider = Decider(1, 0.0)
    assert decider.desired(_SPEC, 100, 100, 1, 0.0) == 10
    assert decider.desired(_SPEC, 100, 1000, 10, 10.0) == 100
    assert decider.desired(_SPEC, 1, 1, 10, 40.0) == 100
    assert decider.desired(_SPEC, 1, 1, 10, 70.0) == 100
    assert decider.desired(_SPEC, 1, 1, 10, 71.0) == 1
    assert not decider.is_in_panic


@pytest.mark.parametrize(("stable", "panic", "expected"), [(50, 30, 50), (20, 30, 30)])
def test_in_panic_the_larger_average_counts(stable: float, panic: float, expected: int) -> None:
    decider = Decider(5, 0.0)
    assert decider.desired(_ONE, stable, panic, 5, 5.0) == expected


def test_panic_lasts_as_long_as_the_surge() -> None:
    decider = Decider(1, 0.0)
    assert decider.desired(_ONE, 11, 25, 10, 0.0) == 25
    # Twice as much again after half of the window: counted anew from here.
    assert decider.desired(_ONE, 30, 80, 40, 30.0) == 80
    assert decider.desired(_ONE, 30, 41, 80, 62.0) == 80
    assert decider.desired(_ONE, 50, 56, 80, 91.0) == 50


def test_a_slow_increase_ends_the_panic() -> None:
    decider = Decider(1, 0.0)
    assert decider.desired(_ONE, 11, 25, 10, 0.0) == 25
    assert decider.desired(_ONE, 30, 41, 40, 30.0) == 41
    assert decider.desired(_ONE, 50, 56, 55, 62.0) == 50
    assert not decider.is_in_panic


@pytest.mark.parametrize(("ready", "expected"), [(0, False), (1, False), (2, True)])
def test_more_than_one_pod_of_which_nothing_is_known_is_kept(ready: int, expected: bool) -> None:
    decider = Decider(ready, 0.0)
    assert decider.is_in_panic is expected
    assert (decider.desired(_SPEC, 0, 0, ready, 30.0) == ready) is (expected or ready == 0)


def test_a_new_target_counts_at_once() -> None:
    decider = Decider(1, 0.0)
    assert decider.desired(_SPEC, 100, 101, 1, 0.0) == 10
    assert decider.desired(_ONE, 100, 101, 10, 0.0) == 100


def test_scaling_down_waits_for_the_delay() -> None:
    spec = replace(_SPEC, scale_down_delay=300.0, panic_threshold=100.0)
    decider = Decider(0, 0.0)
    steps = [
        (2, 40, 4),
        (300, 0, 4),
        (302, 0, 0),
        (540, 40, 4),
        (600, 30, 4),
        (660, 0, 4),
        (840, 0, 3),
        (900, 0, 0),
    ]
    for at, load, expected in steps:
        assert decider.desired(spec, load, load, 0, float(at)) == expected, at


def test_what_no_traffic_leads_to_waits_for_no_delay() -> None:
    spec = replace(_SPEC, scale_down_delay=300.0, panic_threshold=100.0)
    decider = Decider(0, 0.0)
    assert decider.desired(spec, 40, 40, 0, 2.0) == 4
    assert decider.desired(spec, 0, 0, 0, 60.0) == 4
    assert decider.desired(replace(spec, is_reachable=False), 0, 0, 0, 62.0) == 0


def test_without_a_delay_the_last_look_counts() -> None:
    spec = replace(_SPEC, panic_threshold=100.0)
    decider = Decider(0, 0.0)
    assert decider.desired(spec, 40, 40, 0, 0.0) == 4
    assert decider.desired(spec, 20, 20, 0, 0.5) == 2


def test_a_window_gives_the_most_of_its_buckets() -> None:
    window = MaxWindow(5.0, 1.0)
    recorded = [(0, 8), (1, 6), (2, 7), (2, 3), (4, 1), (5, 2), (6, 1), (9, 0), (20, 5)]
    assert [window.record(float(at), value) for at, value in recorded] == [8, 8, 8, 8, 8, 7, 7, 2, 5]
