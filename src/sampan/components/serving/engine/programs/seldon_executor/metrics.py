"""What the executor counts, as Prometheus reads it: requests that it answered, and those with which it asked units.

Source: seldon-core 1.18.2 executor/api/metric/{constants,server,client}.go.
"""

from __future__ import annotations

import json
import math
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sampan.components.serving.engine.programs.seldon_executor.graph import Predictor, Unit

_SERVER, _CLIENT = (f"seldon_api_executor_{side}_requests_seconds" for side in ("server", "client"))
_EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_QUANTILES = (0.5, 0.75, 0.9, 0.98, 0.99, 1.0)
_MOST_KEPT, _KEPT_SECONDS = 1000, 600.0
"""Of what quantiles are taken."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Labels = tuple[str, ...]


@dataclass(slots=True)
class _Latencies:
    """Of one set of labels."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_EDGES) + 1))
    total: float = 0.0
    last: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))

    def note(self, seconds: float) -> None:
        self.counts[bisect_left(_EDGES, seconds)] += 1
        self.total += seconds
        self.last.append((time.monotonic(), seconds))

    def quantiles(self) -> Iterator[tuple[float, float]]:
        """None of them where nothing came lately, as Prometheus' own clients say then."""
        since = time.monotonic() - _KEPT_SECONDS
        found = sorted(seconds for at, seconds in self.last if at >= since)
        for quantile in _QUANTILES:
            place = max(math.ceil(quantile * len(found)) - 1, 0)
            yield quantile, found[place] if found else math.nan


class _Family:
    """A histogram and a summary of the same."""

    def __init__(self, name: str, about: str, labels: Sequence[str]) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._found: dict[_Labels, _Latencies] = {}

    def note(self, labels: _Labels, seconds: float) -> None:
        self._found.setdefault(labels, _Latencies()).note(seconds)

    def lines(self) -> Iterator[str]:
        if not self._found:
            return
        yield from _head(self._name, f"A histogram of latencies for {self._about}", "histogram")
        for values, found in self._found.items():
            labels = dict(zip(self._labels, values, strict=True))
            so_far = 0
            for edge, count in zip((*_EDGES, math.inf), found.counts, strict=True):
                so_far += count
                shown = "+Inf" if edge == math.inf else repr(edge)
                yield f"{self._name}_bucket{_written({**labels, 'le': shown})} {so_far}"
            yield from _ends(self._name, labels, found)
        name = f"{self._name}_summary"
        yield from _head(name, f"A summary of latencies for {self._about}", "summary")
        for values, found in self._found.items():
            labels = dict(zip(self._labels, values, strict=True))
            for quantile, seconds in found.quantiles():
                shown = "NaN" if math.isnan(seconds) else repr(seconds)
                yield f"{name}{_written({**labels, 'quantile': f'{quantile:g}'})} {shown}"
            yield from _ends(name, labels, found)


class Metrics:
    def __init__(self, deployment: str, predictor: Predictor) -> None:
        self._fixed = (deployment, predictor.name, predictor.annotations.get("version", ""))
        fixed = ("deployment_name", "predictor_name", "predictor_version", "service")
        self._server = _Family(_SERVER, "executor server", (*fixed, "method", "code"))
        of_model = ("model_name", "model_image", "model_version")
        self._client = _Family(_CLIENT, "client calls from executor", (*fixed, *of_model, "method", "code"))

    def answered(self, service: str, method: str, code: str, seconds: float) -> None:
        self._server.note((*self._fixed, service, method.lower(), code), seconds)

    def asked(self, unit: Unit, service: str, method: str, code: str, seconds: float) -> None:
        """A unit, by `service`: a path, or a method of gRPC."""
        image, _, version = unit.image.partition(":")
        of_model = (unit.name, image, version if ":" not in version else "")
        self._client.note((*self._fixed, service, *of_model, method.lower(), code), seconds)

    def text(self) -> str:
        return "".join(f"{line}\n" for each in (self._server, self._client) for line in each.lines())


def _head(name: str, about: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _ends(name: str, labels: dict[str, str], found: _Latencies) -> tuple[str, str]:
    return (
        f"{name}_sum{_written(labels)} {found.total!r}",
        f"{name}_count{_written(labels)} {sum(found.counts)}",
    )


def _written(labels: dict[str, str]) -> str:
    return "{" + ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items()) + "}"
