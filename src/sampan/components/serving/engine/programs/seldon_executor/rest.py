"""The executor's HTTP server. Source: seldon-core 1.18.2 executor/api/rest/{server,middlewares}.go,
executor/predictor/ready_checker.go.

Every request has an id, the header Seldon-Puid, made where it has none: it goes to each unit and back to the caller.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sampan.components.serving.engine.programs.seldon_executor import openapi
from sampan.components.serving.engine.programs.seldon_executor.events import Event, Events, Sender
from sampan.components.serving.engine.programs.seldon_executor.execution import (
    METADATA,
    STATUS,
    CallError,
    Execution,
    graph_metadata,
)
from sampan.components.serving.engine.programs.seldon_executor.graph import Predictor, Unit
from sampan.components.serving.engine.programs.seldon_executor.metrics import CONTENT_TYPE, Metrics
from sampan.components.serving.engine.programs.seldon_executor.rest_calls import (
    BINARY,
    JSON,
    MOST_BYTES,
    SELDON,
    TENSORFLOW,
    Payload,
    RestCalls,
    failure,
)
from sampan.components.serving.engine.programs.wire.client import Origin, Pool
from sampan.components.serving.engine.programs.wire.heads import HeadError, Headers
from sampan.components.serving.engine.programs.wire.server import Request, Response

PUID = "Seldon-Puid"
_READY_SECONDS = 5.0
_HEALTH = {SELDON: "/api/v1.0/health/status", "v2": "/v2/health/ready", "kfserving": "/v2/health/ready"}
_JSON: Headers = [("Content-Type", "application/json")]
_ALLOWED_HEADERS = "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token"
_OF_PAGES = {
    b"<": rb"\u003c",
    b">": rb"\u003e",
    b"&": rb"\u0026",
    "\u2028".encode(): rb"\u2028",
    "\u2029".encode(): rb"\u2029",
}
"""What a browser might take for a page's, in JSON, and how it is written there."""
Found = Callable[[Request, Headers, str], Awaitable[Response]]


