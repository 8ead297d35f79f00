"""What the executor counts, as Prometheus reads it. Source: seldon-core 1.18.2 executor/api/metric/server.go."""

from __future__ import annotations

import json
import math
from bisect import bisect_left

_NAME = "seldon_api_executor_server_requests_seconds"
_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Labels = tuple[str, str, str]


class Metrics:
    """Requests by service, method and code."""

    def __init__(self, deployment: str, predictor: str) -> None:
        self._fixed = {"deployment_name": deployment, "predictor_name": predictor, "predictor_version": ""}
        self._counts: dict[_Labels, list[int]] = {}
        self._sums: dict[_Labels, float] = {}

    def note(self, service: str, method: str, code: int, seconds: float) -> None:
        key = (service, method.lower(), str(code))
        counts = self._counts.setdefault(key, [0] * (len(_EDGES) + 1))
        counts[bisect_left(_EDGES, seconds)] += 1
        self._sums[key] = self._sums.get(key, 0.0) + seconds

    def text(self) -> str:
        lines = [f"# HELP {_NAME} A histogram of latencies for executor server", f"# TYPE {_NAME} histogram"]
        for (service, method, code), counts in self._counts.items():
            labels = {**self._fixed, "service": service, "method": method, "code": code}
            so_far = 0
            for edge, count in zip((*_EDGES, math.inf), counts, strict=True):
                so_far += count
                shown = "+Inf" if edge == math.inf else repr(edge)
                lines.append(f"{_NAME}_bucket{_written({**labels, 'le': shown})} {so_far}")
            lines.append(f"{_NAME}_sum{_written(labels)} {self._sums[service, method, code]!r}")
            lines.append(f"{_NAME}_count{_written(labels)} {so_far}")
        return "\n".join(lines) + "\n"


def _written(labels: dict[str, str]) -> str:
    return "{" + ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items()) + "}"
