"""The metrics that a step of kfp 1.8 leaves in its output `mlpipeline-metrics`: runs show them and are sorted by them.

Pure. What is no metric is left out, as upstream's agent does: a step does not fail for it.
Source: backend/src/common/util/workflow.go (CollectionMetrics), kubeflow/pipelines 2.17.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ARTIFACT = "mlpipeline-metrics"
OPTIONAL = frozenset({ARTIFACT, "mlpipeline-ui-metadata"})
"""Outputs that old packages declare of every step: few steps write them."""

_MAX_METRICS = 50
"""Of one run, upstream; of one step here."""
_MAX_BYTES = 1024 * 1024
_FORMATS = ("RAW", "PERCENTAGE")


@dataclass(frozen=True, slots=True)
class RunMetric:
    name: str
    value: float
    format: str = ""


def metrics_in(content: bytes | None) -> list[RunMetric]:
    """What the file says; nothing where it is no such file."""
    if content is None or len(content) > _MAX_BYTES:
        return []
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return []
    given = document.get("metrics") if isinstance(document, dict) else None
    if not isinstance(given, list):
        return []
    return [metric for each in given[:_MAX_METRICS] for metric in _read(each)]


def _read(given: Any) -> Iterator[RunMetric]:
    if not isinstance(given, dict):
        return
    name, value = given.get("name"), _number(given.get("numberValue", given.get("number_value")))
    if isinstance(name, str) and 0 < len(name) <= 128 and value is not None:
        shown = given.get("format")
        yield RunMetric(name, value, shown if shown in _FORMATS else "")


def _number(value: Any) -> float | None:
    """A double may be text in proto JSON, and is in what old components write."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
