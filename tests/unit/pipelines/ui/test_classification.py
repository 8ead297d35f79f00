"""ROC curves and confusion matrices, as users' steps write them: whatever they write."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sampan.components.pipelines.ui import classification


def test_points_are_in_order_wherever_they_are_wrapped() -> None:
    given = [
        {"falsePositiveRate": 0.5, "recall": 0.9, "confidenceThreshold": 0.2},
        {"falsePositiveRate": 0, "recall": 0.1, "confidenceThreshold": 0.9},
    ]
    expected = [(0, 0.1, 0.9), (0.5, 0.9, 0.2)]
    assert classification.roc_points({"confidenceMetrics": given}) == expected
    assert classification.roc_points({"confidenceMetrics": {"list": given}}) == expected


def test_very_many_points_are_thinned_out_and_the_last_stays() -> None:
    given = [{"falsePositiveRate": i / 10_000, "recall": 1} for i in range(10_001)]
    found = classification.roc_points({"confidenceMetrics": given})
    assert len(found) <= classification.MOST_POINTS + 1
    assert found[-1][0] == 1
    assert math.isnan(found[0][2])


@pytest.mark.parametrize(
    "metadata",
    [{}, {"confidenceMetrics": None}, {"confidenceMetrics": "x"}, {"confidenceMetrics": [1, None, {}]},
     {"confidenceMetrics": [{"falsePositiveRate": "0", "recall": True}]}],
)  # fmt: skip
def test_no_curve(metadata: dict[str, Any]) -> None:
    assert classification.roc_points(metadata) == []


def test_a_matrix() -> None:
    given = {
        "annotationSpecs": [{"displayName": "a"}, {"displayName": "b"}],
        "rows": [{"row": [1, 2]}, {"row": [3, 4]}],
    }
    for wrapped in (given, {"struct": given}):
        found = classification.confusion({"confusionMatrix": wrapped})
        assert found is not None
        assert (found.classes, found.counts) == (["a", "b"], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "given",
    [None, [], {}, {"annotationSpecs": [], "rows": []}, {"annotationSpecs": [{}], "rows": [{"row": [1, 2]}]},
     {"annotationSpecs": [{}], "rows": [{"row": [1] * 101}] * 101}, {"annotationSpecs": "x", "rows": "y"}],
)  # fmt: skip
def test_no_matrix(given: Any) -> None:
    assert classification.confusion({"confusionMatrix": given}) is None


def test_classes_without_a_name_are_numbered() -> None:
    found = classification.confusion({"confusionMatrix": {"annotationSpecs": [], "rows": [{"row": [1]}]}})
    assert found is not None
    assert found.classes == ["class 1"]
