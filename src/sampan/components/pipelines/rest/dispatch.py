"""From an HTTP request to an endpoint and back: matching, reading the body, authorising, and errors as JSON.

It is an ASGI application of its own rather than a list of framework routes because upstream's paths end in
verbs (`/runs/{run_id}:archive`), and because whatever goes wrong below these prefixes, an unknown path
included, must answer with a google.rpc status and never with HTML.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from sampan.components.pipelines.api.errors import (
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PipelinesError,
    UnavailableError,
)
from sampan.components.pipelines.api.wire import Message, decode, encode
from sampan.components.pipelines.rest.authorise import (
    AccessReviews,
    Authoriser,
    Resource,
    SingleUser,
    Verb,
)
from sampan.components.pipelines.rest.ports import Backend
from sampan.components.pipelines.store.listing import ListRequest
from sampan.kube.errors import ApiError
from sampan.lib.log import get_logger
from sampan.store.database import StorageError, StorageFullError

log = get_logger(__name__)

_ENDPOINTS = "sampan.components.pipelines.rest.endpoints"
MAX_BODY_BYTES = 33 * 1024 * 1024
"""A package of the largest size, and the form around it."""


_LARGE_BODY_BYTES = 128 * 1024
"""From here on a body is read in a thread: the event loop would stand still for a millisecond or more."""


class MethodNotAllowedError(PipelinesError):
    code, http_status = 12, 405


class BodyTooLargeError(PipelinesError):
    code, http_status = 8, 413


class StorageExhaustedError(PipelinesError):
    code, http_status = 8, 507


@dataclass(slots=True)
class Call:
    """One request on its way through an endpoint."""

    request: Request
    backend: Backend
    authoriser: Authoriser
    params: dict[str, str]
    """Of the path, decoded."""
    body: dict[str, Any] = field(default_factory=dict)
    namespace: str = ""
    """The authorised one."""

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    @property
    def shown_namespace(self) -> str:
        """What answers say of the namespace: nothing where there is only one."""
        return self.namespace if self.backend.multi_user else ""

    def list_request(self) -> ListRequest:
        """The paging parameters. Raises InvalidArgumentError."""
        return ListRequest(
            page_size=self.query_int("page_size"),
            page_token=self.query.get("page_token", ""),
            sort_by=self.query.get("sort_by", "") or self.query.get("order_by", ""),
            filter=self.query.get("filter", ""),
        )

    def query_int(self, name: str) -> int:
        text = self.query.get(name, "") or "0"
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) < 10):
            raise InvalidArgumentError(f"{name} must be a whole number, not {text[:40]!r}")
        return int(text)

    def query_full(self) -> bool:
        """Whether `view` asks for all that there is."""
        view = self.query.get("view", "") or "DEFAULT"
        if view not in ("DEFAULT", "FULL", "0", "1"):
            raise InvalidArgumentError(f"view must be DEFAULT or FULL, not {view[:40]!r}")
        return view in ("FULL", "1")

    def query_flag(self, name: str) -> bool:
        text = self.query.get(name, "").lower()
        if text not in ("", "true", "false", "1", "0", "t", "f"):
            raise InvalidArgumentError(f"{name} must be true or false, not {text[:40]!r}")
        return text in ("true", "1", "t")


Handler = Callable[[Call], Awaitable[Response]]
Scoping = Callable[[Call], str]
"""Finds the namespace that a call is about; raises NotFoundError when what it names does not exist."""


def _status_json(error: PipelinesError) -> Mapping[str, Any]:
    return error.to_json()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path. In `path`, `{name}` takes one segment, and a verb may follow it; `{name...}` at the end
    takes all that are left."""

    method: str
    path: str
    verb: Verb
    resource: Resource
    scope: Scoping
    handler: Handler
    body: Message | None = None
    """Read from the request's JSON before the scope is asked for."""
    error_json: Callable[[PipelinesError], Mapping[str, Any]] = _status_json