class Rest:
    """Answers requests. For one event loop."""

    def __init__(
        self, predictor: Predictor, sender: Sender, pool: Pool, *, prometheus: str, checks_health: bool
    ) -> None:
        self._predictor, self._sender, self._pool = predictor, sender, pool
        self._prometheus, self._checks_health = prometheus, checks_health
        self.events = Events(pool, sender)
        self.metrics = Metrics(sender.deployment, predictor)
        self._timeout = 0.0
        self._injects = bool(os.environ.get("SELDON_ENABLE_ROUTING_INJECTION"))
        self._logs_to = os.environ.get("REQUEST_LOGGER_DEFAULT_ENDPOINT", "")
        self._routes = self._of_protocol(sender.protocol)

    def limit(self, seconds: float) -> None:
        """How long a unit has to answer; 0 for any time."""
        self._timeout = seconds

    async def handle(self, request: Request) -> Response:
        path = request.path
        if path == "/live":
            return Response(200)
        if path == "/ready":
            return Response(200 if await self._is_ready() else 503)
        if path == self._prometheus:
            return Response(200, [("Content-Type", CONTENT_TYPE)], self.metrics.text().encode())
        puid = request.get(PUID.lower()) or str(uuid.uuid4())
        headers = [*(each for each in request.headers if each[0].lower() != PUID.lower()), (PUID, puid)]
        response = await self._routed(request, headers)
        response.headers += [(PUID, puid), *self._told(request, puid)]
        return response

    async def _routed(self, request: Request, headers: Headers) -> Response:
        known = False
        for methods, expression, service, answer in self._routes:
            found = expression.fullmatch(request.path)
            if found is None:
                continue
            known = True
            if request.method == "OPTIONS":
                return Response(200)
            if request.method in methods:
                began = time.monotonic()
                response = await answer(request, headers, found.groupdict().get("model") or "")
                if service:
                    took = time.monotonic() - began
                    self.metrics.answered(service, request.method, str(response.status), took)
                return response
        return Response(405 if known else 404, [], b"")

    def _of_protocol(self, protocol: str) -> list[tuple[Sequence[str], re.Pattern[str], str, Found]]:
        post, get = ("POST",), ("GET", "HEAD")
        if protocol == SELDON:
            told: list[tuple[Sequence[str], str, str, Found]] = [
                (post, r"/api/v(0\.1|1\.0)/predictions", "predictions", self._predictions),
                (post, r"/api/v(0\.1|1\.0)/feedback", "feedback", self._feedback),
                (get, r"/api/v(0\.1|1\.0)/status/(?P<model>[^/]+)", "status", self._status),
                (get, r"/api/v1\.0/status", "status", self._checked),
                (get, r"/api/v1\.0/health/status", "status", self._checked),
                (get, r"/api/v(0\.1|1\.0)/metadata/(?P<model>[^/]+)", "metadata", self._metadata),
                (get, r"/api/v(0\.1|1\.0)/metadata", "metadata", self._graph_metadata),
                (get, r"/api/v(0\.1|1\.0)/doc/?(?P<model>[^/]*)", "", self._doc),
            ]
        elif protocol == TENSORFLOW:
            told = [
                (post, r"/v1/models/(?P<model>[^/:]*)/?:predict", "predictions", self._predictions),
                (post, r"/v1/models:predict", "predictions", self._predictions),
                (get, r"/v1/models/(?P<model>[^/:]+)", "status", self._status),
                (get, r"/v1/models/(?P<model>[^/:]+)/metadata", "metadata", self._metadata),
                (post, r"/api/v1\.0/feedback", "feedback", self._feedback),
            ]
        else:
            told = [
                (post, r"/v2/models/(?P<model>[^/]+)/infer", "predictions", self._predictions),
                (post, r"/v2/models/infer", "predictions", self._predictions),
                (get, r"/v2/models/(?P<model>[^/]+)/ready", "status", self._status),
                (get, r"/v2/models/(?P<model>[^/]+)", "metadata", self._metadata),
                (get, r"/v2/health/(ready|live)", "status", self._checked),
                (get, r"/v2/docs/?(?P<model>[^/]*)", "", self._inference_doc),
            ]
        return [(methods, re.compile(path), service, answer) for methods, path, service, answer in told]

    def _calls(self, headers: Headers, model: str = "") -> RestCalls:
        protocol = self._sender.protocol
        calls = RestCalls(self._pool, protocol, headers, model=model, timeout_seconds=self._timeout)
        calls.metrics = self.metrics
        return calls

    def _execution(self, headers: Headers, model: str = "") -> Execution[Payload]:
        puid = headers[-1][1]
        is_silent = any(
            name.lower() == "seldon-skip-logging" and value.lower() in ("true", "on", "1")
            for name, value in headers
        )

        def tell(unit: Unit, kind: str, payload: Any) -> None:
            url = unit.logger.url or self._logs_to
            if url and not is_silent:
                self.events.put(Event(url, kind, unit.name, puid, payload.plain, payload.content_type))

        return Execution(self._calls(headers, model), tell, self._injects)

    async def _predictions(self, request: Request, headers: Headers, model: str) -> Response:
        given = await _payload(request)
        execution = self._execution(headers, model)
        return await _answered(execution.predict(self._predictor.graph, given))

    async def _feedback(self, request: Request, headers: Headers, model: str) -> Response:
        given = await _payload(request)
        return await _answered(self._execution(headers).feedback(self._predictor.graph, given))

    async def _status(self, request: Request, headers: Headers, model: str) -> Response:
        return await self._of_unit(headers, model, STATUS)

    async def _metadata(self, request: Request, headers: Headers, model: str) -> Response:
        return await self._of_unit(headers, model, METADATA)

    async def _of_unit(self, headers: Headers, model: str, what: str) -> Response:
        unit = self._predictor.graph.find(model)
        if unit is None:
            return _response(failure(f"Failed to find model {model}"), 500)
        return await _answered(self._calls(headers, model).ask(unit, what, None))

    async def _graph_metadata(self, request: Request, headers: Headers, model: str) -> Response:
        calls, found = self._calls(headers), {}
        try:
            for unit in self._predictor.graph.all():
                if unit.host:
                    found[unit.name] = calls.to_json(await calls.ask(unit, METADATA, None))
        except CallError as error:
            return _response(error.payload or failure(str(error), error.status), error.status)
        whole = graph_metadata(self._predictor.name, self._predictor.graph, found)
        return Response(200, list(_JSON), json.dumps(whole).encode())

    async def _checked(self, request: Request, headers: Headers, model: str) -> Response:
        return Response(200 if await self._is_ready() else 503)

    async def _doc(self, request: Request, headers: Headers, file: str) -> Response:
        content_type, body = openapi.page(self._sender.namespace, self._sender.deployment, file)
        return Response(200 if body else 404, [("Content-Type", content_type)], body)

    async def _inference_doc(self, request: Request, headers: Headers, file: str) -> Response:
        told = openapi.inference_page(self._sender.namespace, self._sender.deployment, file)
        return Response(200 if told[1] else 404, [("Content-Type", told[0])], told[1])

    async def _is_ready(self) -> bool:
        units = [unit for unit in self._predictor.graph.all() if unit.host]
        return all(await asyncio.gather(*(self._can_be_asked(unit) for unit in units)))

    async def _can_be_asked(self, unit: Unit) -> bool:
        path = _HEALTH.get(self._sender.protocol)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                if self._checks_health and path:
                    answer = await self._pool.request("GET", Origin(unit.host, unit.http_port), path, [])
                    await answer.read(MOST_BYTES)
                    return answer.status == 200
                _, writer = await asyncio.open_connection(unit.host, unit.port)
                writer.close()
        except (OSError, TimeoutError, HeadError):
            return False
        return True

    def _told(self, request: Request, puid: str) -> Headers:
        """What every answer says beside its body."""
        found = [
            ("X-Content-Type-Options", "nosniff"),
            ("Access-Control-Allow-Origin", os.environ.get("CORS_ALLOWED_ORIGINS", "*")),
            ("Access-Control-Allow-Headers", os.environ.get("CORS_ALLOWED_HEADERS", _ALLOWED_HEADERS)),
        ]
        if request.get("ce-specversion"):
            name = self._sender.deployment
            found += [
                ("Ce-Id", puid),
                ("Ce-Specversion", "0.3"),
                ("Ce-Path", request.path),
                ("Ce-Type", f"seldon.{name}.{self._sender.namespace}.response"),
                ("Ce-Source", f"seldon.{name}"),
            ]
        return found


async def _payload(request: Request) -> Payload:
    body = await request.read(MOST_BYTES)
    encoding, json_length = request.get("content-encoding"), request.get(BINARY.lower())
    return Payload(body, request.get("content-type"), encoding, json_length)


async def _answered(asked: Awaitable[Payload]) -> Response:
    try:
        return _response(await asked, 200)
    except CallError as error:
        return _response(error.payload or failure(str(error), error.status), error.status)


def _response(payload: Payload, status: int) -> Response:
    body, is_json = payload.body, payload.content_type.partition(";")[0].strip() == JSON
    if is_json and not payload.encoding and not payload.json_length:
        for mark, escaped in _OF_PAGES.items():
            body = body.replace(mark, escaped)
    return Response(status, payload.headers, body)
