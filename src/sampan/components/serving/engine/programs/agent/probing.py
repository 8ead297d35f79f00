"""Readiness of the pod: the model server's own probe, asked from here.

Source: kserve 0.20 cmd/agent/main.go (buildProbe), knative.dev/serving pkg/queue/health/handler.go,
pkg/queue/readiness/probe.go, knative.dev/pkg network/handlers/drain.go. A kubelet's probe is known by its User-Agent,
whatever its path; it must carry `K-Network-Probe: queue`. Not so here: without SERVING_READINESS_PROBE the agent
starts, and is ready when it listens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.engine.programs.agent.proxy import HOST
from sampan.components.serving.engine.programs.wire.client import Origin, Pool
from sampan.components.serving.engine.programs.wire.heads import HeadError, Headers
from sampan.components.serving.engine.programs.wire.server import Request, Response, text

VARIABLE = "SERVING_READINESS_PROBE"
_HEADER, _WORD = "k-network-probe", "queue"
_AGENTS = ("kube-probe/", "knative-activator")


def is_probe(request: Request) -> bool:
    agent = request.get("user-agent").lower()
    return agent.startswith(_AGENTS) or bool(request.get("k-kubelet-probe")) or request.get(_HEADER) == _WORD


@dataclass(frozen=True, slots=True)
class Probe:
    """`port` 0: there is nothing to ask."""

    port: int = 0
    path: str = ""
    """Empty: whether it takes connections."""
    host: str = HOST
    headers: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 1.0

    async def is_met(self) -> bool:
        if not self.port:
            return True
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._ask()
        except (OSError, HeadError, TimeoutError):
            return False

    async def _ask(self) -> bool:
        if not self.path:
            _, writer = await asyncio.open_connection(self.host, self.port)
            writer.close()
            return True
        pool = Pool()
        headers: Headers = [("User-Agent", "kube-probe/agent"), *self.headers]
        answer = await pool.request("GET", Origin(self.host, self.port), self.path, headers)
        try:
            return 200 <= answer.status < 400
        finally:
            answer.close()
            await pool.close()


def probe_of(variable: str, component_port: int) -> Probe:
    """Of the variable's value, JSON of a probe. Raises ValueError for what is none."""
    if not variable:
        return Probe()
    told = json.loads(variable)
    if not isinstance(told, dict):
        raise ValueError("it is no object")
    timeout = told.get("timeoutSeconds")
    seconds = float(timeout) if isinstance(timeout, int) and timeout > 0 else 1.0
    if isinstance(http := told.get("httpGet"), Mapping):
        return Probe(
            _port(http, component_port),
            str(http.get("path") or "/"),
            headers=tuple(
                (str(each.get("name")), str(each.get("value")))
                for each in http.get("httpHeaders") or ()
                if isinstance(each, Mapping)
            ),
            timeout_seconds=seconds,
        )
    if isinstance(tcp := told.get("tcpSocket"), Mapping):
        return Probe(_port(tcp, component_port), timeout_seconds=seconds)
    return Probe()


def _port(told: Mapping[str, Any], component_port: int) -> int:
    """A port that has a name is the component's: that of which the probe was taken."""
    port = told.get("port")
    return port if isinstance(port, int) and port > 0 else component_port


async def answered(request: Request, probe: Probe, *, is_draining: bool) -> Response:
    if is_draining:
        return text(503, "shutting down")
    word = request.get(_HEADER)
    if word != _WORD:
        return text(400, f"unexpected probe header value: {word}")
    if not await probe.is_met():
        return Response(503)
    return Response(200, [("Content-Type", "text/plain; charset=utf-8")], _WORD.encode())
