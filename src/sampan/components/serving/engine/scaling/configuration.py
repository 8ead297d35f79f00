"""What the autoscaler does where no annotation says otherwise: ConfigMap `knative-serving/config-autoscaler`.

Source: knative.dev/serving pkg/autoscaler/config/config.go (1.22): its keys, defaults and limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sampan.components.serving.engine.scaling import durations

NAMESPACE, NAME = "knative-serving", "config-autoscaler"
TARGET_MIN = 0.01
WINDOW_MIN_SECONDS, WINDOW_MAX_SECONDS = 6.0, 3600.0
PANIC_WINDOW_MIN, PANIC_WINDOW_MAX = 1.0, 100.0

_TRUE, _FALSE = {"1", "t", "T", "true", "TRUE", "True"}, {"0", "f", "F", "false", "FALSE", "False"}


def _key(name: str, default: Any, kind: str) -> Any:
    return field(default=default, metadata={"key": name, "kind": kind})


@dataclass(frozen=True, slots=True)
class AutoscalerConfig:
    """Times in seconds, percentages of targets as fractions."""

    enable_scale_to_zero: bool = _key("enable-scale-to-zero", True, "bool")
    allow_zero_initial_scale: bool = _key("allow-zero-initial-scale", False, "bool")
    concurrency_target_fraction: float = _key("container-concurrency-target-percentage", 0.7, "float")
    concurrency_target: float = _key("container-concurrency-target-default", 100.0, "float")
    target_utilization: float = 0.7
    """Of the other metrics; upstream lets nobody set it either."""
    rps_target: float = _key("requests-per-second-target-default", 200.0, "float")
    max_scale_up_rate: float = _key("max-scale-up-rate", 1000.0, "float")
    max_scale_down_rate: float = _key("max-scale-down-rate", 2.0, "float")
    panic_window_percentage: float = _key("panic-window-percentage", 10.0, "float")
    panic_threshold_percentage: float = _key("panic-threshold-percentage", 200.0, "float")
    initial_scale: int = _key("initial-scale", 1, "int")
    min_scale: int = _key("min-scale", 0, "int")
    max_scale: int = _key("max-scale", 0, "int")
    max_scale_limit: int = _key("max-scale-limit", 0, "int")
    stable_window: float = _key("stable-window", 60.0, "duration")
    scale_down_delay: float = _key("scale-down-delay", 0.0, "duration")
    grace_period: float = _key("scale-to-zero-grace-period", 30.0, "duration")
    pod_retention: float = _key("scale-to-zero-pod-retention-period", 0.0, "duration")


DEFAULTS = AutoscalerConfig()


def read(data: Mapping[str, Any]) -> AutoscalerConfig:
    """Of the ConfigMap's data. Raises ValueError, naming the key, for what upstream's webhook would refuse."""
    given: dict[str, Any] = {}
    for each in fields(AutoscalerConfig):
        key = str(each.metadata.get("key", ""))
        if key in data:
            given[each.name] = _parsed(key, str(data[key]).strip(), each.metadata["kind"])
    fraction = given.get("concurrency_target_fraction", 0.0)
    if fraction > 1.0:
        # Both are understood, 70 and 0.7.
        given["concurrency_target_fraction"] = fraction / 100.0
    config = AutoscalerConfig(**given)
    for problem in _problems(config):
        raise ValueError(problem)
    return config


def _parsed(key: str, text: str, kind: str) -> Any:
    try:
        if kind == "bool":
            if text not in _TRUE | _FALSE:
                raise ValueError(f'"{text}" is neither true nor false')
            return text in _TRUE
        if kind == "duration":
            return durations.parse(text)
        return int(text) if kind == "int" else float(text)
    except ValueError as error:
        raise ValueError(f"failed to parse {key}: {error}") from error


def _problems(config: AutoscalerConfig) -> list[str]:
    limit, most = config.max_scale_limit, config.max_scale
    checks = (
        (config.grace_period > 0, "scale-to-zero-grace-period must be positive"),
        (config.scale_down_delay >= 0, "scale-down-delay cannot be negative"),
        (config.scale_down_delay.is_integer(), "scale-down-delay must have at most second precision"),
        (config.pod_retention >= 0, "scale-to-zero-pod-retention-period cannot be negative"),
        (
            0 < config.concurrency_target_fraction <= 1,
            "container-concurrency-target-percentage must be in (0, 1] or (1, 100]",
        ),
        (
            config.concurrency_target >= TARGET_MIN
            and config.concurrency_target_fraction * config.concurrency_target >= TARGET_MIN,
            f"container-concurrency-target-percentage and -default must yield a target of at least {TARGET_MIN}",
        ),
        (
            config.rps_target >= TARGET_MIN,
            f"requests-per-second-target-default must be at least {TARGET_MIN}",
        ),
        (config.max_scale_up_rate > 1, "max-scale-up-rate must be greater than 1.0"),
        (config.max_scale_down_rate > 1, "max-scale-down-rate must be greater than 1.0"),
        (
            WINDOW_MIN_SECONDS <= config.stable_window <= WINDOW_MAX_SECONDS
            and config.stable_window.is_integer(),
            "stable-window must be whole seconds, in [6s; 1h0m0s]",
        ),
        (
            PANIC_WINDOW_MIN <= config.panic_window_percentage <= PANIC_WINDOW_MAX,
            "panic-window-percentage must be in [1, 100]",
        ),
        (
            config.initial_scale >= (0 if config.allow_zero_initial_scale else 1),
            "initial-scale must be at least 0 (or at least 1 when allow-zero-initial-scale is false)",
        ),
        (config.min_scale >= 0, "min-scale must be at least 0"),
        (limit >= 0, "max-scale-limit must be at least 0"),
        (
            most >= (1 if limit > 0 else 0) and (limit <= 0 or most <= limit),
            f"max-scale must be within max-scale-limit({limit})",
        ),
        (most <= 0 or config.min_scale <= most, "min-scale must be less than max-scale"),
    )
    return [f"{text}; see ConfigMap {NAMESPACE}/{NAME}" for holds, text in checks if not holds]
