"""What is counted, and how Prometheus and Triton's clients are told."""

from __future__ import annotations

import json

from sampan.components.serving.engine.programs.modelserver.statistics import (
    Statistics,
    merged,
    prometheus,
    triton,
)


def counted() -> Statistics:
    statistics = Statistics()
    statistics.observe("predict", 0.004)
    statistics.observe("predict", 0.3)
    statistics.ran(rows=6, requests=2, seconds=0.5, waited_seconds=0.1)
    statistics.answered(200, 0.6)
    statistics.answered(400, 0.1)
    return statistics


def test_processes_are_counted_as_one() -> None:
    # As it travels from one process to another.
    snapshots = [json.loads(json.dumps(counted().snapshot())) for _ in range(2)]
    text = prometheus({'a"b': merged(snapshots)}, {"process_open_fds": 3}).decode()
    assert 'request_predict_seconds_bucket{model_name="a\\"b",le="0.005"} 2\n' in text
    assert 'request_predict_seconds_bucket{model_name="a\\"b",le="+Inf"} 4\n' in text
    assert 'request_predict_seconds_count{model_name="a\\"b"} 4\n' in text
    assert 'request_total{model_name="a\\"b",code="400"} 2\n' in text
    assert 'model_inferences_total{model_name="a\\"b"} 12\n' in text
    assert "process_open_fds 3\n" in text
    assert "request_explain_seconds_bucket" not in text


def test_triton_is_told_in_nanoseconds() -> None:
    found = triton("m", "", merged([counted().snapshot()]))
    assert (found["inference_count"], found["execution_count"]) == (6, 1)
    assert found["inference_stats"]["success"] == {"count": 1, "ns": 600_000_000}
    assert found["inference_stats"]["fail"] == {"count": 1, "ns": 100_000_000}
    assert found["batch_stats"][0]["batch_size"] == 6


def test_sizes_of_batches_are_few_whatever_is_sent() -> None:
    statistics = Statistics()
    for rows in range(1, 100_000, 7):
        statistics.ran(rows, 1, 0.1, 0.0)
    assert len(statistics.batches) < 160