class _Node:
    """A segment of a path."""

    __slots__ = ("endpoints", "literals", "parameters", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameters: dict[str, tuple[str, _Node]] = {}
        """The verb after a colon, or nothing: the parameter's name and what follows."""
        self.endpoints: dict[str, Endpoint] = {}
        self.rest: tuple[str, _Node] | None = None
        """What takes all segments that are left."""


class Api:
    """The ASGI application of the whole REST API. Its endpoints come with `load`, or with the first request."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._authoriser: Authoriser = (
            AccessReviews(backend.client, backend.namespace)
            if backend.multi_user
            else SingleUser(backend.namespace)
        )
        self._loading: asyncio.Task[_Node] | None = None

    async def load(self) -> _Node:
        """The table of endpoints. It takes as long to load as a twentieth of the server's start."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_table), name="endpoints")
        # A request that gives up must not take it from the others.
        return await asyncio.shield(self._loading)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a WebSocket: there are none here
            await send({"type": "websocket.close", "code": 1000})
            return
        request = Request(scope, _bounded(receive))
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        error_json: Callable[[PipelinesError], Mapping[str, Any]] = _status_json
        try:
            loading = self._loading
            root = loading.result() if loading is not None and loading.done() else await self.load()
            endpoint, params = _match(root, request)
            error_json = endpoint.error_json
            call = Call(request, self._backend, self._authoriser, params)
            if endpoint.body is not None:
                call.body = await _read_body(request, endpoint.body)
            call.namespace = endpoint.scope(call)
            await self._authoriser.authorise(request, endpoint.verb, endpoint.resource, call.namespace)
            return await endpoint.handler(call)
        except Exception as error:
            failure = _as_pipelines_error(error, request)
            return answer(error_json(failure), failure.http_status)


def _table() -> _Node:
    endpoints: Any = importlib.import_module(_ENDPOINTS)
    return table(endpoints.endpoints())


def table(endpoints: Iterable[Endpoint]) -> _Node:
    """Where each path leads."""
    root = _Node()
    for endpoint in endpoints:
        _add(root, endpoint)
    return root


def _add(node: _Node, endpoint: Endpoint) -> None:
    for segment in endpoint.path.strip("/").split("/"):
        if segment.endswith("...}"):
            node.rest = node.rest or (segment[1:-4], _Node())
            node = node.rest[1]
        elif segment.startswith("{"):
            name, _, verb = segment[1:].partition("}")
            node = node.parameters.setdefault(verb, (name, _Node()))[1]
        else:
            node = node.literals.setdefault(segment, _Node())
    node.endpoints[endpoint.method] = endpoint


def _match(root: _Node, request: Request) -> tuple[Endpoint, dict[str, str]]:
    allowed: set[str] = set()
    for node, params in _walk(root, list(_segments(request.scope)), {}):
        if (endpoint := node.endpoints.get(request.method)) is not None:
            return endpoint, params
        allowed.update(node.endpoints)
    if allowed:
        raise MethodNotAllowedError(
            f"{request.method} is not allowed here; allowed: {', '.join(sorted(allowed))}"
        )
    raise NotFoundError("Not Found: this API has no such path")


def answer(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")


async def answer_from(call: Call, read: Callable[[Any], Any]) -> Response:
    """What `read` makes of a connection to the database, as an answer; read and encoded in a reader thread."""
    body = await call.backend.database.read(lambda connection: encode(read(connection)))
    return Response(body, media_type="application/json")


def _segments(scope: Scope) -> Iterator[str]:
    """The path's segments, decoded one by one: a name may hold an encoded slash."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    segments = [unquote(segment) for segment in raw.decode("latin-1").split("?")[0].strip("/").split("/")]
    return iter(segments[1:] if segments[0] == "pipeline" else segments)


def _walk(node: _Node, segments: list[str], params: dict[str, str]) -> Iterator[tuple[_Node, dict[str, str]]]:
    """Every node the path leads to, literal segments before parameters, verbs before plain ones."""
    if not segments:
        if node.endpoints:
            yield node, params
        return
    head, rest = segments[0], segments[1:]
    if head in node.literals:
        yield from _walk(node.literals[head], rest, params)
    value, colon, verb = head.rpartition(":")
    if colon and value and f":{verb}" in node.parameters:
        name, following = node.parameters[f":{verb}"]
        yield from _walk(following, rest, params | {name: value})
    if head and "" in node.parameters:
        name, following = node.parameters[""]
        yield from _walk(following, rest, params | {name: head})
    if node.rest is not None:
        name, following = node.rest
        yield following, params | {name: "/".join(segments)}


def _bounded(receive: Receive) -> Receive:
    """Stops a body that is longer than any may be, whatever its Content-Length said."""
    total = 0

    async def read() -> AsgiMessage:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MAX_BODY_BYTES:
            raise BodyTooLargeError(f"the request is larger than {MAX_BODY_BYTES // 2**20} MiB")
        return message

    return read


async def _read_body(request: Request, message: Message) -> dict[str, Any]:
    body = await request.body()

    def read() -> dict[str, Any]:
        return message(decode(body, "the request's body") if body.strip() else {}, message.name)

    return await asyncio.to_thread(read) if len(body) > _LARGE_BODY_BYTES else read()


def _as_pipelines_error(error: Exception, request: Request) -> PipelinesError:
    match error:
        case PipelinesError():
            return error
        case StorageFullError():
            return StorageExhaustedError(str(error))
        case StorageError():
            log.error("request failed in storage", path=request.url.path, exc=error)
            return UnavailableError("the database refused the operation; the server's log says why")
        case ApiError():
            return _of_kubernetes(error)
        case HTTPException():
            return InvalidArgumentError(str(error.detail))
        case ClientDisconnect():
            return UnavailableError("the client closed the connection")
        case _:
            log.error("request failed", method=request.method, path=request.url.path, exc=error)
            return InternalError("the server failed at this request; its log says why")


def _of_kubernetes(error: ApiError) -> PipelinesError:
    if error.code == 404:
        return NotFoundError(error.message)
    if error.code < 500:
        return InvalidArgumentError(error.message)
    return UnavailableError(error.message)
