"""The ASGI application at `/katib`: what Katib's own pages call, with their parameters, bodies, codes and shapes.

Source: kubeflow/katib 0.19 cmd/ui/v1beta1/main.go, pkg/ui/v1beta1. As there, errors
are text, 400 for a parameter that is missing, 403 for what is not allowed and 500 for all else. Otherwise than there,
every route asks for the user's rights, and what changes something is no GET.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.reading import condition_of
from sampan.components.tuning.rest import katib_templates, katib_texts, trial_log
from sampan.components.tuning.rest.overview import every_experiment
from sampan.components.tuning.rest.place import Place, is_name
from sampan.components.tuning.rest.sources import Sources
from sampan.kube import meta
from sampan.kube.errors import (
    ApiError,
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    RequestTooLargeError,
    UnauthorizedError,
)
from sampan.kube.kinds import NAMESPACES, PODS
from sampan.lib.log import get_logger
from sampan.web import asgi
from sampan.web.guards import User
from sampan.web.reviews import What, is_allowed, require, user_of

log = get_logger(__name__)

_PAGES = "/ui/tuning/experiments"
_MOST_BYTES = 3 * 1024 * 1024
_MOST_LOG_BYTES = 32 * 1024 * 1024
_LOG_LINES = 100_000
_DELETION_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered."""

    sources: Sources
    user: User
    place: Place
    body: Any = None
    """Of one that changes something and has a body."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    path: str
    answer: Callable[[Asked], Awaitable[Any]]
    parameters: tuple[str, ...] = ()
    """Of the query: `namespace`, and what names the object. The place is made of them."""
    needs: Callable[[Place], tuple[What, ...]] | None = None
    """None where the answer itself asks for rights."""
    changes: bool = False


async def _experiments(asked: Asked) -> Any:
    found = await every_experiment(asked.sources.client, asked.place.namespace or None)
    return [katib_texts.experiment_view(each) for each in found]


async def _create(asked: Asked) -> Any:
    if not isinstance(asked.body, dict) or "postData" not in asked.body:
        raise ValueError("Couldn't load the 'postData' field of the request's data")
    posted = asked.body["postData"]
    if not isinstance(posted, dict) or not isinstance(posted.get("metadata"), dict):
        raise ValueError("postData must be an Experiment with metadata")
    wanted = {**posted, "apiVersion": EXPERIMENTS.api_version, "kind": EXPERIMENTS.kind}
    wanted.pop("status", None)
    namespace, name = meta.namespace(wanted), meta.name(wanted)
    if not is_name(namespace):
        raise ValueError("postData.metadata.namespace must name a namespace")
    await require(asked.sources.client, asked.user, [(EXPERIMENTS, "", name, "create")], namespace)
    await asked.sources.client.create(EXPERIMENTS, wanted)
    return Response(b"")


async def _delete(asked: Asked) -> Any:
    """Answers with the experiments that are left, once it is gone."""
    client, place = asked.sources.client, asked.place
    uid = meta.uid(await client.get(EXPERIMENTS, place.name, place.namespace))
    await client.delete(EXPERIMENTS, place.name, place.namespace)
    deadline = asked.sources.clock.monotonic() + _DELETION_SECONDS
    while await _is_there(asked.sources, place, uid):
        if asked.sources.clock.monotonic() > deadline:
            raise TimeoutError("the experiment is being deleted, and not gone yet: look again in a moment")
        await asyncio.sleep(_LOOK_SECONDS)
    everywhere = await is_allowed(client, asked.user, (EXPERIMENTS, "", "", "list"), "")
    if not everywhere and not await is_allowed(
        client, asked.user, (EXPERIMENTS, "", "", "list"), place.namespace
    ):
        return []
    found = await every_experiment(client, None if everywhere else place.namespace)
    return [katib_texts.experiment_view(each) for each in found]


async def _is_there(sources: Sources, place: Place, uid: str) -> bool:
    try:
        return meta.uid(await sources.client.get(EXPERIMENTS, place.name, place.namespace)) == uid
    except NotFoundError:
        return False


async def _experiment(asked: Asked) -> Any:
    found = await asked.sources.client.get(EXPERIMENTS, asked.place.name, asked.place.namespace)
    return katib_texts.whole_experiment(found)


async def _suggestion(asked: Asked) -> Any:
    return await asked.sources.client.get(SUGGESTIONS, asked.place.name, asked.place.namespace)


async def _trial(asked: Asked) -> Any:
    return await asked.sources.trial(asked.place)


async def _trials_text(asked: Asked) -> Any:
    experiment = await asked.sources.trials.experiment(asked.place.namespace, asked.place.name)
    found = await asked.sources.trials.of(asked.place.namespace, asked.place.name)
    return katib_texts.trials_text(experiment, sorted(found, key=meta.name))


async def _log_text(asked: Asked) -> Any:
    trial = await asked.sources.trial(asked.place)
    lines = await asked.sources.observations.of(asked.place.namespace, asked.place.name)
    return katib_texts.log_text(trial, lines)


async def _networks(asked: Asked) -> Any:
    namespace = asked.place.namespace
    found = sorted(await asked.sources.trials.of(namespace, asked.place.name), key=meta.name)
    return [
        katib_texts.network_view(at, trial, await asked.sources.observations.of(namespace, meta.name(trial)))
        for at, trial in enumerate(found)
        if katib_texts.succeeded(trial)
    ]


async def _templates(asked: Asked) -> Any:
    return {"Data": await katib_templates.listed(asked.sources.client, asked.user)}


def _changing(action: str) -> Callable[[Asked], Awaitable[Any]]:
    async def answered(asked: Asked) -> Any:
        if not isinstance(asked.body, dict):
            raise BadRequestError("the body must be a JSON object")
        wanted = katib_templates.read_change(action, asked.body)
        await katib_templates.change(asked.sources.client, asked.user, wanted)
        return await _templates(asked)

    return answered


async def _namespaces(asked: Asked) -> Any:
    """Those in which the user may list experiments."""
    found = (await asked.sources.client.list(NAMESPACES)).items
    what = (EXPERIMENTS, "", "", "list")
    names = sorted(map(meta.name, found))
    return [each for each in names if await is_allowed(asked.sources.client, asked.user, what, each)]


async def _logs(asked: Asked) -> Any:
    """Of what the collector read, as upstream shows it, where there is such a thing; else what the trial printed."""
    trial = await asked.sources.trial(asked.place)
    query = trial_log.LogQuery(tail=_LOG_LINES)
    every = await trial_log.pods_of(asked.sources, trial)
    if not every:
        return await _text_of(await trial_log.opened(asked.sources, trial, query))
    pod, container = await trial_log.chosen(asked.sources, trial, query)
    if pod.phase == "Pending" and condition_of(trial) in ("", "Created", "Running"):
        raise NotFoundError("Failed to get logs for this Trial. Pod is in the Pending or Unknown state.")
    containers = [container]
    collector = trial_log.collector_of(trial)
    if collector in pod.known.containers:
        containers.insert(0, collector)
    for each in containers:
        if text := await _text_of(trial_log.printed(asked.sources, pod, each, query)):
            return text
    return ""


async def _text_of(lines: AsyncIterator[bytes]) -> str:
    """As much of it as one answer may have."""
    parts, size = [], 0
    async for part in lines:
        parts.append(part)
        size += len(part)
        if size > _MOST_LOG_BYTES:
            break
    return b"".join(parts)[:_MOST_LOG_BYTES].decode("utf-8", "replace")


def _get_experiment(place: Place) -> tuple[What, ...]:
    return ((EXPERIMENTS, "", place.name, "get"),)


def _get_trials(place: Place) -> tuple[What, ...]:
    return (EXPERIMENTS, "", place.name, "get"), (TRIALS, "", "", "list")


def _get_trial(place: Place) -> tuple[What, ...]:
    return ((TRIALS, "", place.name, "get"),)


_EXPERIMENT, _TRIAL = ("namespace", "experimentName"), ("namespace", "trialName")


def endpoints() -> tuple[Endpoint, ...]:
    """All of them. Security tests ask at each."""
    return (
        Endpoint(
            "/fetch_experiments", _experiments, ("namespace",), lambda _: ((EXPERIMENTS, "", "", "list"),)
        ),
        Endpoint("/create_experiment", _create, changes=True),
        Endpoint(
            "/delete_experiment",
            _delete,
            _EXPERIMENT,
            lambda place: ((EXPERIMENTS, "", place.name, "delete"),),
            changes=True,
        ),
        Endpoint("/fetch_experiment", _experiment, _EXPERIMENT, _get_experiment),
        Endpoint("/fetch_trial", _trial, _TRIAL, _get_trial),
        Endpoint(
            "/fetch_suggestion",
            _suggestion,
            ("namespace", "suggestionName"),
            lambda place: ((SUGGESTIONS, "", place.name, "get"),),
        ),
        Endpoint("/fetch_hp_job_info", _trials_text, _EXPERIMENT, _get_trials),
        Endpoint(
            "/fetch_hp_job_trial_info", _log_text, _TRIAL, lambda place: ((TRIALS, "", place.name, "list"),)
        ),
        Endpoint("/fetch_nas_job_info", _networks, _EXPERIMENT, _get_trials),
        Endpoint("/fetch_trial_templates", _templates),
        Endpoint("/add_template", _changing("add"), changes=True),
        Endpoint("/edit_template", _changing("edit"), changes=True),
        Endpoint("/delete_template", _changing("delete"), changes=True),
        Endpoint("/fetch_namespaces", _namespaces),
        Endpoint(
            "/fetch_trial_logs",
            _logs,
            _TRIAL,
            lambda place: (*_get_trial(place), (PODS, "log", "", "get")),
        ),
    )


class KatibApi:
    """For one event loop."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        every = ["GET", *_CHANGING]
        # With a slash at the end, as upstream's pages write them, and whatever comes behind it.
        routes = [
            Route(path, self._answering(each), methods=every)
            for each in endpoints()
            for path in (each.path, f"{each.path}/{{rest:path}}")
        ]
        self._app = Starlette(routes=[*routes, Route("/{path:path}", _elsewhere, methods=every)])
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            if endpoint.changes and request.method not in _CHANGING:
                return _text("this changes something: send a POST or DELETE", 405)
            try:
                return await self._answered(endpoint, request)
            except UnauthorizedError as error:
                return _text(error.message, 401)
            except ForbiddenError as error:
                return _text(error.message, 403)
            except BadRequestError as error:
                return _text(error.message, 400)
            except RequestTooLargeError as error:
                return _text(error.message, 413)
            except ApiError as error:
                return _text(error.message, 500)
            except (ValueError, TimeoutError) as error:
                return _text(str(error), 500)
            except Exception as error:
                log.error("request failed", path=request.url.path, exc=error)
                return _text("the server failed at this request; its log says why", 500)

        return answered

    async def _answered(self, endpoint: Endpoint, request: Request) -> Response:
        user = user_of(request)
        place = _place(endpoint, request)
        if endpoint.needs is not None:
            await require(self._sources.client, user, endpoint.needs(place), place.namespace)
        body = None
        if endpoint.changes and not endpoint.parameters:
            data = await asgi.read_body(request.scope, request.receive, _MOST_BYTES)
            body = msgspec.json.decode(data)
        found = await endpoint.answer(Asked(self._sources, user, place, body))
        if isinstance(found, Response):
            return found
        return Response(msgspec.json.encode(found), media_type="application/json")


def _place(endpoint: Endpoint, request: Request) -> Place:
    """Raises BadRequestError for a parameter that is missing or names nothing."""
    if not endpoint.parameters:
        return Place("")
    values = []
    for each in endpoint.parameters:
        if each not in request.query_params:
            raise BadRequestError(f"no '{each}' query parameter was provided")
        # The first one counts, as upstream reads them.
        value = request.query_params.getlist(each)[0]
        # No namespace at all means every namespace, to who lists.
        if not is_name(value) and (value or len(endpoint.parameters) > 1):
            raise BadRequestError(f"{each}: {value[:100]!r} is no name that Kubernetes allows")
        values.append(value)
    return Place(*values)


async def _elsewhere(request: Request) -> Response:
    """Addresses of upstream's pages lead to ours."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(_PAGES)
    return _text("404 page not found", 404)


def _text(message: str, code: int) -> Response:
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(f"{message}\n", code, headers, "text/plain; charset=utf-8")
