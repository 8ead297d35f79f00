"""What a user wrote into `katib-config`, however odd."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.tuning.engine.suggestion.katib_config import katib_config_of, why_no_suggestion


def _why(**entry: Any) -> str:
    found = {"algorithmName": "mine", "image": "example.com/mine", **entry}
    text = json.dumps({"runtime": {"suggestions": [found, "odd", None]}})
    config = katib_config_of({"data": {"katib-config.yaml": text}})
    return why_no_suggestion(config, "mine", is_built_in=False)


@pytest.mark.parametrize("ports", [["6789"], [None], [[]], "6789", 6789, {"name": "suggestion-api"}])
def test_ports_that_are_no_objects_are_told_of(ports: Any) -> None:
    assert _why(ports=ports) == (
        "invalid suggestion config: the ports of algorithm mine must be a list of objects"
    )


def test_ports_that_are_the_platforms_are_refused_and_others_taken() -> None:
    assert "must not be specified" in _why(ports=[{"containerPort": 6789}])
    assert _why(ports=[{"name": "http", "containerPort": 80}]) == ""
    assert _why(ports=None) == ""
