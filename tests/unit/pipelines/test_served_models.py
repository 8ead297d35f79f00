"""Where a model that is fetched from a place may be an artifact, or lie in one."""

from __future__ import annotations

import pytest

from sampan.components.pipelines.rest.served_models import _places


@pytest.mark.parametrize(
    ("uri", "has", "lacks"),
    [
        ("file:///home/a/model", ["/home/a/model", "/home/a/model/", "/home/a"], ["/", "file:///home"]),
        ("file:///home/a%20b/model", ["/home/a b/model"], ["/home/a%20b/model"]),
        (
            "s3://bucket/runs/model/1",
            ["s3://bucket/runs/model/1", "s3://bucket/runs/model", "s3://bucket"],
            ["s3://"],
        ),
        ("pvc://claim", ["pvc://claim"], []),
    ],
)
def test_places_of_a_model(uri: str, has: list[str], lacks: list[str]) -> None:
    found = set(_places(uri))
    assert set(has) <= found
    assert found.isdisjoint(lacks)
