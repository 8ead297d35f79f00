"""Metrics in an artifact's metadata, as kfp's SDK writes them. Called by `view` and by pages that compare runs. Pure.

Source: kfp 2.17, kfp/dsl/types/artifact_types.py (Metrics and its kin). Lists and structs may be wrapped (`list`,
`struct`), as a metadata store gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.ui.classification import Confusion, Point, confusion, roc_points

_STRUCTURED = ("confidenceMetrics", "confusionMatrix", "evaluationSlices")


@dataclass(frozen=True, slots=True)
class Classification:
    roc: Sequence[Point]
    matrix: Confusion | None

    @property
    def is_empty(self) -> bool:
        return not self.roc and self.matrix is None


def scalars(artifact: Mapping[str, Any]) -> dict[str, float]:
    """Names and numbers of a Metrics artifact, or of one metric of v1."""
    found = {}
    for key, value in (artifact.get("metadata") or {}).items() if artifact.get("type") == "Metric" else ():
        if key not in _STRUCTURED and (as_number := number(value)) is not None:
            found[str(key)] = as_number
    own = number(artifact.get("number_value"))
    return found or ({} if own is None else {str(artifact.get("name", "value")): own})


def classification(artifact: Mapping[str, Any]) -> Classification | None:
    """None where it says nothing of the kind."""
    found = _classification(artifact.get("metadata") or {})
    return None if found.is_empty else found


def slices(artifact: Mapping[str, Any]) -> dict[str, Classification]:
    """By the slice's name, in the order written."""
    found = {}
    for each in _list((artifact.get("metadata") or {}).get("evaluationSlices")):
        entry = _struct(each)
        if entry:
            measured = _classification(_struct(entry.get("sliceClassificationMetrics")))
            found[str(entry.get("slice", ""))] = measured
    return found


def number(value: Any) -> float | None:
    """None for what is no number; the API writes those that JSON cannot as texts."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.lower() not in ("nan", "inf", "-inf", "infinity", "-infinity"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _classification(metadata: Mapping[str, Any]) -> Classification:
    return Classification(roc_points(metadata), confusion(metadata))


def _struct(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        inner = value.get("struct")
        return inner if isinstance(inner, Mapping) else value
    return {}


def _list(value: Any) -> Sequence[Any]:
    value = _struct(value).get("list", value) if isinstance(value, Mapping) else value
    return value if isinstance(value, list) else []
