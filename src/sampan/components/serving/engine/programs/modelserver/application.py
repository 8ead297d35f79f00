"""Requests over HTTP to models and back: routes of V1, V2, the repository, metrics, OpenAI's. Made by `serving`.

A model that is a Runtime is asked through its lane, by calls: no task for a request. One that answers whole requests
(Opaque) gets a task for each. Routes and answers are kserve's.
Source: kserve 0.20 python/kserve/kserve/protocol/rest/{server,v1_endpoints,v2_endpoints}.py, protocol/dataplane.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver import openai, v1, v2
from sampan.components.serving.engine.programs.modelserver.batching import Outcome
from sampan.components.serving.engine.programs.modelserver.contract import Opaque, Runtime
from sampan.components.serving.engine.programs.modelserver.control import Control
from sampan.components.serving.engine.programs.modelserver.errors import (
    NoRouteError,
    RequestError,
    not_ready,
)
from sampan.components.serving.engine.programs.modelserver.failures import answer_of
from sampan.components.serving.engine.programs.modelserver.http.messages import (
    Reply,
    Request,
    Response,
    Stream,
)
from sampan.components.serving.engine.programs.modelserver.repository import Repository, Served
from sampan.components.serving.engine.programs.modelserver.request_log import RequestLog
from sampan.components.serving.engine.programs.modelserver.statistics import CONTENT_TYPE, prometheus, triton

NAME = "sampan"
VERSION = "0.1.0"
EXTENSIONS = ("model_repository_extension", "model_repository", "binary_tensor_data", "statistics")
_ALIVE = Response(body=b'{"status":"alive"}')


class Application:
    """For one event loop. `handle` never raises."""

    def __init__(self, repository: Repository, control: Control, log: RequestLog) -> None:
        self._repository = repository
        self.log = log
        self._control = control
        self._tasks: set[asyncio.Task[None]] = set()
        self._openai = openai.OpenAI(repository, self._spawn, NAME)
        self._extension = repository.extension
        if self._extension is not None:
            self._extension.bind(lambda reply: self._spawn(self._metrics(reply), reply))
        self.is_stopping = False

    def handle(self, request: Request, reply: Reply) -> None:
        try:
            self._route(request, reply)
        except BaseException as problem:
            reply(answer_of(problem))

    def _route(self, request: Request, reply: Reply) -> None:
        path = request.path
        if self._extension is not None and self._extension.route(request, reply):
            return
        if path.startswith("/v1/models/") and len(path) > 11:
            self._v1(request, path[11:], reply)
        elif path.startswith("/v2/models/") and len(path) > 11:
            self._v2(request, path[11:].split("/"), reply)
        elif path.startswith("/v2/repository/"):
            self._repository_route(request, path[15:].strip("/").split("/"), reply)
        elif (route := openai.route_of(path)) is not None:
            self._openai.handle(request, route, reply)
        else:
            self._fixed(request, path.rstrip("/"), reply)

    def _fixed(self, request: Request, path: str, reply: Reply) -> None:
        if path not in (
            "",
            "/metrics",
            "/v1/models",
            "/v2",
            "/v2/models",
            "/v2/health/live",
            "/v2/health/ready",
        ):
            raise NoRouteError(404, "Not Found")
        _only(request, "GET")
        if path == "":
            reply(_ALIVE)
        elif path == "/metrics":
            self._spawn(self._metrics(reply), reply)
        elif path in ("/v1/models", "/v2/models"):
            # OpenAI's clients look below /v1 too: V1's own know nothing of what is beside `models`.
            listed = self._openai.told_beside() if path == "/v1/models" else {}
            reply(_json({"models": self._repository.names(), **listed}))
        elif path == "/v2":
            reply(_json({"name": NAME, "version": VERSION, "extensions": EXTENSIONS}))
        elif path == "/v2/health/live":
            reply(_json({"live": True}))
        else:
            is_ready = self.is_ready()
            reply(_json({"ready": is_ready}, 200 if is_ready else 503))

    def is_ready(self) -> bool:
        return not self.is_stopping and self._repository.is_ready()

    def _ready(self, served: Served, reply: Reply) -> None:
        """Of one model. A transformer may be told to ask whether its predictor is, too."""
        asks = getattr(served.model, "is_ready", None)
        told = _json({"name": served.name, "ready": True})
        if asks is None:
            reply(told)
            return

        async def ask() -> None:
            if not await asks():
                raise not_ready(served.name)
            reply(told)

        self._spawn(ask(), reply)

    # V1

    def _v1(self, request: Request, rest: str, reply: Reply) -> None:
        name, colon, verb = rest.partition(":")
        if not colon:
            _only(request, "GET")
            self._ready(self._repository.ready(name.rstrip("/")), reply)
            return
        if verb not in ("predict", "explain"):
            raise NoRouteError(404, "Not Found")
        _only(request, "POST")
        served = self._repository.ready(name)
        if served.lane is None:
            self._spawn(self._v1_opaque(served, verb, request, reply), reply)
        elif verb == "explain":
            raise RequestError(501, f"Model with name {name} explains nothing.")
        else:
            self._v1_runtime(served, request, reply)

    def _v1_runtime(self, served: Served, request: Request, reply: Reply) -> None:
        begin = time.perf_counter()
        statistics = served.statistics
        runtime: Runtime = served.model  # type: ignore[assignment]
        try:
            document, event = v1.read(request.body, request.headers)
            inputs = runtime.from_instances(v1.instances(document))
            read = time.perf_counter()

            def done(outcome: Outcome) -> None:
                ran = time.perf_counter()
                try:
                    if isinstance(outcome, BaseException):
                        raise outcome
                    body = v1.write({"predictions": runtime.to_predictions(outcome)})
                    answer = Response(200, body)
                    if event is not None:
                        answer = Response(200, *v1.answered(event, served.name, body))
                except BaseException as problem:
                    answer = answer_of(problem)
                end = time.perf_counter()
                statistics.observe("preprocess", read - begin)
                statistics.observe("predict", ran - read)
                statistics.observe("postprocess", end - ran)
                statistics.answered(answer.status, end - begin)
                self.log.answered(request.headers, read - begin, ran - read, end - ran)
                reply(answer)

            served.lane.submit(inputs, {}, done)  # type: ignore[union-attr]
        except BaseException as problem:
            answer = answer_of(problem)
            statistics.answered(answer.status, time.perf_counter() - begin)
            reply(answer)

    async def _v1_opaque(self, served: Served, verb: str, request: Request, reply: Reply) -> None:
        begin = time.perf_counter()
        status = 200
        try:
            document, event = v1.read(request.body, request.headers)
            found = await served.model.v1(verb, document, request.headers)  # type: ignore[union-attr]
            headers: Mapping[str, str] = {}
            if isinstance(found, Answered):
                found, headers = found.value, found.headers
            if isinstance(found, AsyncIterator):
                reply(Stream(found, headers=headers))
            elif isinstance(found, bytes | str) and event is None:
                text = found.encode() if isinstance(found, str) else found
                reply(Response(200, text, "application/octet-stream", headers))
            else:
                body = v1.write(found)
                if event is not None:
                    body, kind, own = v1.answered(event, served.name, body)
                    reply(Response(200, body, kind, {**headers, **own}))
                else:
                    reply(Response(200, body, headers=headers))
        except Exception as problem:
            answer = answer_of(problem)
            status = answer.status
            reply(answer)
        took = time.perf_counter() - begin
        served.statistics.answered(status, took)
        predict, explain = (0.0, took) if verb == "explain" else (took, 0.0)
        self.log.answered(request.headers, 0.0, predict, 0.0, explain=explain)

    # V2

    def _v2(self, request: Request, parts: Sequence[str], reply: Reply) -> None:
        name, version, rest = parts[0], "", [each for each in parts[1:] if each]
        if rest[:1] == ["versions"] and len(rest) >= 2:
            version, rest = rest[1], rest[2:]
        action = "/".join(rest)
        if action not in ("", "ready", "infer", "stats"):
            raise NoRouteError(404, "Not Found")
        _only(request, "POST" if action == "infer" else "GET")
        if action == "":
            told = self._repository.described(name)
            _check_version(told, version)
            reply(_json(v2.metadata(told.metadata, name, told.metadata.versions)))
            return
        served = self._repository.ready(name) if action != "stats" else self._repository.known(name)
        _check_version(served, version)
        if action == "ready":
            self._ready(served, reply)
        elif action == "stats":
            self._spawn(self._statistics(name, reply), reply)
        else:
            self._infer(served, request, version, reply)

    def _infer(self, served: Served, request: Request, version: str, reply: Reply) -> None:
        begin = time.perf_counter()
        inference = v2.read(request.body, request.headers.get(v2.HEAD_LENGTH))

        def done(outcome: Outcome | Answered) -> None:
            ran = time.perf_counter()
            headers: Mapping[str, str] = {}
            try:
                if isinstance(outcome, BaseException):
                    raise outcome
                if isinstance(outcome, Answered):
                    outputs, headers, told_back = outcome.value, outcome.headers, outcome.parameters
                else:
                    outputs, told_back = outcome, {}
                body, length = v2.write(served.name, version, inference, outputs, told_back)
                if length is None:
                    answer = Response(200, body, headers=headers)
                else:
                    answer = Response(
                        200, body, v2.BINARY, {**headers, "Inference-Header-Content-Length": str(length)}
                    )
            except BaseException as problem:
                answer = answer_of(problem)
            end = time.perf_counter()
            served.statistics.observe("postprocess", end - ran)
            served.statistics.observe("predict", ran - read)
            served.statistics.answered(answer.status, end - begin)
            self.log.answered(request.headers, read - begin, ran - read, end - ran)
            reply(answer)

        read = time.perf_counter()
        served.statistics.observe("preprocess", read - begin)
        self.submit(served, inference, request.headers, done)

    def submit(
        self,
        served: Served,
        inference: v2.Inference,
        headers: Mapping[str, str],
        done: Callable[[Any], None],
    ) -> None:
        """One inference of any protocol. Raises RequestError where no more may wait."""
        if served.lane is not None:
            parameters = {k: v for k, v in inference.parameters.items() if k not in _FOR_THE_SERVER}
            served.lane.submit(inference.inputs, parameters, done)
            return

        async def ask() -> None:
            outcome: Any
            try:
                whole = getattr(served.model, "infer", None)
                if whole is not None:
                    outcome = await whole(inference, headers)
                else:
                    model: Opaque = served.model  # type: ignore[assignment]
                    outcome = await model.v2(inference.inputs, inference.parameters, headers)
            except Exception as problem:
                outcome = problem
            done(outcome)

        self._spawn(ask())

    # The rest

    def _repository_route(self, request: Request, parts: Sequence[str], reply: Reply) -> None:
        if parts[0] == "index" and len(parts) == 1:
            _only(request, "POST", "GET")
            asked = orjson.loads(request.body) if request.body.strip() else {}
            only_ready = isinstance(asked, dict) and bool(asked.get("ready"))
            reply(_json(self._repository.index(only_ready=only_ready)))
        elif parts[0] == "models" and len(parts) == 3 and parts[2] in ("load", "unload"):
            _only(request, "POST")
            self._refuse_pages(request)
            self._spawn(self._change(parts[2], parts[1], reply), reply)
        else:
            raise NoRouteError(404, "Not Found")

    def _refuse_pages(self, request: Request) -> None:
        """A page of another site can have a browser send this, without seeing the answer. No client does."""
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        host = request.headers.get("host", "")
        if site in ("cross-site", "same-site") or (origin and origin.partition("://")[2] != host):
            raise RequestError(403, "Models are not loaded and unloaded by pages of another site.")

    async def _change(self, verb: str, name: str, reply: Reply) -> None:
        await self._control.everywhere(verb, name)
        reply(_json({"name": name, verb: True}))

    async def _statistics(self, name: str, reply: Reply) -> None:
        found = (await self._control.statistics())[0]
        reply(_json({"model_stats": [triton(name, "", found[name])]}))

    async def _metrics(self, reply: Reply) -> None:
        models, process = await self._control.statistics()
        reply(Response(200, prometheus(models, process), CONTENT_TYPE))

    def _spawn(self, work: Coroutine[Any, Any, None], reply: Reply | None = None) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except Exception as problem:
                if reply is None:
                    raise
                reply(answer_of(problem))

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class Answered:
    """A model's value with headers for the answer, and V2's parameters of it."""

    __slots__ = ("headers", "parameters", "value")

    def __init__(
        self, value: Any, headers: Mapping[str, str], parameters: Mapping[str, Any] | None = None
    ) -> None:
        self.value = value
        self.headers = headers
        self.parameters = parameters or {}


_FOR_THE_SERVER = frozenset({"binary_data_output"})


def _check_version(served: Served, version: str) -> None:
    versions = served.metadata.versions or ("1",)
    if version and version not in versions:
        raise RequestError(
            404, f"Model with name {served.name} has no version {version}; there is {', '.join(versions)}."
        )


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
        raise NoRouteError(405, "Method Not Allowed")


def _json(document: Any, status: int = 200) -> Response:
    return Response(status, orjson.dumps(document))
