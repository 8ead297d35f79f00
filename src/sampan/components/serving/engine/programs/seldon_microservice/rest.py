"""The microservice's HTTP server. Source: seldon-core 1.18.2 python/seldon_core/wrapper.py (get_rest_microservice).

Answers that are no number in JSON (NaN) are written as Python does, which Seldon's own clients read.
"""

from __future__ import annotations

import asyncio
import json
import os
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.seldon_microservice import methods as known
from sampan.components.serving.engine.programs.seldon_microservice import openapi
from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonMicroserviceException,
)
from sampan.components.serving.engine.programs.seldon_microservice.error_handlers import ErrorHandlers
from sampan.components.serving.engine.programs.seldon_microservice.forms import message_of, raw_of
from sampan.components.serving.engine.programs.seldon_microservice.metadata import metadata_of
from sampan.components.serving.engine.programs.seldon_microservice.methods import Methods
from sampan.components.serving.engine.programs.seldon_microservice.metrics import CONTENT_TYPE
from sampan.components.serving.engine.programs.wire.heads import Headers
from sampan.components.serving.engine.programs.wire.server import Request, Response

MOST_BYTES = 512 * 1024 * 1024
_JSON: Headers = [("Content-Type", "application/json")]


class Rest:
    """Answers requests. For one event loop; the user's class is asked in `threads`."""

    def __init__(self, methods: Methods, threads: Executor) -> None:
        self._methods, self._threads = methods, threads
        self._handlers = ErrorHandlers(methods.model)
        self._passes_bytes = os.environ.get("PAYLOAD_PASSTHROUGH", "").lower() in ("1", "true", "t")
        self.metadata = metadata_of(methods.model)
        ask, predict = methods.transform, known.PREDICT
        self._asked: Mapping[str, Callable[[Any], Any]] = {
            "/predict": lambda message: ask(predict, message),
            "/transform-input": lambda message: ask(known.TRANSFORM_INPUT, message),
            "/transform-output": lambda message: ask(known.TRANSFORM_OUTPUT, message),
            "/route": methods.route,
            "/aggregate": methods.aggregate,
            "/send-feedback": methods.send_feedback,
        }
        self._long = {
            f"/api/{version}/{name}": self._asked[short]
            for version in ("v1.0", "v0.1")
            for name, short in (("predictions", "/predict"), ("feedback", "/send-feedback"))
        }
        self._read: Mapping[str, Callable[[], Any]] = {
            "/health/status": methods.health_status,
            "/api/v1.0/health/status": methods.health_status,
            "/metadata": self._told_metadata,
            "/seldon.json": openapi.microservice,
            "/api/v1.0/metadata": self._told_metadata,
        }

    async def handle(self, request: Request) -> Response:
        path, method = request.path, request.method
        if method == "OPTIONS":
            return _shared(Response(200))
        if path == "/health/ping":
            return Response(200, [("Content-Type", "text/html; charset=utf-8")], b"pong")
        if path in self._read:
            return await self._answer(self._read[path]) if method in ("GET", "HEAD") else _not_here(path)
        call = self._asked.get(path) if method in ("GET", "POST") else None
        call = call or (self._long.get(path) if method == "POST" else None)
        if call is None:
            return _not_here(path)
        body = await request.read(MOST_BYTES)
        query = request.head.target.partition("?")[2]
        if self._passes_bytes and call is self._asked["/predict"]:
            return await self._answer(lambda: call(raw_of(query, body)))
        return await self._answer(lambda: call(message_of(request.get("content-type"), query, body)))

    async def metrics(self, request: Request) -> Response:
        """Of the port for metrics, under any path."""
        return Response(200, [("Content-Type", CONTENT_TYPE)], self._methods.metrics.text().encode())

    async def _answer(self, ask: Callable[[], Any]) -> Response:
        loop = asyncio.get_running_loop()
        try:
            found, status = await loop.run_in_executor(self._threads, ask), 200
        except SeldonMicroserviceException as error:
            found, status = error.to_dict(), error.status_code
        except Exception as error:
            if (told := self._handlers.answer(error)) is not None:
                return _shared(told)
            traceback.print_exc()
            failure = SeldonMicroserviceException(
                str(error), status_code=500, reason="MICROSERVICE_INTERNAL_ERROR"
            )
            found, status = failure.to_dict(), 500
        told = found.get("status") if isinstance(found, Mapping) else None
        if status == 200 and isinstance(told, Mapping) and isinstance(told.get("code"), int):
            status = told["code"] if 100 <= told["code"] <= 599 else status
        try:
            body = found if isinstance(found, bytes) else json.dumps(found, default=plain).encode()
        except (TypeError, ValueError) as error:
            failure = SeldonMicroserviceException(
                f"the answer is no JSON: {error}", status_code=500, reason="MICROSERVICE_INTERNAL_ERROR"
            )
            body, status = json.dumps(failure.to_dict()).encode(), 500
        return _shared(Response(status, list(_JSON), body))

    def _told_metadata(self) -> Any:
        if self.metadata is None:
            raise SeldonMicroserviceException(
                "Model metadata unavailable", status_code=500, reason="MICROSERVICE_BAD_METADATA"
            )
        return self.metadata


def plain(value: Any) -> Any:
    """What JSON has no word for, as it has one. Raises TypeError."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, set | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def _not_here(path: str) -> Response:
    failure = SeldonMicroserviceException(
        f"404 Not Found: {path} is no path of a microservice's, or not for this method",
        reason="MICROSERVICE_INTERNAL_ERROR",
    )
    return Response(404, list(_JSON), json.dumps(failure.to_dict()).encode())


def _shared(response: Response) -> Response:
    """Pages of any origin may read it, as upstream lets them."""
    response.headers.append(("Access-Control-Allow-Origin", "*"))
    return response
