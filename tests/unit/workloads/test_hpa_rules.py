"""How fast a number of pods may change: the situations of Kubernetes' own tests (horizontal_test.go)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.cluster.workloads.hpa.rules import Bounds, History, down_limit, normalize, up_limit

_NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def _ago(seconds: float) -> datetime:
    return _NOW - timedelta(seconds=seconds)


def _pods(value: int, period: int = 60) -> dict[str, Any]:
    return {"type": "Pods", "value": value, "periodSeconds": period}


def _percent(value: int, period: int = 60) -> dict[str, Any]:
    return {"type": "Percent", "value": value, "periodSeconds": period}


def _behavior(up: dict[str, Any] | None = None, down: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [_pods(4, 15), _percent(100, 15)],
            **(up or {}),
        },
        "scaleDown": {"selectPolicy": "Max", "policies": [_percent(100, 15)], **(down or {})},
    }


@pytest.mark.parametrize(
    ("desired", "current", "least", "most", "expected", "reason"),
    [
        (5, 3, 1, 10, 5, "DesiredWithinRange"),
        (10, 3, 1, 10, 6, "ScaleUpLimit"),
        (10, 1, 1, 10, 4, "ScaleUpLimit"),
        (10, 3, 1, 5, 5, "TooManyReplicas"),
        (1, 3, 2, 5, 2, "TooFewReplicas"),
    ],
)
def test_bounds_without_behavior(
    desired: int, current: int, least: int, most: int, expected: int, reason: str
) -> None:
    found = normalize(desired, Bounds(current, least, most), None, History(), _NOW)
    assert (found.replicas, found.limited[0]) == (expected, reason)
    assert found.is_limited is (reason != "DesiredWithinRange")
    assert found.able[0] == "ReadyForNewScale"


def test_fewer_wait_for_five_minutes() -> None:
    history = History(recommendations=[(8, _ago(299)), (9, _ago(301))])
    found = normalize(2, Bounds(8, 1, 10), None, history, _NOW)
    assert (found.replicas, found.able[0]) == (8, "ScaleDownStabilized")
    assert [value for value, _ in history.recommendations] == [8, 2]
    later = normalize(2, Bounds(8, 1, 10), None, history, _NOW + timedelta(seconds=2))
    assert (later.replicas, later.able[0]) == (2, "ReadyForNewScale")


def test_with_behavior_each_direction_has_its_window() -> None:
    behavior = _behavior(up={"stabilizationWindowSeconds": 60}, down={"stabilizationWindowSeconds": 30})
    history = History(recommendations=[(5, _ago(50)), (7, _ago(20))])
    up = normalize(9, Bounds(5, 1, 20), behavior, history, _NOW)
    assert (up.replicas, up.able[0]) == (5, "ScaleUpStabilized")
    down = normalize(2, Bounds(8, 1, 20), behavior, History(recommendations=[(7, _ago(20))]), _NOW)
    assert (down.replicas, down.able[0]) == (7, "ScaleDownStabilized")
    free = normalize(2, Bounds(8, 1, 20), behavior, History(recommendations=[(7, _ago(31))]), _NOW)
    assert (free.replicas, free.able[0]) == (2, "ReadyForNewScale")


def test_five_minutes_where_scaling_down_has_no_window() -> None:
    history = History(recommendations=[(8, _ago(200))])
    assert normalize(2, Bounds(8, 1, 10), _behavior(), history, _NOW).replicas == 8


@pytest.mark.parametrize(
    ("rules", "ups", "current", "expected"),
    [
        ({"policies": [_pods(4)]}, [], 10, 14),
        ({"policies": [_percent(100)]}, [], 10, 20),
        ({"policies": [_percent(10)]}, [], 3, 4),
        ({"policies": [_pods(4), _percent(100)], "selectPolicy": "Max"}, [], 10, 20),
        ({"policies": [_pods(4), _percent(100)], "selectPolicy": "Min"}, [], 10, 14),
        ({"policies": [_pods(4)], "selectPolicy": "Disabled"}, [], 10, 10),
        ({"policies": [_pods(4)]}, [(3, 30)], 10, 11),
        ({"policies": [_pods(4)]}, [(3, 61)], 10, 14),
        ({"policies": [_percent(100)]}, [(5, 30)], 10, 10),
    ],
)
def test_policies_up(rules: dict[str, Any], ups: list[Any], current: int, expected: int) -> None:
    history = History(ups=[(change, _ago(age)) for change, age in ups])
    assert up_limit(current, rules, history, _NOW) == expected


@pytest.mark.parametrize(
    ("rules", "downs", "current", "expected"),
    [
        ({"policies": [_pods(4)]}, [], 10, 6),
        ({"policies": [_percent(10)]}, [], 10, 9),
        ({"policies": [_percent(15)]}, [], 10, 8),
        ({"policies": [_pods(4), _percent(10)], "selectPolicy": "Max"}, [], 10, 6),
        ({"policies": [_pods(4), _percent(10)], "selectPolicy": "Min"}, [], 10, 9),
        ({"policies": [_pods(4)], "selectPolicy": "Disabled"}, [], 10, 10),
        ({"policies": [_pods(4)]}, [(3, 30)], 10, 9),
        ({"policies": [_pods(4)]}, [(3, 61)], 10, 6),
    ],
)
def test_policies_down(rules: dict[str, Any], downs: list[Any], current: int, expected: int) -> None:
    history = History(downs=[(change, _ago(age)) for change, age in downs])
    assert down_limit(current, rules, history, _NOW) == expected


def test_a_change_back_counts_for_the_period_too() -> None:
    history = History(ups=[(2, _ago(30))], downs=[(5, _ago(30))])
    # There were 13 when the minute began.
    assert up_limit(10, {"policies": [_pods(4)]}, history, _NOW) == 17
    assert down_limit(10, {"policies": [_pods(4)]}, history, _NOW) == 9


@pytest.mark.parametrize(
    ("desired", "most", "least", "expected", "reason"),
    [
        (30, 40, 1, 20, "ScaleUpLimit"),
        (30, 15, 1, 15, "TooManyReplicas"),
        (2, 40, 1, 6, "ScaleDownLimit"),
        (2, 40, 8, 8, "TooFewReplicas"),
        (12, 40, 1, 12, "DesiredWithinRange"),
        (10, 40, 1, 10, "DesiredWithinRange"),
    ],
)
def test_limits_with_behavior(desired: int, most: int, least: int, expected: int, reason: str) -> None:
    behavior = _behavior(down={"policies": [_pods(4)], "stabilizationWindowSeconds": 0})
    found = normalize(desired, Bounds(10, least, most), behavior, History(), _NOW)
    assert (found.replicas, found.limited[0]) == (expected, reason)


def test_what_was_used_up_lets_nothing_go_the_other_way() -> None:
    history = History(ups=[(20, _ago(5))])
    found = normalize(40, Bounds(30, 1, 50), _behavior(up={"policies": [_pods(4, 15)]}), history, _NOW)
    assert (found.replicas, found.limited[0]) == (30, "ScaleUpLimit")


def test_changes_are_forgotten_with_the_longest_period() -> None:
    history = History(ups=[(1, _ago(61)), (2, _ago(10))])
    behavior = _behavior(up={"policies": [_pods(4, 15), _pods(10, 60)]})
    history.changed(3, 6, behavior, _NOW)
    assert [change for change, _ in history.ups] == [2, 3]
    history.changed(6, 5, behavior, _NOW)
    assert [change for change, _ in history.downs] == [1]
    history.changed(5, 9, None, _NOW)
    assert [change for change, _ in history.ups] == [2, 3]
