"""Where a transformer finds its predictor."""

from __future__ import annotations

import pytest

from sampan.components.serving.engine.programs.modelserver.custom.predictor import Predictor, PredictorConfig


@pytest.mark.parametrize(
    ("host", "use_ssl", "target"),
    [
        ("iris-predictor.team", False, "iris-predictor.team:80"),
        ("iris-predictor.team", True, "iris-predictor.team:443"),
        ("iris-predictor.team:8081", False, "iris-predictor.team:8081"),
        ("http://iris-predictor.team:9000/", False, "iris-predictor.team:9000"),
    ],
)
def test_the_target_of_grpc(host: str, use_ssl: bool, target: str) -> None:
    assert Predictor(PredictorConfig(host, "grpc-v2", use_ssl)).target == target
