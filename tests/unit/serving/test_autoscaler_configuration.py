"""What the autoscaler reads: ConfigMap `config-autoscaler` and a Deployment's annotations; what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sampan.components.serving.engine.scaling import durations
from sampan.components.serving.engine.scaling.annotations import is_scaled_by_demand, panic_window, spec_of
from sampan.components.serving.engine.scaling.configuration import DEFAULTS, read
from sampan.components.serving.engine.scaling.validation import problems

_A = "autoscaling.knative.dev/"


def _deployment(annotations: dict[str, str] | None = None, state: str = "", **spec: Any) -> dict[str, Any]:
    labels = {"serving.knative.dev/routingState": state} if state else {}
    return {"metadata": {"annotations": annotations or {}, "labels": labels}, "spec": spec}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("1h30m", 5400), ("0", 0), ("1.5m", 90), ("100ms", 0.1), ("-2s", -2), ("1h0m0.5s", 3600.5)],
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "1 s", "s", "1d", "1h30", "nan", "1e3s", "--1s"])
def test_what_go_does_not_read_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        durations.parse(text)


def test_durations_are_printed_as_go_does() -> None:
    shown = [durations.text(each) for each in (0, 6, 90, 3600, 0.5, 3661.5)]
    assert shown == ["0s", "6s", "1m30s", "1h0m0s", "500ms", "1h1m1.5s"]


def test_an_empty_configuration_is_upstreams() -> None:
    assert read({"_example": "stable-window: 1s"}) == DEFAULTS
    spec = spec_of(_deployment(), DEFAULTS)
    assert (spec.metric, spec.target, spec.stable_window, spec.panic_window) == (
        "concurrency",
        70.0,
        60.0,
        6.0,
    )
    assert (spec.panic_threshold, spec.min_scale, spec.max_scale, spec.initial_scale) == (2.0, 0, 0, 1)
    assert (spec.grace_period, spec.pod_retention, spec.may_be_zero) == (30.0, 0.0, True)


def test_a_configuration_is_read_whole() -> None:
    config = read(
        {
            "enable-scale-to-zero": "false",
            "allow-zero-initial-scale": "true",
            "initial-scale": "0",
            "container-concurrency-target-percentage": "50",
            "container-concurrency-target-default": "20",
            "requests-per-second-target-default": "10",
            "stable-window": "2m",
            "panic-window-percentage": "5",
            "scale-to-zero-grace-period": "20s",
            "scale-to-zero-pod-retention-period": "1m",
            "scale-down-delay": "15s",
            "max-scale": "7",
            "max-scale-limit": "9",
        }
    )
    spec = spec_of(_deployment(), config)
    assert (spec.target, spec.stable_window, spec.panic_window) == (10.0, 120.0, 6.0)
    assert (spec.may_be_zero, spec.initial_scale, spec.max_scale) == (False, 0, 7)
    assert (spec.grace_period, spec.pod_retention, spec.scale_down_delay) == (20.0, 60.0, 15.0)
    assert spec_of(_deployment({_A + "metric": "rps"}), config).target == 7.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stable-window", "5s"),
        ("stable-window", "60.5s"),
        ("stable-window", "2h"),
        ("stable-window", "a while"),
        ("scale-to-zero-grace-period", "0s"),
        ("scale-down-delay", "-1s"),
        ("max-scale-up-rate", "1"),
        ("max-scale-down-rate", "0.5"),
        ("panic-window-percentage", "0.5"),
        ("initial-scale", "0"),
        ("min-scale", "-1"),
        ("max-scale-limit", "5"),
        ("enable-scale-to-zero", "perhaps"),
        ("container-concurrency-target-percentage", "101"),
        ("container-concurrency-target-default", "0"),
        ("requests-per-second-target-default", "0"),
        ("requests-per-second-target-default", "nan"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=key.removesuffix("-limit").removesuffix("-default")):
        read({key: value})


@pytest.mark.parametrize(
    ("annotations", "target"),
    [
        ({_A + "target": "10"}, 7.0),
        ({_A + "target": "10", _A + "target-utilization-percentage": "100"}, 10.0),
        ({_A + "target": "10", _A + "targetUtilizationPercentage": "50"}, 5.0),
        ({"sampan.dev/container-concurrency": "1"}, 0.7),
        ({"sampan.dev/container-concurrency": "4", _A + "target": "10"}, 2.8),
        ({"sampan.dev/container-concurrency": "20", _A + "target": "10"}, 7.0),
        ({_A + "metric": "rps"}, 140.0),
        ({_A + "metric": "rps", _A + "target": "10", "sampan.dev/container-concurrency": "1"}, 7.0),
        ({_A + "target": "0.001"}, 0.01),
        ({_A + "target": "ten"}, 70.0),
        ({_A + "target": "inf"}, 70.0),
    ],
)
def test_targets(annotations: dict[str, str], target: float) -> None:
    assert spec_of(_deployment(annotations), DEFAULTS).target == pytest.approx(target)


def test_annotations_in_both_spellings() -> None:
    old = spec_of(
        _deployment({_A + "minScale": "2", _A + "maxScale": "5", _A + "initialScale": "3"}), DEFAULTS
    )
    assert (old.min_scale, old.max_scale, old.initial_scale) == (2, 5, 3)
    both = spec_of(_deployment({_A + "minScale": "2", _A + "min-scale": "4"}), DEFAULTS)
    assert both.min_scale == 4
    windows = spec_of(
        _deployment(
            {_A + "window": "40s", _A + "panic-window-percentage": "20", _A + "scale-down-delay": "1m"}
        ),
        DEFAULTS,
    )
    assert (windows.stable_window, windows.panic_window, windows.scale_down_delay) == (40.0, 8.0, 60.0)


def test_no_window_is_shorter_than_what_is_counted() -> None:
    assert panic_window(6.0, 1.0) == 1.0


def test_what_no_traffic_leads_to_has_no_least_and_no_retention() -> None:
    annotations = {_A + "min-scale": "2", _A + "scale-to-zero-pod-retention-period": "5m"}
    assert spec_of(_deployment(annotations, "active"), DEFAULTS).min_scale == 2
    reserve = spec_of(_deployment(annotations, "reserve"), DEFAULTS)
    assert (reserve.min_scale, reserve.pod_retention, reserve.is_reachable) == (0, 0.0, False)


def test_an_initial_scale_of_zero_needs_leave() -> None:
    annotations = {_A + "initial-scale": "0"}
    assert spec_of(_deployment(annotations), DEFAULTS).initial_scale == 1
    allowed = replace(DEFAULTS, allow_zero_initial_scale=True)
    assert spec_of(_deployment(annotations), allowed).initial_scale == 0


def test_deadlines() -> None:
    assert spec_of(_deployment(), DEFAULTS).progress_deadline == 600.0
    assert spec_of(_deployment(progressDeadlineSeconds=90), DEFAULTS).progress_deadline == 90.0
    said = {"serving.knative.dev/progress-deadline": "5s"}
    assert spec_of(_deployment(said, progressDeadlineSeconds=90), DEFAULTS).progress_deadline == 5.0


def test_the_class_says_who_scales() -> None:
    assert is_scaled_by_demand(_deployment({_A + "class": "kpa.autoscaling.knative.dev"}))
    assert not is_scaled_by_demand(_deployment({_A + "class": "hpa.autoscaling.knative.dev"}))
    assert not is_scaled_by_demand(_deployment())


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        ({"class": "mine.knative.dev"}, "invalid value: mine.knative.dev: {}class"),
        ({"min-scale": "-1"}, "expected 0 <= -1 <= 2147483647: {}min-scale"),
        ({"min-scale": "two"}, "invalid value: two: {}min-scale"),
        ({"minScale": "1.5"}, "invalid value: 1.5: {}minScale"),
        ({"max-scale": "99999999999"}, "expected 0 <= 99999999999 <= 2147483647: {}max-scale"),
        (
            {"min-scale": "4", "max-scale": "2"},
            "max-scale=2 is less than min-scale=4: {0}max-scale, {0}min-scale",
        ),
        ({"activation-scale": "1"}, "activation-scale=1 must be greater than 1: {}activation-scale"),
        (
            {"activation-scale": "2", "min-scale": "3"},
            "min-scale=3 is greater than activation-scale=2: {}activation-scale",
        ),
        (
            {"activation-scale": "4", "max-scale": "3"},
            "max-scale=3 is less than activation-scale=4: {}activation-scale",
        ),
        ({"panic-window-percentage": "0.5"}, "expected 1 <= 0.5 <= 100: {}panic-window-percentage"),
        ({"panic-threshold-percentage": "109"}, "expected 110 <= 109 <= 1000: {}panic-threshold-percentage"),
        ({"target-utilization-percentage": "0"}, "expected 1 <= 0 <= 100: {}target-utilization-percentage"),
        ({"target": "0"}, "target 0 should be at least 0.01: {}target"),
        ({"target": "many"}, "invalid value: many: {}target"),
        ({"target-burst-capacity": "-2"}, "invalid value: -2: {}target-burst-capacity"),
        ({"window": "5s"}, "expected 6s <= 5s <= 1h0m0s: {}window"),
        ({"window": "6.5s"}, "must be specified with at most second precision: {}window"),
        ({"window": "long"}, "invalid value: long: {}window"),
        ({"scale-down-delay": "2h"}, "expected 0s <= 2h <= 1h0m0s: {}scale-down-delay"),
        (
            {"scale-to-zero-pod-retention-period": "-1s"},
            "expected 0s <= -1s <= 1h0m0s: {}scale-to-zero-pod-retention-period",
        ),
        ({"metric": "cpu"}, "invalid value: cpu: {}metric"),
        ({"metric": "", "class": "hpa.autoscaling.knative.dev"}, "invalid value: : {}metric"),
        (
            {"metric-aggregation-algorithm": "mean", "class": "kpa.autoscaling.knative.dev"},
            "invalid value: mean: {}metric-aggregation-algorithm",
        ),
        ({"initial-scale": "0"}, "invalid value: 0: {}initial-scale=0 not allowed by cluster"),
        ({"initial-scale": "-1"}, "invalid value: -1: {}initial-scale must be greater than 0"),
    ],
)
def test_what_is_refused(annotations: dict[str, str], problem: str) -> None:
    assert problems({_A + key: value for key, value in annotations.items()}) == [problem.format(_A)]


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"min-scale": "0", "max-scale": "0"},
        {"metric": "cpu", "class": "hpa.autoscaling.knative.dev"},
        {"metric": "anything", "class": "mine.example.com"},
        {"scale-to-zero-pod-retention-period": "1m5.5s", "scale-down-delay": "15m", "window": "1h"},
        {"target-burst-capacity": "-1", "target": "0.5", "activation-scale": "2"},
    ],
)
def test_what_is_taken(annotations: dict[str, str]) -> None:
    assert problems({_A + key: value for key, value in annotations.items()}) == []


def test_a_limit_of_the_cluster() -> None:
    limited = replace(DEFAULTS, max_scale=5, max_scale_limit=10)
    assert problems({_A + "max-scale": "11"}, limited) == [f"expected 1 <= 11 <= 10: {_A}max-scale"]
    assert problems({_A + "max-scale": "0"}, limited) == [
        f"max-scale=0 (unlimited), must be less than 10: {_A}max-scale"
    ]
