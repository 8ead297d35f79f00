"""The ASGI application at `/tuning/v1` (docs/tuning-api.md): a row for each route says what a user must be allowed.

Made by the component's door with the first request. A route without rights to ask for cannot be written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.rest import answers, best, metrics, overview, trial_log
from sampan.components.tuning.rest.place import Place, place_of
from sampan.components.tuning.rest.sources import Sources
from sampan.kube import meta
from sampan.kube.errors import ApiError, BadRequestError, InternalError, NotFoundError, to_status
from sampan.kube.kinds import PODS
from sampan.lib.log import get_logger
from sampan.web.reviews import What, require, user_of

log = get_logger(__name__)

Answer = Callable[[Sources, Place, QueryParams], Awaitable[Any]]
_EXPERIMENT = "/namespaces/{namespace}/experiments/{name}"
_TRIAL = "/namespaces/{namespace}/trials/{name}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    path: str
    needs: Callable[[Place], tuple[What, ...]]
    answer: Answer
    """Gives what JSON can say, or a response."""


def _list(place: Place) -> tuple[What, ...]:
    return ((EXPERIMENTS, "", "", "list"),)


def _counted(place: Place) -> tuple[What, ...]:
    return (EXPERIMENTS, "", "", "list"), (TRIALS, "", "", "list")


def _whole(place: Place) -> tuple[What, ...]:
    return (EXPERIMENTS, "", place.name, "get"), (TRIALS, "", "", "list")


def _one(place: Place) -> tuple[What, ...]:
    return ((TRIALS, "", place.name, "get"),)


def _printed(place: Place) -> tuple[What, ...]:
    return (TRIALS, "", place.name, "get"), (PODS, "log", "", "get")


async def _overview(sources: Sources, place: Place, query: QueryParams) -> Any:
    return await overview.overview(sources.client, place.namespace or None)


async def _best(sources: Sources, place: Place, query: QueryParams) -> Any:
    form, experiment = query.get("as", "json"), await sources.trials.experiment(place.namespace, place.name)
    if form not in best.FORMS:
        raise BadRequestError(f"as must be one of {', '.join(best.FORMS)}")
    if form == "experiment":
        return _object(best.experiment_object(experiment), query)
    name = query.get("trial") or answers.best_name(experiment)
    if not name:
        raise NotFoundError(f'the experiment "{place.name}" has no best trial yet')
    trial = await sources.trial(place_of({"namespace": place.namespace, "name": name}))
    if not sources.trials.is_of(trial, place.name):
        raise NotFoundError(f'the experiment "{place.name}" has no trial "{name}"')
    if form == "run":
        return _object(best.run_object(trial, place.name), query)
    if form == "json":
        return best.answer(trial)
    if form == "env":
        return _text(best.as_env(trial))
    listed = meta.spec(experiment).get("parameters") or ()
    types = {str(each.get("name")): str(each.get("parameterType") or "") for each in listed}
    return _text(best.as_yaml(trial, types), "application/yaml")


def endpoints() -> tuple[Endpoint, ...]:
    """All of them. Security tests ask at each."""
    return (
        Endpoint("/experiments", _list, _overview),
        Endpoint("/metrics", _counted, metrics.metrics),
        Endpoint("/namespaces/{namespace}/experiments", _list, _overview),
        Endpoint(f"{_EXPERIMENT}/trials", _whole, answers.trials),
        Endpoint(f"{_EXPERIMENT}/curves", _whole, answers.curves),
        Endpoint(f"{_EXPERIMENT}/importances", _whole, answers.importances),
        Endpoint(f"{_EXPERIMENT}/pareto", _whole, answers.pareto),
        Endpoint(f"{_EXPERIMENT}/best", _whole, _best),
        Endpoint(f"{_TRIAL}/curves", _one, answers.trial_curves),
        Endpoint(f"{_TRIAL}/pods", _printed, trial_log.pods),
        Endpoint(f"{_TRIAL}/log", _printed, trial_log.log),
    )


class Api:
    """For one event loop."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        routes = [Route(each.path, self._answering(each), methods=["GET"]) for each in endpoints()]
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        self._app = Starlette(routes=[*routes, Route("/{path:path}", _nothing, methods=every)])
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            try:
                place = place_of(request.path_params)
                await require(self._sources.client, user_of(request), endpoint.needs(place), place.namespace)
                found = await endpoint.answer(self._sources, place, request.query_params)
                return found if isinstance(found, Response) else _json(found)
            except ApiError as error:
                return _json(to_status(error), error.code)
            except Exception as error:
                log.error("request failed", path=request.url.path, exc=error)
                failed = InternalError("the server failed at this request; its log says why")
                return _json(to_status(failed), failed.code)

        return answered


async def _nothing(_request: Request) -> Response:
    error = NotFoundError("the server could not find the requested resource")
    return _json(to_status(error), error.code)


def _object(value: Any, query: QueryParams) -> Response:
    if query.get("format", "yaml") == "json":
        return _json(value)
    return _text(best.dumped(value), "application/yaml")


def _json(value: Any, code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), code, media_type="application/json")


def _text(text: str, media_type: str = "text/plain") -> Response:
    return Response(text, media_type=f"{media_type}; charset=utf-8")
