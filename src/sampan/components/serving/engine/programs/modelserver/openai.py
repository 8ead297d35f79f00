"""OpenAI's routes: which model is asked, and failures in OpenAI's shape. Called by `application`.

They are below /openai/v1, as upstream has them, and below /v1, where vLLM has them and KSERVE_OPENAI_ROUTE_PREFIX may
put upstream's. Source: kserve 0.20 python/kserve/kserve/protocol/rest/openai/{endpoints,errors}.py.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver import v1
from sampan.components.serving.engine.programs.modelserver.contract import FormError
from sampan.components.serving.engine.programs.modelserver.errors import NoRouteError, RequestError, bad
from sampan.components.serving.engine.programs.modelserver.failures import answer_of
from sampan.components.serving.engine.programs.modelserver.http.messages import (
    Reply,
    Request,
    Response,
    Stream,
)
from sampan.components.serving.engine.programs.modelserver.repository import Repository, Served

_PREFIX = "/" + os.environ.get("KSERVE_OPENAI_ROUTE_PREFIX", "/openai").strip("/")
_ROUTES = ("completions", "chat/completions", "responses", "embeddings", "rerank")
Spawn = Callable[[Coroutine[Any, Any, None], Reply | None], asyncio.Task[None]]


def route_of(path: str) -> str | None:
    """What is below the prefix and the version; None for a path that is none of OpenAI's."""
    for prefix in ("/openai/", f"{_PREFIX}/v1/"):
        if path.startswith(prefix):
            return path[len(prefix) :].removeprefix("v1/").strip("/")
    route = path.removeprefix("/v1/").strip("/")
    return route if path.startswith("/v1/") and route in _ROUTES else None


class OpenAI:
    def __init__(self, repository: Repository, spawn: Spawn, owner: str, of_form: int = 422) -> None:
        """`of_form`: the code for what has a wrong form; FastAPI's, under which upstream's server runs."""
        self._repository, self._spawn, self._owner, self._of_form = repository, spawn, owner, of_form
        self._since = int(time.time())

    def told_beside(self) -> dict[str, Any]:
        """OpenAI's list for an answer of V1's; nothing where no model says of itself that it speaks as OpenAI's."""
        speaks = any(getattr(each.model, "speaks_openai", False) for each in self._repository.models())
        return self._listed() if speaks else {}

    def _listed(self) -> dict[str, Any]:
        names = [each.name for each in self._repository.models() if each.lane is None]
        return {"object": "list", "data": [self._card(each) for each in names]}

    def handle(self, request: Request, route: str, reply: Reply) -> None:
        try:
            self._handle(request, route, reply)
        except Exception as problem:
            reply(failed(problem, self._of_form))

    def _handle(self, request: Request, route: str, reply: Reply) -> None:
        if route == "models" or route.startswith("models/"):
            if request.method not in ("GET", "HEAD"):
                raise NoRouteError(405, "Method Not Allowed")
            reply(_json(self._models(route.removeprefix("models").strip("/"))))
            return
        if request.method != "POST":
            raise NoRouteError(405, "Method Not Allowed")
        body = _body(request)
        served = self._repository.ready(body["model"])
        if served.lane is not None:
            raise RequestError(404, f"Model with name {served.name} is no language model.")
        # Nobody waits for an answer whose client has gone.
        task = self._spawn(self._ask(served, route, body, request, reply), None)
        request.gone = task.cancel

    def _models(self, name: str) -> Mapping[str, Any]:
        if name:
            return self._card(self._repository.ready(name).name)
        return self._listed()

    def _card(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": self._owner}

    async def _ask(
        self, served: Served, route: str, body: Mapping[str, Any], request: Request, reply: Reply
    ) -> None:
        begin = time.perf_counter()
        answer: Response | Stream
        try:
            found = await served.model.openai(route, body, request.headers)  # type: ignore[union-attr]
            answer = Stream(found) if isinstance(found, AsyncIterator) else Response(200, v1.write(found))
        except Exception as problem:
            answer = failed(problem, self._of_form)
        status = answer.status if isinstance(answer, Response) else 200
        served.statistics.answered(status, time.perf_counter() - begin)
        reply(answer)


def failed(problem: BaseException, of_form: int = 400) -> Response:
    """In OpenAI's shape, whose clients read the message from there."""
    plain = answer_of(problem)
    status = of_form if isinstance(problem, FormError) else plain.status
    document = orjson.loads(plain.body)
    kind = "invalid_request_error" if status < 500 else "InternalServerError"
    message = document.get("error") or document.get("detail")
    param = getattr(problem, "param", None)
    told = {"message": message, "type": kind, "param": param, "code": str(status)}
    return _json({"error": told}, status)


def _body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as problem:
        raise bad(f"Unrecognized request format: {problem}") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise bad("the body has to be an object that names its model")
    return body


def _json(document: Any, status: int = 200) -> Response:
    return Response(status, orjson.dumps(document))
