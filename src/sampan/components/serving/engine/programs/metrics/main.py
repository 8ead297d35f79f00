"""The program: `GET /metrics` asks the model server and names the revision in what it says.

Source: kserve 0.20 qpext/cmd/qpext/main.go (variables, headers that go on).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from sampan.components.serving.engine.programs.metrics.labelling import labelled
from sampan.components.serving.engine.programs.wire.client import Origin, Pool, TooLargeError, origin_of
from sampan.components.serving.engine.programs.wire.heads import HeadError
from sampan.components.serving.engine.programs.wire.running import Server, run, serve
from sampan.components.serving.engine.programs.wire.server import Request, Response, Tunnel, text

PORT_VARIABLE = "AGGREGATE_PROMETHEUS_METRICS_PORT"
OF_PORT, OF_PATH = "KSERVE_CONTAINER_PROMETHEUS_METRICS_PORT", "KSERVE_CONTAINER_PROMETHEUS_METRICS_PATH"
LABELS = {
    "service_name": "SERVING_SERVICE",
    "configuration_name": "SERVING_CONFIGURATION",
    "revision_name": "SERVING_REVISION",
}
PORT = 9088
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"
_PASSED = ("User-Agent", _TIMEOUT)
_SECONDS = 10.0
_MOST_BYTES = 64 * 1024 * 1024


class Metrics:
    """For one event loop."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises ValueError."""
        port, path = environ.get(OF_PORT) or "8080", environ.get(OF_PATH) or "/metrics"
        self._origin: Origin
        self._origin, self._target = origin_of(f"http://127.0.0.1:{int(port)}/{path.lstrip('/')}")
        self._labels = {name: environ.get(variable, "") for name, variable in LABELS.items()}
        self._pool = Pool()
        self.server = Server(self.handle)

    async def handle(self, request: Request) -> Response | Tunnel:
        if request.path != "/metrics":
            return text(404, "404 page not found")
        passed = [(name, told) for name in _PASSED if (told := request.get(name.lower()))]
        try:
            async with asyncio.timeout(_seconds(request.get(_TIMEOUT.lower()))):
                sent = [("Accept", "text/plain"), *passed]
                answer = await self._pool.request("GET", self._origin, self._target, sent)
                data = await answer.read(_MOST_BYTES)
        except (OSError, HeadError, TooLargeError, TimeoutError) as error:
            return text(
                503, f"the container's metrics could not be had: {str(error) or type(error).__name__}"
            )
        if answer.status != 200:
            return text(503, f"the container answered {answer.status} when it was asked for its metrics")
        body = labelled(data.decode("utf-8", "replace"), self._labels).encode()
        return Response(200, [("Content-Type", _CONTENT_TYPE)], body)

    async def close(self) -> None:
        await self._pool.close()


def main() -> int:
    async def begin() -> int:
        try:
            metrics = Metrics(os.environ)
            port = int(os.environ.get(PORT_VARIABLE) or PORT)
        except ValueError as error:
            print(f"a port in the variables is no number: {error}", file=sys.stderr, flush=True)
            return 1
        return await serve(metrics.server, port, before_end=metrics.close)

    return run(begin)


def _seconds(told: str) -> float:
    try:
        return min(max(float(told), 0.1), _SECONDS)
    except ValueError:
        return _SECONDS
