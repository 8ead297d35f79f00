"""What is counted of each model: for /metrics (Prometheus's text) and Triton's /stats. Pure but for the clock.

Names and buckets are kserve's. Source: kserve 0.20 python/kserve/kserve/metrics.py (histograms of prometheus_client);
triton-inference-server/server docs/protocol/extension_statistics.md.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
PHASES = ("preprocess", "predict", "postprocess", "explain")
_TITLES = {
    "preprocess": "pre-processing request latency",
    "predict": "prediction request latency",
    "postprocess": "post-processing request latency",
    "explain": "explanation request latency",
}
_MAX_EXACT_BATCH = 128
"""Rows of a batch that are counted as what they are; of larger ones, the power of two above."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Statistics:
    """Of one model in one process."""

    def __init__(self) -> None:
        self.phases: dict[str, Histogram] = {}
        self.requests: dict[str, int] = {}
        """By HTTP status, or `OK` and the names of gRPC's."""
        self.inferences = self.executions = 0
        self.run_seconds = self.queue_seconds = self.fail_seconds = 0.0
        self.successes = self.failures = 0
        self.success_seconds = 0.0
        self.last_at = 0.0
        self.batches: dict[int, list[float]] = {}
        """By rows, or about: how many executions, and how long they took."""

    def observe(self, phase: str, seconds: float) -> None:
        histogram = self.phases.get(phase)
        if histogram is None:
            histogram = self.phases[phase] = Histogram()
        histogram.observe(seconds)

    def ran(self, rows: int, requests: int, seconds: float, waited_seconds: float) -> None:
        self.inferences += rows
        self.executions += 1
        self.run_seconds += seconds * requests
        self.queue_seconds += max(0.0, waited_seconds)
        size = rows if rows <= _MAX_EXACT_BATCH else 1 << rows.bit_length()
        batch = self.batches.get(size)
        if batch is None:
            batch = self.batches[size] = [0, 0.0]
        batch[0] += 1
        batch[1] += seconds

    def answered(self, status: int, seconds: float) -> None:
        key = str(status)
        self.requests[key] = self.requests.get(key, 0) + 1
        if status < 400:
            self.successes += 1
            self.success_seconds += seconds
        else:
            self.failures += 1
            self.fail_seconds += seconds
        self.last_at = time.time()

    def snapshot(self) -> dict[str, Any]:
        """For another process: JSON can hold it."""
        return {
            "phases": {name: [each.counts, each.total] for name, each in self.phases.items()},
            "requests": self.requests,
            "counts": [
                *(self.inferences, self.executions, self.run_seconds, self.queue_seconds),
                *(self.fail_seconds, self.successes, self.failures, self.success_seconds),
            ],
            "last_at": self.last_at,
            "batches": [[rows, *values] for rows, values in self.batches.items()],
        }


def merged(snapshots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of one model in several processes, as one."""
    phases: dict[str, list[Any]] = {}
    requests: dict[str, int] = {}
    batches: dict[int, list[float]] = {}
    counts: list[float] = [0.0] * 8
    for each in snapshots:
        for name, (found, total) in each["phases"].items():
            before = phases.setdefault(name, [[0] * len(found), 0.0])
            before[0] = [a + b for a, b in zip(before[0], found, strict=True)]
            before[1] += total
        for status, count in each["requests"].items():
            requests[status] = requests.get(status, 0) + count
        for rows, number, seconds in each["batches"]:
            batch = batches.setdefault(rows, [0, 0.0])
            batch[0] += number
            batch[1] += seconds
        counts = [a + b for a, b in zip(counts, each["counts"], strict=True)]
    return {
        "phases": phases,
        "requests": requests,
        "counts": counts,
        "last_at": max((each["last_at"] for each in snapshots), default=0.0),
        "batches": [[rows, *values] for rows, values in sorted(batches.items())],
    }


def prometheus(models: Mapping[str, Mapping[str, Any]], process: Mapping[str, float]) -> bytes:
    """`models` are merged snapshots by name; `process` is named as prometheus_client names it."""
    lines: list[str] = []
    for phase in PHASES:
        lines.append(f"# HELP request_{phase}_seconds {_TITLES[phase]}")
        lines.append(f"# TYPE request_{phase}_seconds histogram")
        for model, found in models.items():
            if phase in found["phases"]:
                counts, total = found["phases"][phase]
                lines += _histogram(f"request_{phase}_seconds", model, counts, total)
    lines.append("# HELP request_total requests that were answered")
    lines.append("# TYPE request_total counter")
    lines += [
        f'request_total{{model_name="{_quoted(model)}",code="{code}"}} {count}'
        for model, found in models.items()
        for code, count in sorted(found["requests"].items())
    ]
    for place, name, title in (
        (0, "model_inferences_total", "rows that were predicted"),
        (1, "model_executions_total", "calls of the model, each for one or several requests"),
    ):
        lines += [f"# HELP {name} {title}", f"# TYPE {name} counter"]
        lines += [
            f'{name}{{model_name="{_quoted(m)}"}} {_number(f["counts"][place])}' for m, f in models.items()
        ]
    for name, value in process.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE {name} {kind}", f"{name} {_number(value)}"]
    return ("\n".join(lines) + "\n").encode()


def triton(name: str, version: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `model_stats`. Times are in nanoseconds."""
    inferences, executions, run, queue, fail, successes, failures, success = found["counts"]
    return {
        "name": name,
        "version": version or "1",
        "last_inference": int(found["last_at"] * 1000),
        "inference_count": int(inferences),
        "execution_count": int(executions),
        "inference_stats": {
            "success": _duration(successes, success),
            "fail": _duration(failures, fail),
            "queue": _duration(successes + failures, queue),
            "compute_input": _duration(successes, 0.0),
            "compute_infer": _duration(successes, run),
            "compute_output": _duration(successes, 0.0),
        },
        "batch_stats": [
            {
                "batch_size": rows,
                "compute_input": _duration(number, 0.0),
                "compute_infer": _duration(number, seconds),
                "compute_output": _duration(number, 0.0),
            }
            for rows, number, seconds in found["batches"]
        ],
    }


def _histogram(name: str, model: str, counts: Sequence[int], total: float) -> list[str]:
    label = f'model_name="{_quoted(model)}"'
    lines, so_far = [], 0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
        so_far += count
        lines.append(f'{name}_bucket{{{label},le="{bound}"}} {so_far}')
    return [*lines, f"{name}_count{{{label}}} {so_far}", f"{name}_sum{{{label}}} {total}"]


def _duration(count: float, seconds: float) -> dict[str, int]:
    return {"count": int(count), "ns": int(seconds * 1e9)}


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
