"""Metrics that a pod serves to Prometheus, asked for while it runs; upstream's PrometheusMetric, for which it has no
collector.

Asked through the API's connection to the pod: on any cluster, and only of that very pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sampan.client.protocol import Client
from sampan.components.tuning.api.observing import MetricLog, finite
from sampan.components.tuning.controller.collecting.sources import RunKey
from sampan.components.tuning.engine.collecting.exposition import MAX_BYTES, samples
from sampan.components.tuning.engine.collecting.lines import Complaint
from sampan.components.tuning.engine.collecting.wanted import Wanted
from sampan.components.tuning.engine.trial.observation import Sums
from sampan.components.tuning.engine.trial.stopping import StopRules
from sampan.kube.errors import ApiError

_SECONDS = 3.0
_PATH, _PORT = "/metrics", 8080
_NUMBERS = {"+Inf": "inf", "Inf": "inf", "-Inf": "-inf", "NaN": "nan"}


class ScrapeSource:
    """One pod's endpoint. A value counts when it is another one than at the last look."""

    complaint: Complaint | None = None
    is_last_odd = False

    def __init__(self, client: Client, wanted: Wanted, run: RunKey, now: Callable[[], str]) -> None:
        self._port, self._path = _port(wanted.http), str(wanted.http.get("path") or _PATH)
        self.key = f"{run.uid}/{run.container}:{self._port}@"
        self.place = f"port {self._port} of pod {run.pod}"
        self.sums = Sums(wanted.objective)
        self.rules = StopRules(wanted.rules, wanted.objective)
        self.problem = f"{self._path} at {self.place} was never asked: it ended too soon"
        self._client, self._wanted, self._run, self._now = client, wanted, run, now
        self._new: list[MetricLog] = []
        self._last: dict[str, list[str]] = {}

    async def look(self) -> None:
        """Asks once; a pod that does not answer yet is asked again another time."""
        try:
            async with asyncio.timeout(_SECONDS):
                text = await self._fetched()
        except (OSError, ApiError, TimeoutError, ValueError) as error:
            if not self.sums.has_objective:
                self.problem = f"{self._path} at {self.place} gave no metrics: {error or 'no answer'}"
            return
        self.problem = "" if self.sums.has_objective else f"{self._path} at {self.place} has no such metric"
        self._take(text)

    def read(self, *, is_over: bool) -> list[MetricLog]:
        del is_over
        found, self._new = self._new, []
        return found

    def close(self) -> None:
        return

    def _take(self, text: str) -> None:
        seen: dict[str, list[str]] = {}
        for name, value in samples(text, self._wanted.metrics):
            number = _NUMBERS.get(value, value)
            if finite(number) is not None or number in _NUMBERS.values():
                seen.setdefault(name, []).append(number)
        now = self._now()
        for name, numbers in seen.items():
            if self._last.get(name) == numbers:
                continue
            self._last[name] = numbers
            for place, number in enumerate(numbers):
                log = MetricLog(now, name, number, f"{self.key}{now}#{place}")
                self.sums.take(log)
                self.rules.take(name, number)
                self._new.append(log)
        if self.sums.has_objective:
            self.problem = ""

    async def _fetched(self) -> str:
        """Raises OSError, ApiError, ValueError."""
        connection = await self._client.connect(self._run.pod, self._wanted.namespace, self._port)
        try:
            await connection.write(_request(self._path, self._wanted.http))
            data = bytearray()
            while piece := await connection.read():
                data += piece
                if len(data) > MAX_BYTES:
                    raise ValueError("it says more than is read")
        finally:
            await connection.close()
        return _body(bytes(data))


def _port(http: Mapping[str, Any]) -> int:
    try:
        port = int(http.get("port") or _PORT)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 65536:
        raise ValueError(
            f"metricsCollector.source.httpGet.port must be a number of a port, not {http.get('port')!r}"
        )
    return port


def _request(path: str, http: Mapping[str, Any]) -> bytes:
    """HTTP/1.0, so that the answer ends with the connection and comes in one piece."""
    if not path.startswith("/") or any(character <= " " or character == "\x7f" for character in path):
        raise ValueError(f"metricsCollector.source.httpGet.path is no path: {path!r}")
    lines = [
        f"GET {path} HTTP/1.0",
        "Host: localhost",
        "Accept: text/plain;version=0.0.4",
        "User-Agent: sampan",
    ]
    for each in http.get("httpHeaders") or ():
        if not isinstance(each, Mapping):
            continue
        line = f"{each.get('name')}: {each.get('value')}"
        if "\r" not in line and "\n" not in line:
            lines.append(line)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _body(answer: bytes) -> str:
    """Raises ValueError for what is no success."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if not status[0].startswith("HTTP/") or len(status) < 2:
        raise ValueError("this is no HTTP")
    if status[1] != "200":
        raise ValueError(f"it answered {' '.join(status[1:])}")
    if b"chunked" in head.lower():
        raise ValueError("it answers in chunks to HTTP/1.0")
    return body.decode("utf-8", "replace")
