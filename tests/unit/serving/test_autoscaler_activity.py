"""Down to zero and up from it: the situations of Knative's own tests (kpa/scaler_test.go, kpa_test.go)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sampan.components.serving.engine.scaling.activity import Activity, Pods, State
from sampan.components.serving.engine.scaling.annotations import ScalingSpec

_SPEC = ScalingSpec(stable_window=60.0, grace_period=30.0, progress_deadline=120.0)
_LONG = 1000.0
_ONE, _STARTING = Pods(1, 1), Pods(1, 0)


def _active(spec: ScalingSpec = _SPEC, pods: Pods = _ONE) -> Activity:
    activity = Activity(spec, pods, was_complete=True, now=0.0)
    assert activity.state is State.ACTIVE
    return activity


def _activating(spec: ScalingSpec = _SPEC, pods: Pods = _STARTING) -> Activity:
    activity = Activity(spec, pods, was_complete=False, now=0.0)
    assert activity.state is State.ACTIVATING
    return activity


def test_the_last_pod_goes_after_a_stable_window() -> None:
    activity = _active()
    assert activity.scale(_SPEC, 0, Pods(1, 1), 59.0) == 1
    assert activity.scale(_SPEC, 0, Pods(1, 1), 60.0) == 0
    assert activity.state is State.INACTIVE


def test_all_but_the_last_go_before() -> None:
    assert _active(pods=Pods(10, 10)).scale(_SPEC, 0, Pods(10, 10), 59.0) == 1


def test_what_the_gateway_is_new_to_keeps_its_pod_for_the_grace_period() -> None:
    spec = replace(_SPEC, stable_window=6.0)
    activity = _active(spec)
    assert activity.scale(spec, 0, Pods(1, 1), 6.0) == 1
    assert activity.state is State.INACTIVE
    assert activity.scale(spec, 0, Pods(1, 1), 29.0) == 1
    assert activity.scale(spec, 0, Pods(1, 1), 30.0) == 0


def test_the_last_pod_is_kept_for_its_retention() -> None:
    spec = replace(_SPEC, pod_retention=42.0)
    activity = _active(spec)
    assert activity.scale(spec, 0, Pods(1, 1), 100.0) == 1
    assert activity.scale(spec, 0, Pods(1, 1), 141.0) == 1
    assert activity.scale(spec, 0, Pods(1, 1), 142.0) == 0


def test_who_is_asked_in_time_stays() -> None:
    spec = replace(_SPEC, pod_retention=42.0)
    activity = _active(spec)
    assert activity.scale(spec, 0, Pods(1, 1), 100.0) == 1
    assert activity.scale(spec, 1, Pods(1, 1), 120.0) == 1
    assert activity.state is State.ACTIVE
    assert activity.scale(spec, 0, Pods(1, 1), 150.0) == 1
    assert activity.state is State.ACTIVE


def test_nothing_goes_to_zero_where_that_is_switched_off() -> None:
    spec = replace(_SPEC, may_be_zero=False)
    assert _active(spec).scale(spec, 0, Pods(3, 3), _LONG) == 1


@pytest.mark.parametrize(
    ("desired", "least", "most", "expected"),
    [(10, 0, 0, 10), (10, 0, 8, 8), (0, 2, 0, 2), (1, 2, 4, 2), (3, 2, 4, 3)],
)
def test_bounds_hold(desired: int, least: int, most: int, expected: int) -> None:
    spec = replace(_SPEC, min_scale=least, max_scale=most)
    assert _active(spec, Pods(2, 2)).scale(spec, desired, Pods(2, 2), _LONG) == expected


def test_what_does_not_come_up_is_left_alone_until_the_deadline_has_passed() -> None:
    activity = _activating()
    assert activity.scale(_SPEC, 0, Pods(1, 0), 75.0) == 1
    assert activity.scale(_SPEC, 0, Pods(1, 0), 150.0) == 1
    assert activity.scale(_SPEC, 0, Pods(1, 0), 151.0) == 0
    assert activity.state is State.INACTIVE


def test_whoever_waits_keeps_what_does_not_come_up() -> None:
    assert _activating().scale(_SPEC, 1, Pods(1, 0), _LONG) == 1


def test_a_window_begins_when_the_first_pod_is_ready() -> None:
    activity = _activating()
    assert activity.scale(_SPEC, 0, Pods(1, 1), 100.0) == 1
    assert activity.state is State.ACTIVE
    assert activity.scale(_SPEC, 0, Pods(1, 1), 159.0) == 1
    assert activity.scale(_SPEC, 0, Pods(1, 1), 160.0) == 0


def test_the_initial_scale_is_reached_first() -> None:
    spec = replace(_SPEC, initial_scale=2)
    activity = _activating(spec)
    assert activity.scale(spec, 0, Pods(1, 0), 1.0) == 2
    assert activity.scale(spec, 1, Pods(2, 1), 2.0) == 2
    assert activity.state is State.ACTIVATING
    assert activity.scale(spec, 1, Pods(2, 2), 3.0) == 2
    assert activity.state is State.ACTIVE
    # It was, and then no longer counts.
    assert activity.scale(spec, 1, Pods(2, 2), 4.0) == 1


def test_the_initial_scale_is_not_asked_of_what_had_it() -> None:
    spec = replace(_SPEC, initial_scale=3)
    assert _active(spec).scale(spec, 1, Pods(1, 1), 1.0) == 1


def test_what_nobody_reaches_needs_no_initial_scale() -> None:
    spec = replace(_SPEC, initial_scale=2, is_reachable=False)
    assert _activating(spec).scale(spec, 1, Pods(1, 0), 1.0) == 1


def test_a_sleeper_wakes() -> None:
    activity = Activity(_SPEC, Pods(0, 0), was_complete=True, now=0.0)
    assert activity.scale(_SPEC, 0, Pods(0, 0), 50.0) == 0
    assert activity.scale(_SPEC, 3, Pods(0, 0), 60.0) == 3
    assert activity.state is State.ACTIVATING
    # The first request may be answered long before its average has a word.
    assert activity.scale(_SPEC, 0, Pods(3, 0), 62.0) == 3
    assert activity.scale(_SPEC, 0, Pods(3, 1), 64.0) == 3
    assert activity.state is State.ACTIVE


def test_a_pod_that_fails_is_not_scaled_away() -> None:
    activity = _active()
    assert activity.scale(_SPEC, 0, Pods(1, 0), 10.0) == 1
    assert activity.scale(_SPEC, 1, Pods(1, 0), 11.0) == 1
    assert activity.state is State.ACTIVATING
    assert activity.scale(_SPEC, 0, Pods(1, 0), 80.0) == 1


def test_one_that_woke_needs_no_grace_period() -> None:
    spec = replace(_SPEC, stable_window=6.0)
    activity = Activity(spec, Pods(0, 0), was_complete=True, now=0.0)
    assert activity.scale(spec, 1, Pods(0, 0), 0.0) == 1
    assert activity.scale(spec, 1, _ONE, 2.0) == 1
    assert activity.scale(spec, 0, _ONE, 8.0) == 0


def test_what_nobody_reaches_may_stop_trying_to_come_up() -> None:
    spec = replace(_SPEC, is_reachable=False)
    activity = _activating(spec)
    assert activity.scale(spec, 1, _STARTING, 1.0) == 1
    assert activity.scale(spec, 0, _STARTING, 2.0) == 0
    # One that came up meanwhile may have been asked something.
    ready = _activating(spec)
    assert ready.scale(spec, 0, _ONE, 2.0) == 1
    assert ready.scale(spec, 0, _ONE, 61.0) == 1
    assert ready.scale(spec, 0, _ONE, 62.0) == 0
