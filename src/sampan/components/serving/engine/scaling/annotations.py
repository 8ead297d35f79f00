"""What the autoscaler is to do with a Deployment, out of its annotations and the configuration.

An annotation that cannot be read counts as absent, as upstream: admission refuses it (`validation`).
Source: knative.dev/serving pkg/apis/autoscaling/register.go, pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go,
pkg/reconciler/autoscaling/kpa/resources/decider.go, pkg/reconciler/autoscaling/resources/{target,metric}.go (1.22).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sampan.components.serving.api import labels
from sampan.components.serving.engine.scaling import durations
from sampan.components.serving.engine.scaling.configuration import TARGET_MIN, AutoscalerConfig
from sampan.kube import meta
from sampan.kube.meta import Object

CONCURRENCY, RPS = "concurrency", "rps"
_GROUP = "autoscaling.knative.dev/"
T = TypeVar("T")
Keys = tuple[str, ...]

# New name first; the second is how it was written before Knative 1.0.
MIN_SCALE: Keys = (labels.MIN_SCALE, _GROUP + "minScale")
MAX_SCALE: Keys = (labels.MAX_SCALE, _GROUP + "maxScale")
INITIAL_SCALE: Keys = (labels.INITIAL_SCALE, _GROUP + "initialScale")
ACTIVATION_SCALE: Keys = (_GROUP + "activation-scale",)
METRIC: Keys = (labels.SCALING_METRIC,)
TARGET: Keys = (labels.SCALING_TARGET,)
TARGET_UTILIZATION: Keys = (
    _GROUP + "target-utilization-percentage",
    _GROUP + "targetUtilizationPercentage",
)
TARGET_BURST_CAPACITY: Keys = (_GROUP + "target-burst-capacity", _GROUP + "targetBurstCapacity")
WINDOW: Keys = (_GROUP + "window",)
PANIC_WINDOW: Keys = (_GROUP + "panic-window-percentage", _GROUP + "panicWindowPercentage")
PANIC_THRESHOLD: Keys = (_GROUP + "panic-threshold-percentage", _GROUP + "panicThresholdPercentage")
SCALE_DOWN_DELAY: Keys = (_GROUP + "scale-down-delay", _GROUP + "scaleDownDelay")
POD_RETENTION: Keys = (
    _GROUP + "scale-to-zero-pod-retention-period",
    _GROUP + "scaleToZeroPodRetentionPeriod",
)
AGGREGATION: Keys = (_GROUP + "metric-aggregation-algorithm", _GROUP + "metricAggregationAlgorithm")
_PROGRESS_DEADLINE: Keys = ("serving.knative.dev/progress-deadline",)
_PROGRESS_DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class ScalingSpec:
    """Times in seconds. A bound of 0 is none."""

    metric: str = CONCURRENCY
    target: float = 70.0
    """Of the metric, for each pod."""
    stable_window: float = 60.0
    panic_window: float = 6.0
    panic_threshold: float = 2.0
    """How many times as much as the ready pods are for."""
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    scale_down_delay: float = 0.0
    min_scale: int = 0
    max_scale: int = 0
    initial_scale: int = 1
    activation_scale: int = 0
    is_reachable: bool = True
    """False for what no traffic leads to: it goes to zero whatever its least."""
    may_be_zero: bool = True
    grace_period: float = 30.0
    pod_retention: float = 0.0
    progress_deadline: float = _PROGRESS_DEADLINE_SECONDS


def is_scaled_by_demand(deployment: Object) -> bool:
    return meta.annotations(deployment).get(labels.SCALING_CLASS) == labels.KPA


def find(annotations: Mapping[str, Any], keys: Keys) -> tuple[str, str] | None:
    """The key as it is written, and its value."""
    for key in keys:
        if key in annotations:
            return key, str(annotations[key])
    return None


def spec_of(deployment: Object, config: AutoscalerConfig) -> ScalingSpec:
    annotations = meta.annotations(deployment)

    def number(keys: Keys) -> float | None:
        return _read(annotations, keys, _float)

    def whole(keys: Keys) -> int | None:
        return _read(annotations, keys, int)

    def seconds(keys: Keys) -> float | None:
        return _read(annotations, keys, durations.parse)

    found = find(annotations, METRIC)
    metric = found[1] if found else CONCURRENCY
    window = _or(seconds(WINDOW), config.stable_window)
    is_reachable = meta.labels(deployment).get(labels.ROUTING_STATE) != labels.RESERVE
    deadline = meta.spec(deployment).get("progressDeadlineSeconds") or _PROGRESS_DEADLINE_SECONDS
    return ScalingSpec(
        metric=metric,
        target=_target(annotations, metric, config),
        stable_window=window,
        panic_window=panic_window(window, _or(number(PANIC_WINDOW), config.panic_window_percentage)),
        panic_threshold=_or(number(PANIC_THRESHOLD), config.panic_threshold_percentage) / 100.0,
        max_scale_up_rate=config.max_scale_up_rate,
        max_scale_down_rate=config.max_scale_down_rate,
        scale_down_delay=_or(seconds(SCALE_DOWN_DELAY), config.scale_down_delay),
        min_scale=max(_or(whole(MIN_SCALE), config.min_scale), 0) if is_reachable else 0,
        max_scale=max(_or(whole(MAX_SCALE), config.max_scale), 0),
        initial_scale=_initial(whole(INITIAL_SCALE), config),
        activation_scale=whole(ACTIVATION_SCALE) or 0,
        is_reachable=is_reachable,
        may_be_zero=config.enable_scale_to_zero,
        grace_period=config.grace_period,
        pod_retention=_or(seconds(POD_RETENTION), config.pod_retention) if is_reachable else 0.0,
        progress_deadline=_or(seconds(_PROGRESS_DEADLINE), float(deadline)),
    )


def panic_window(stable_window: float, percentage: float) -> float:
    """Whole seconds: what is counted is kept by the second."""
    return max(math.floor(stable_window * percentage / 100.0 + 0.5), 1.0)


def _target(annotations: Mapping[str, Any], metric: str, config: AutoscalerConfig) -> float:
    if metric == RPS:
        total, utilization, at_once = config.rps_target, config.target_utilization, 0
    else:
        at_once = _read(annotations, (labels.CONTAINER_CONCURRENCY,), int) or 0
        total, utilization = at_once or config.concurrency_target, config.concurrency_target_fraction
    wanted = _read(annotations, TARGET, _float)
    if wanted is not None:
        # No more than the container takes at a time, whatever is aimed at.
        total = min(wanted, at_once) if at_once else wanted
    percentage = _read(annotations, TARGET_UTILIZATION, _float)
    return max(total * (utilization if percentage is None else percentage / 100.0), TARGET_MIN)


def _initial(given: int | None, config: AutoscalerConfig) -> int:
    if given is None or given < 0 or (given == 0 and not config.allow_zero_initial_scale):
        return config.initial_scale
    return given


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _read(annotations: Mapping[str, Any], keys: Keys, parse: Callable[[str], T]) -> T | None:
    found = find(annotations, keys)
    if found is None:
        return None
    try:
        return parse(found[1])
    except ValueError:
        return None


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number to count by")
    return value
