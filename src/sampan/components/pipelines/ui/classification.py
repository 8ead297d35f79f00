"""ROC curves and confusion matrices in the metadata of ClassificationMetrics artifacts. Pure; what is malformed is left
out.

Source: kubeflow/pipelines 2.17, sdk/python/kfp/dsl/types/artifact_types.py (ClassificationMetrics); its user interface
reads the same below `list` and `struct`, where a metadata store had wrapped it
(frontend/src/components/viewers/MetricsVisualizations.tsx).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_CLASSES = 100
MOST_POINTS = 2000

Point = tuple[float, float, float]
"""False positive rate, true positive rate, threshold."""


@dataclass(frozen=True, slots=True)
class Confusion:
    classes: list[str]
    counts: list[list[float | None]]
    """Rows are the true classes."""


def roc_points(metadata: Mapping[str, Any]) -> list[Point]:
    """From the lowest to the highest false positive rate; thinned out where there are very many."""
    given = _unwrapped(metadata.get("confidenceMetrics"), "list")
    if not isinstance(given, list):
        return []
    points = []
    for each in given:
        if isinstance(each, Mapping):
            point = [_number(each.get(k)) for k in ("falsePositiveRate", "recall", "confidenceThreshold")]
            if point[0] is not None and point[1] is not None:
                points.append((point[0], point[1], point[2] if point[2] is not None else math.nan))
    points.sort(key=lambda point: (point[0], point[1]))
    if len(points) > MOST_POINTS:
        step = math.ceil(len(points) / MOST_POINTS)
        points = [*points[:-1:step], points[-1]]
    return points


def confusion(metadata: Mapping[str, Any]) -> Confusion | None:
    given = _unwrapped(metadata.get("confusionMatrix"), "struct")
    if not isinstance(given, Mapping):
        return None
    specs, rows = given.get("annotationSpecs"), given.get("rows")
    if not isinstance(specs, list) or not isinstance(rows, list) or not 0 < len(rows) <= MOST_CLASSES:
        return None
    names = [str(each.get("displayName", "")) if isinstance(each, Mapping) else str(each) for each in specs]
    values = [_row(each.get("row") if isinstance(each, Mapping) else each) for each in rows]
    size = len(values)
    if any(len(row) != size for row in values):
        return None
    names = (names + [f"class {index + 1}" for index in range(len(names), size)])[:size]
    return Confusion(names, values)


def _unwrapped(value: Any, key: str) -> Any:
    return value[key] if isinstance(value, Mapping) and set(value) == {key} else value


def _row(value: Any) -> list[float | None]:
    return [_number(each) for each in value] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
