"""Where a model comes from."""

from __future__ import annotations

import pytest

from sampan.components.serving.ui.endpoint_page import origin
from sampan.components.serving.ui.endpoint_page.origin import Origin


@pytest.mark.parametrize(
    ("uri", "places"),
    [
        ("s3://b/a/model.joblib", ["s3://b/a/model.joblib", "s3://b/a", "s3://b"]),
        ("s3://b/a/", ["s3://b/a", "s3://b"]),
        ("file:///models/m", ["/models/m", "/models"]),
        ("model", []),
        ("", []),
        ("s3://" + "x" * 300, []),
    ],
)
def test_a_file_may_lie_in_an_artifact(uri: str, places: list[str]) -> None:
    assert origin.places(uri) == places


def test_only_what_lies_there_counts() -> None:
    made = {"run_id": "r1", "run": "train"}
    artifacts = [
        {"artifact_id": "1", "name": "near", "uri": "s3://b/ab"},
        {"artifact_id": "2", "name": "model", "uri": "s3://b/a/", "produced_by": made},
    ]
    found = origin.chosen(artifacts, "s3://b/a")
    assert found == Origin("2", "model", "r1", "train")
    assert (found.artifact_page, found.run_page) == ("/artifacts/2", "/runs/r1")
    assert origin.chosen(artifacts, "s3://b") is None
