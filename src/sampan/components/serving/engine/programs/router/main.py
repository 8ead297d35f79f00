"""The router as a program. Source: kserve 0.20 cmd/router/main.go (main, graphHandler, readyHandler)."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Sequence

from sampan.components.serving.engine.programs.router.calls import (
    CallError,
    Services,
    patterns_of,
    propagated,
)
from sampan.components.serving.engine.programs.router.conditions import INVALID, document
from sampan.components.serving.engine.programs.router.execution import Execution, GraphError, Outcome
from sampan.components.serving.engine.programs.router.graph import ROOT, Graph, read_graph
from sampan.components.serving.engine.programs.wire.client import Pool
from sampan.components.serving.engine.programs.wire.heads import Headers
from sampan.components.serving.engine.programs.wire.running import Server, run, serve
from sampan.components.serving.engine.programs.wire.server import Limits, Request, Response, text

PORT = 8080
READINESS = "/readyz"
_MOST_REQUEST_BYTES = 256 * 1024 * 1024
_JSON: Headers = [("Content-Type", "application/json")]
_LOOKED_INTO = 256 * 1024
"""Of larger answers the first character says whether they are JSON."""


class Router:
    """Answers requests. For one event loop."""

    def __init__(self, graph: Graph, patterns: Sequence[re.Pattern[str]] = ()) -> None:
        self._graph, self._patterns = graph, patterns
        self._pool = Pool()
        self._services = Services(self._pool, graph.timeouts.service_client)
        self.server = Server(
            self.handle,
            Limits(read_seconds=graph.timeouts.server_read, idle_seconds=graph.timeouts.server_idle),
        )

    async def close(self) -> None:
        await self.server.close()
        await self._pool.close()

    async def handle(self, request: Request) -> Response:
        if request.path == READINESS:
            return text(503, "shutting down") if self.server.is_draining else Response()
        try:
            async with asyncio.timeout(self._graph.timeouts.server_write or None):
                data = await request.read(_MOST_REQUEST_BYTES)
                headers = propagated(request.headers, self._patterns)
                outcome = await Execution(self._graph, self._services, headers).node(ROOT, data)
        except (GraphError, CallError) as error:
            return _failed(getattr(error, "status", 500), str(error))
        except TimeoutError:
            if not request.is_whole:
                raise
            limit = self._graph.timeouts.server_write
            return _failed(
                504, f"the graph had no answer within {limit:g} seconds (routerTimeouts.serverWrite)"
            )
        return Response(outcome.status, _headers(outcome), outcome.body)


def _failed(status: int, cause: str) -> Response:
    print(f"failed to process a request: {cause}", file=sys.stderr, flush=True)
    body = {"error": "Failed to process request", "cause": cause}
    return Response(status, list(_JSON), json.dumps(body).encode())


def _headers(outcome: Outcome) -> Headers:
    if _is_json(outcome.body):
        return list(_JSON)
    return [("Content-Type", outcome.content_type or "text/plain; charset=utf-8")]


def _is_json(body: bytes) -> bool:
    if len(body) > _LOOKED_INTO:
        return body[:64].lstrip()[:1] in (b"{", b"[", b'"')
    return document(body) is not INVALID


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="router", description="Routes requests through an InferenceGraph.")
    parser.add_argument("--graph-json", default="", help="the graph's spec")
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args(argv)
    try:
        graph = read_graph(options.graph_json)
    except ValueError as error:
        print(f"failed to read the graph: {error}", file=sys.stderr, flush=True)
        return 1
    patterns, wrong = patterns_of(os.environ.get("PROPAGATE_HEADERS"))
    for each in wrong:
        print(f"PROPAGATE_HEADERS has what is no pattern: {each}", file=sys.stderr, flush=True)

    async def begin() -> int:
        return await serve(Router(graph, patterns).server, options.port)

    return run(begin)
