"""Metrics as frameworks print them."""

from __future__ import annotations

import math

import pytest

from sampan.components.training.engine.metrics.lines import measured
from sampan.components.training.engine.metrics.series import MOST_POINTS, Metrics, Point, Series


@pytest.mark.parametrize(
    ("line", "expected", "step"),
    [
        ("accuracy=0.98", {"accuracy": 0.98}, None),
        ("Validation-accuracy = 1e-2 loss|x=.5", {"Validation-accuracy": 0.01, "loss|x": 0.5}, None),
        ("2026-11-26T06:30:00Z INFO loss=-3", {"loss": -3.0}, None),
        (
            "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.297471",
            {"Loss": 2.297471},
            1,
        ),
        ("100/100 - 1s 5ms/step - accuracy: 0.95 - loss: 0.2", {"accuracy": 0.95, "loss": 0.2}, None),
        (
            "Epoch 2:  50%|##### | 50/100 [00:10<00:10,  5.0it/s, loss=0.123, v_num=0]",
            {"loss": 0.123},
            2,
        ),
        ("{'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 0.5}", {"loss": 0.5, "learning_rate": 5e-05}, 0.5),
        ("{'loss': nan, 'epoch': 1.0}", {"loss": math.nan}, 1),
        (
            '{"step": 3, "epoch": 1, "loss": "0.25", "timestamp": 1732600000.5}',
            {"loss": 0.25},
            3,
        ),
        ("[3]\ttrain-rmse:0.48252\teval-rmse:0.5", {"train-rmse": 0.48252, "eval-rmse": 0.5}, 3),
        ("[1]\tvalid_0's binary_logloss: 0.6", {"binary_logloss": 0.6}, 1),
        ("step=7 global_step=70 loss=1", {"loss": 1.0}, 70),
        ("bar 1%\rbar 2% loss=0.5\r", {"loss": 0.5}, None),
        # None of these is a metric.
        ("listening on localhost:2222 since 12:30:45", {}, None),
        ("MASTER_PORT=23456 WORLD_SIZE=2 rank=1 addr=10.0.0.1", {}, None),
        ('File "train.py", line 3, in f', {}, None),
        ("Epoch 3/10", {}, None),
        ("took=5ms at a/b=3/4", {}, None),
        ("no figures: at all", {}, None),
        ("", {}, None),
    ],
)
def test_a_line_says(line: str, expected: dict[str, float], step: float | None) -> None:
    found = measured(line)
    assert {each.name: str(each.value) for each in found} == {
        name: str(value) for name, value in expected.items()
    }
    if expected:
        assert {each.step for each in found} == {step}


def test_a_line_of_a_megabyte_is_looked_at_in_no_time() -> None:
    # Each of these would make an expression with back-tracking count.
    for text in ("a" * 10**6, "a=" * 10**5, "step step " * 10**5, "'a" * 10**5 + "}", " = " * 10**5):
        measured(text)


def test_an_epoch_in_a_line_of_its_own_is_what_follows_is_about() -> None:
    metrics = Metrics()
    for text in ("Epoch 1/2", "loss: 0.5", "Epoch 2/2", "loss: 0.25"):
        metrics.take_line("worker-0", "t", text)
    (series,) = metrics.to_json()
    assert [(point["step"], point["value"]) for point in series["points"]] == [(1, 0.5), (2, 0.25)]


def test_ranks_have_series_of_their_own() -> None:
    metrics = Metrics()
    metrics.take_line("worker-0", "t", "loss=1")
    metrics.take_line("worker-1", "t", "loss=2")
    assert [(each["rank"], each["min"]) for each in metrics.to_json()] == [
        ("worker-0", 1.0),
        ("worker-1", 2.0),
    ]


def test_a_long_series_keeps_its_ends_and_a_bound() -> None:
    series = Series()
    for step in range(1_000_000):
        series.add(Point(step, float(step % 1000), ""))
    points = series.points()
    assert len(points) <= MOST_POINTS
    assert points[0].step == 0
    assert points[-1].step == 999_999
    steps = [point.step for point in points if point.step is not None]
    assert steps == sorted(steps)
    assert (series.count, series.low, series.high) == (1_000_000, 0.0, 999.0)


def test_what_is_no_number_is_told_as_text() -> None:
    metrics = Metrics()
    metrics.take_line("worker-0", "", "loss=nan")
    (series,) = metrics.to_json()
    assert series["points"][0]["value"] == "nan"
    assert series["min"] is None
