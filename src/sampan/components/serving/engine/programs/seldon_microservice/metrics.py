"""What a model counts: metrics of its own, checked, kept and shown as Prometheus reads them.

A TIMER is in milliseconds, and becomes a histogram in seconds. Source: seldon-core 1.18.2
python/seldon_core/metrics.py.
"""

from __future__ import annotations

import json
import math
import os
import threading
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

_BINS = [10 ** (-3 + step * (math.log10(30) + 3) / 49) for step in range(50)]
_KINDS = ("COUNTER", "GAUGE", "TIMER")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def are_valid(metrics: Any) -> bool:
    return isinstance(metrics, list) and all(_is_valid(each) for each in metrics)


def _is_valid(metric: Any) -> bool:
    if not isinstance(metric, Mapping) or not {"key", "value", "type"} <= set(metric):
        return False
    value = metric["value"]
    is_number = isinstance(value, int | float) or hasattr(value, "__float__")
    return metric["type"] in _KINDS and is_number and not isinstance(value, str)


class Metrics:
    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._fixed = _labels(os.environ if environ is None else environ)
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str, tuple[tuple[str, str], ...]], Any] = {}

    def update(self, metrics: list[Any], method: str) -> None:
        with self._lock:
            for each in metrics:
                tags = {str(key): str(value) for key, value in (each.get("tags") or {}).items()}
                labels = tuple(sorted({**tags, "method": method, **self._fixed}.items()))
                self._add(str(each.get("type", "COUNTER")), str(each["key"]), labels, float(each["value"]))

    def reward(self, reward: float) -> None:
        if reward:
            one = {"type": "COUNTER", "key": "seldon_api_model_feedback", "value": 1}
            self.update([one], "feedback")
            self.update([{**one, "key": "seldon_api_model_feedback_reward", "value": reward}], "feedback")

    def _add(self, kind: str, name: str, labels: tuple[tuple[str, str], ...], value: float) -> None:
        key = (kind, name, labels)
        if kind == "COUNTER":
            self._values[key] = self._values.get(key, 0.0) + value
        elif kind == "GAUGE":
            self._values[key] = value
        else:
            counts, total = self._values.get(key) or ([0] * (len(_BINS) + 1), 0.0)
            counts[bisect_left(_BINS, value / 1000)] += 1
            self._values[key] = counts, total + value / 1000

    def text(self) -> str:
        with self._lock:
            lines: dict[str, list[str]] = {}
            for (kind, name, labels), value in self._values.items():
                shown = f"{name}_total" if kind == "COUNTER" and not name.endswith("_total") else name
                if shown not in lines:
                    of = {"COUNTER": "counter", "GAUGE": "gauge", "TIMER": "histogram"}[kind]
                    lines[shown] = [f"# HELP {shown} ", f"# TYPE {shown} {of}"]
                lines[shown] += _shown(kind, shown, labels, value)
        return "".join(f"{line}\n" for each in lines.values() for line in each)


def _shown(kind: str, name: str, labels: tuple[tuple[str, str], ...], value: Any) -> list[str]:
    if kind != "TIMER":
        return [f"{name}{_written(labels)} {value!r}"]
    counts, total = value
    found, so_far = [], 0
    for edge, count in zip([*_BINS, math.inf], counts, strict=True):
        so_far += count
        shown = "+Inf" if edge == math.inf else repr(edge)
        found.append(f"{name}_bucket{_written((*labels, ('le', shown)))} {so_far}")
    return [*found, f"{name}_count{_written(labels)} {so_far}", f"{name}_sum{_written(labels)} {total!r}"]


def _written(labels: tuple[tuple[str, str], ...]) -> str:
    return "{" + ",".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in labels) + "}"


def _labels(environ: Mapping[str, str]) -> dict[str, str]:
    image, _, version = environ.get("PREDICTIVE_UNIT_IMAGE", "NOT_IMPLEMENTED:NOT_IMPLEMENTED").rpartition(
        ":"
    )
    try:
        of_predictor = json.loads(environ.get("PREDICTOR_LABELS") or "{}")
    except ValueError:
        of_predictor = {}
    deployment = environ.get("SELDON_DEPLOYMENT_ID", "NOT_IMPLEMENTED")
    return {
        "deployment_name": deployment,
        "seldon_deployment_name": deployment,
        "model_name": environ.get("PREDICTIVE_UNIT_ID", "NOT_IMPLEMENTED"),
        "model_image": image,
        "image_name": image,
        "model_version": version,
        "image_version": version,
        "predictor_name": environ.get("PREDICTOR_ID", "NOT_IMPLEMENTED"),
        "predictor_version": str(of_predictor.get("version", "NOT_IMPLEMENTED")),
        "worker_id": str(os.getpid()),
    }
