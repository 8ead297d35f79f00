"""The ASGI application at `/training/v1`: which path is answered by what, errors as a Kubernetes Status.

Made by the component's door with the first request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sampan.components import Services
from sampan.components.training.rest.access import JobPlace, job_place, require_logs
from sampan.components.training.rest.logs import answer_log
from sampan.components.training.rest.metrics import MetricsReader
from sampan.components.training.rest.sources import LogSource
from sampan.kube.errors import ApiError, InternalError, NotFoundError, to_status
from sampan.lib.log import get_logger

log = get_logger(__name__)

_JOB = "/namespaces/{namespace}/{plural}/{name}"
Answer = Callable[[LogSource, Request, JobPlace], Awaitable[Response]]


def api_of(services: Services) -> Api:
    is_local = services.pod_files is None
    return Api(LogSource(services.client, services.clock, services.home, is_local, services.pod_places))


class Api:
    """For one event loop. Close it."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._metrics = MetricsReader()
        self._app = Starlette(
            routes=[
                Route(f"{_JOB}/log", self._endpoint(answer_log), methods=["GET"]),
                Route(f"{_JOB}/metrics", self._endpoint(self._metrics), methods=["GET"]),
                Route("/{path:path}", _nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ]
        )
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def close(self) -> None:
        self._metrics.close()

    def _endpoint(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            try:
                place = job_place(request)
                await require_logs(self._source.client, request, place)
                return await answer(self._source, request, place)
            except ApiError as error:
                return _status(error)
            except Exception as error:
                log.error("request failed", path=request.url.path, exc=error)
                return _status(InternalError("the server failed at this request; its log says why"))

        return answered


async def _nothing(_request: Request) -> Response:
    return _status(NotFoundError("the server could not find the requested resource"))


def _status(error: ApiError) -> Response:
    return Response(msgspec.json.encode(to_status(error)), error.code, media_type="application/json")
