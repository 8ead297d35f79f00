"""What is wrong with the annotations that the autoscaler reads, in upstream's words.

Called where an object that carries them is judged: by admission, and by reconcilers where nobody asks admission.
Source: knative.dev/serving pkg/apis/autoscaling/annotation_validation.go (1.22), knative.dev/pkg apis/field_error.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.scaling import annotations as known
from sampan.components.serving.engine.scaling import durations
from sampan.components.serving.engine.scaling.configuration import (
    DEFAULTS,
    PANIC_WINDOW_MAX,
    PANIC_WINDOW_MIN,
    TARGET_MIN,
    WINDOW_MAX_SECONDS,
    WINDOW_MIN_SECONDS,
    AutoscalerConfig,
)

_PANIC_THRESHOLD = (110.0, 1000.0)
_MOST = 2**31 - 1
_DOMAIN = ".knative.dev"
_METRICS = {labels.KPA: (known.CONCURRENCY, known.RPS)}
_ALGORITHMS = ("", "linear", "weighted-exponential", "weightedExponential")

Annotations = Mapping[str, Any]


def problems(annotations: Annotations, config: AutoscalerConfig = DEFAULTS) -> list[str]:
    """Each as `what is wrong: KEY`; empty when all is well."""
    return [
        *_class(annotations),
        *_bounds(annotations, config),
        *_numbers(annotations),
        *_window(annotations),
        *_delays(annotations),
        *_metric(annotations),
        *_initial_scale(annotations, config),
    ]


def _class(annotations: Annotations) -> Iterator[str]:
    value = str(annotations.get(labels.SCALING_CLASS) or "")
    if value.endswith(_DOMAIN) and value not in (labels.KPA, labels.HPA):
        yield _invalid(value, labels.SCALING_CLASS)


def _bounds(annotations: Annotations, config: AutoscalerConfig) -> Iterator[str]:
    bounds: dict[known.Keys, int] = {}
    for keys in (known.MIN_SCALE, known.MAX_SCALE):
        bounds[keys] = 0
        if found := known.find(annotations, keys):
            key, text = found
            value = _whole(text)
            if value is None:
                yield _invalid(text, key)
            elif not 0 <= value <= _MOST:
                yield f"expected 0 <= {text} <= {_MOST}: {key}"
            else:
                bounds[keys] = value
    least, most = bounds[known.MIN_SCALE], bounds[known.MAX_SCALE]
    if most and most < least:
        yield f"max-scale={most} is less than min-scale={least}: {labels.MAX_SCALE}, {labels.MIN_SCALE}"
    limit, given = config.max_scale_limit, known.find(annotations, known.MAX_SCALE)
    if limit and given:
        if most > limit:
            yield f"expected 1 <= {most} <= {limit}: {given[0]}"
        elif most == 0:
            yield f"max-scale=0 (unlimited), must be less than {limit}: {given[0]}"
    yield from _activation(annotations, least, most)


def _activation(annotations: Annotations, least: int, most: int) -> Iterator[str]:
    found = known.find(annotations, known.ACTIVATION_SCALE)
    if found is None:
        return
    key, text = found
    value = _whole(text)
    if value is None:
        yield _invalid(text, key)
    elif least > value:
        yield f"min-scale={least} is greater than activation-scale={value}: {key}"
    elif most and most < value:
        yield f"max-scale={most} is less than activation-scale={value}: {key}"
    elif value < 2:
        yield f"activation-scale={value} must be greater than 1: {key}"


def _numbers(annotations: Annotations) -> Iterator[str]:
    within = (
        (known.PANIC_WINDOW, PANIC_WINDOW_MIN, PANIC_WINDOW_MAX),
        (known.PANIC_THRESHOLD, *_PANIC_THRESHOLD),
        (known.TARGET_UTILIZATION, 1.0, 100.0),
    )
    for keys, least, most in within:
        if found := known.find(annotations, keys):
            key, text = found
            value = _number(text)
            if value is None:
                yield _invalid(text, key)
            elif not least <= value <= most:
                yield f"expected {least:g} <= {text} <= {most:g}: {key}"
    if found := known.find(annotations, known.TARGET):
        key, text = found
        value = _number(text)
        if value is None:
            yield _invalid(text, key)
        elif value < TARGET_MIN:
            yield f"target {text} should be at least {TARGET_MIN:g}: {key}"
    if found := known.find(annotations, known.TARGET_BURST_CAPACITY):
        key, text = found
        value = _number(text)
        if value is None or (value < 0 and value != -1):
            yield _invalid(text, key)


def _window(annotations: Annotations) -> Iterator[str]:
    if found := known.find(annotations, known.WINDOW):
        yield from _duration(*found, WINDOW_MIN_SECONDS, is_whole=True)


def _delays(annotations: Annotations) -> Iterator[str]:
    if found := known.find(annotations, known.POD_RETENTION):
        yield from _duration(*found, 0.0, is_whole=False)
    if found := known.find(annotations, known.SCALE_DOWN_DELAY):
        yield from _duration(*found, 0.0, is_whole=True)


def _duration(key: str, text: str, least: float, *, is_whole: bool) -> Iterator[str]:
    try:
        seconds = durations.parse(text)
    except ValueError:
        yield _invalid(text, key)
        return
    if not least <= seconds <= WINDOW_MAX_SECONDS:
        yield f"expected {durations.text(least)} <= {text} <= {durations.text(WINDOW_MAX_SECONDS)}: {key}"
    elif is_whole and not seconds.is_integer():
        yield f"must be specified with at most second precision: {key}"


def _metric(annotations: Annotations) -> Iterator[str]:
    scaler = str(annotations.get(labels.SCALING_CLASS) or labels.KPA)
    if found := known.find(annotations, known.METRIC):
        key, metric = found
        if (scaler == labels.KPA and metric not in _METRICS[labels.KPA]) or (
            scaler == labels.HPA and not metric
        ):
            yield _invalid(metric, key)
    # Others may know other ways to add up.
    found = known.find(annotations, known.AGGREGATION)
    if annotations.get(labels.SCALING_CLASS) == labels.KPA and found and found[1] not in _ALGORITHMS:
        yield _invalid(found[1], found[0])


def _initial_scale(annotations: Annotations, config: AutoscalerConfig) -> Iterator[str]:
    if found := known.find(annotations, known.INITIAL_SCALE):
        key, text = found
        value = _whole(text)
        if value is None:
            yield _invalid(text, key)
        elif value < 0:
            yield _invalid(text, f"{key} must be greater than 0")
        elif value == 0 and not config.allow_zero_initial_scale:
            yield _invalid(text, f"{key}=0 not allowed by cluster")


def _invalid(value: str, key: str) -> str:
    return f"invalid value: {value}: {key}"


def _whole(text: str) -> int | None:
    try:
        return int(text) if text.isascii() and "_" not in text and text == text.strip() else None
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value
