"""The server's HTTP face: an ASGI application for /api, /apis, /version, /openapi and the health checks.

It turns a request into one of the verbs and its outcome into bytes. Every failure is answered with a Status in JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import msgspec
from starlette.types import Receive, Scope, Send

from sampan.client.protocol import PatchType, WriteOptions
from sampan.cluster.apiserver import binding, codec, connecting, discovery, health, metrics, params, streams
from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.accounts import ISSUER
from sampan.cluster.apiserver.access.gate import Gate
from sampan.cluster.apiserver.access.signing import ALGORITHM
from sampan.cluster.apiserver.codec import Accepted
from sampan.cluster.apiserver.openapi import documents as openapi
from sampan.cluster.apiserver.openapi.documents import Kind, OpenApi
from sampan.cluster.apiserver.podlogs import PodLogs
from sampan.cluster.apiserver.podstreams import PodStreams, served
from sampan.cluster.apiserver.presentation import Presenter
from sampan.cluster.apiserver.scale import SCALE
from sampan.cluster.apiserver.storage import Record
from sampan.cluster.apiserver.tables import KINDS as TRANSFORMED_KINDS
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube.errors import (
    ApiError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from sampan.kube.kinds import ENDPOINTS, NODES, PODS, SERVICES, KindRegistry, Resource
from sampan.kube.meta import Object
from sampan.kube.schema import Schema
from sampan.lib.log import get_logger
from sampan.web import asgi

log = get_logger(__name__)

_encode = msgspec.json.encode
_HELD_BYTES = 256 * 1024 * 1024
"""Of large bodies that are still coming, and as much again of large answers that are still read."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names."""

    resource: Resource
    namespace: str | None
    name: str
    subresource: str


@dataclass
class Request:
    scope: Scope
    receive: Receive
    send: Send
    schema: Schema
    held: asgi.Held
    """Counts what large bodies hold."""
    query: params.Query = field(init=False)
    duplicates: tuple[str, ...] = ()
    """Known once the body is read."""

    def __post_init__(self) -> None:
        self.query = params.parse(self.scope["query_string"])

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @cached_property
    def content_type(self) -> str:
        return asgi.header(self.scope, b"content-type")

    def accepted(self, kinds: tuple[str, ...] = ()) -> Accepted:
        return codec.accepted(asgi.header(self.scope, b"accept"), kinds)

    async def body(self) -> Any:
        raw = await asgi.read_body(self.scope, self.receive, codec.MAX_BODY_BYTES, self.held)
        if "yaml" in self.content_type:
            # Slow to read, and rare: not in the event loop.
            body = await asyncio.to_thread(codec.decode_body, raw, self.content_type, self.schema)
        else:
            body = codec.decode_body(raw, self.content_type, self.schema)
        self.duplicates = body.duplicates
        return body.value


class HttpFace:
    """The ASGI application. `close` ends the streams that are open, so that a server can stop."""

    def __init__(
        self, verbs: Verbs, registry: KindRegistry, gate: Gate, *, pod_logs: PodLogs | None = None
    ) -> None:
        self._verbs = verbs
        self._registry = registry
        self._pod_logs = pod_logs
        self._gate = gate
        self.pod_streams: PodStreams | None = None
        """Set once a node can be reached."""
        self._presenter = Presenter(verbs)
        self.metrics = metrics.MetricsApi(verbs)
        self._openapi = OpenApi(verbs.strategies.schema)
        self._streams: set[asyncio.Task[Any]] = set()
        self._bodies, self._answers = asgi.Held(_HELD_BYTES), asgi.Held(_HELD_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._refuse(scope, receive, send)
            return
        try:
            # The web guards have asked the gate already, where there are any.
            user = scope.get("state", {}).get("user") or self._gate.admit(scope)
            with identity.acting(user):
                schema = self._verbs.strategies.schema
                await self._route(Request(scope, receive, send, schema, self._bodies))
        except ApiError as error:
            await asgi.respond_error(send, error)
        except asgi.ClientGoneError:
            return
        except Exception as error:
            log.error("a request failed unexpectedly", path=scope["path"], exc=error)
            await asgi.respond_error(
                send, InternalError("an error on the server has prevented the request from succeeding")
            )

    def close(self) -> None:
        for task in self._streams:
            task.cancel()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket that the HTTP server has accepted by itself; ours are upgraded from HTTP."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _route(self, request: Request) -> None:
        parts = [part for part in request.scope["path"].split("/") if part]
        match parts:
            case ["api" | "apis" as root, *rest]:
                await self._route_api(request, root, rest)
            case ["version"]:
                indented = msgspec.json.format(_encode(discovery.VERSION), indent=2)
                await asgi.respond(request.send, 200, indented, codec.JSON.encode())
            case [".well-known", "openid-configuration"]:
                await self._json(request, _openid_configuration(request))
            case ["openid", "v1", "jwks"]:
                await self._json(request, self._gate.tokens.signer.public_keys())
            case ["openapi", *below]:
                await self._document(request, "/".join(below))
            case [endpoint, *below] if endpoint in health.ENDPOINTS:
                report = health.report(endpoint, below, request.query).encode()
                await asgi.respond(request.send, 200, report, b"text/plain; charset=utf-8")
            case _:
                raise _no_such_path()

    async def _route_api(self, request: Request, root: str, rest: list[str]) -> None:
        core = root == "api"
        if not rest:
            accepted = request.accepted(discovery.AGGREGATED_KINDS)
            if accepted.as_kind:
                document = discovery.aggregated(self._registry, core=core, version=accepted.version)
                content = f"{codec.JSON};g=apidiscovery.k8s.io;v={accepted.version};as={accepted.as_kind}"
                await asgi.respond(request.send, 200, _encode(document), content.encode())
                return
            await self._json(
                request, discovery.api_versions() if core else discovery.api_group_list(self._registry)
            )
            return
        if not core and len(rest) == 1:
            await self._json(request, _found(discovery.api_group(self._registry, rest[0])))
            return
        group, version, path = ("", rest[0], rest[1:]) if core else (rest[0], rest[1], rest[2:])
        if not path:
            await self._json(request, _found(discovery.api_resource_list(self._registry, group, version)))
            return
        if core and len(path) > 4 and path[0] == "namespaces" and path[4] == "proxy":
            await self._proxy(request, path[1], path[2], path[3])
            return
        if core and path[0] == NODES.plural and path[2:] == ["proxy", "stats", "summary"]:
            await self._node_summary(request, path[1])
            return
        target = self._target(group, version, path)
        if group == metrics.GROUP:
            await self._serve_metrics(request, target)
        else:
            await self._serve(request, target)

    async def _proxy(self, request: Request, namespace: str, plural: str, name: str) -> None:
        """Any method, to a Service or a pod."""
        if plural not in (SERVICES.plural, PODS.plural):
            raise _no_such_path()
        # With its library, some tens of milliseconds that only those need to spend who use it.
        from sampan.cluster.apiserver import proxy  # noqa: PLC0415

        wanted = proxy.Wanted.parse(name)
        if plural == PODS.plural:
            backend = proxy.of_pod(wanted, self._verbs.get(PODS, wanted.name, namespace).object())
        else:
            service = self._verbs.get(SERVICES, wanted.name, namespace).object()
            backend = proxy.of_service(wanted, service, self._endpoints(wanted.name, namespace))
        self._gate.check_backend(identity.current.get(), backend.host, backend.port)
        work = proxy.forward(backend, request.scope, request.receive, request.send)
        if not await self._tracked(work):
            await asgi.finish(request.send)

    async def _node_summary(self, request: Request, name: str) -> None:
        """The one thing that a kubelet serves, and somebody asks for, which no sub-resource has."""
        if request.method != "GET":
            raise _not_allowed(Target(NODES, None, name, "proxy"))
        await self._json(request, await self.metrics.summary(name))

    def _endpoints(self, name: str, namespace: str) -> Object | None:
        try:
            return self._verbs.get(ENDPOINTS, name, namespace).object()
        except NotFoundError:
            return None

    def _target(self, group: str, version: str, path: list[str]) -> Target:
        namespace = None
        # /namespaces/NAME/status is a sub-resource of the namespace, not a kind within it.
        if path[0] == "namespaces" and len(path) > 2 and path[2] not in ("status", "finalize"):
            namespace, path = path[1], path[2:]
        resource = self._registry.by_path(group, version, path[0])
        if resource is None or len(path) > 3 or (namespace is not None and not resource.namespaced):
            raise _no_such_path()
        name = path[1] if len(path) > 1 else ""
        if name and resource.namespaced and namespace is None:
            raise _no_such_path()
        subresource = path[2] if len(path) > 2 else ""
        if subresource and subresource not in resource.subresources:
            raise _no_such_path()
        return Target(resource, namespace, name, subresource)

    async def _serve(self, request: Request, target: Target) -> None:
        kind = "collection" if not target.name else target.subresource
        handler = self._HANDLERS.get((request.method, kind))
        if handler is None or not (target.resource.is_stored or handler is HttpFace._create):
            raise _not_allowed(target)
        await handler(self, request, target)

    async def _serve_metrics(self, request: Request, target: Target) -> None:
        """Read only, and nothing to watch."""
        if request.method != "GET" or params.flag(request.query, "watch"):
            raise _not_allowed(target)
        resource, accepted = target.resource, request.accepted(TRANSFORMED_KINDS)
        if target.name:
            document = await self.metrics.get(resource, target.name, target.namespace)
        else:
            options = params.list_options(request.query)
            document = await self.metrics.collection(resource, target.namespace, options)
        if accepted.as_kind == "Table":
            document = self.metrics.as_table(resource, document, request.query.get("includeObject", ""))
        await asgi.respond(request.send, 200, _encode(document), self._presenter.content_type(accepted))

    # Collections.

    async def _list(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        options = params.list_options(request.query)
        if params.flag(request.query, "watch"):
            wanted = streams.WatchRequest(target.resource, target.namespace, options, request.query, accepted)
            chunks = streams.watch(self._verbs, self._presenter, wanted)
            await self._stream(request, chunks, self._presenter.content_type(accepted, watch=True))
            return
        page = await self._verbs.list(target.resource, target.namespace, options)
        body = self._presenter.collection(target.resource, page, accepted, request.query)
        del page
        await asgi.respond_bulk(request.send, body, self._presenter.content_type(accepted), self._answers)

    async def _create(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        obj, options = await self._written(request)
        record = await self._verbs.create(target.resource, obj, target.namespace, options)
        await self._object(request, target, record, accepted, 201)

    async def _delete_collection(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        options = params.delete_options(request.query, await request.body())
        listed = params.list_options(request.query)
        page = await self._verbs.delete_collection(target.resource, target.namespace, listed, options)
        body = self._presenter.collection(target.resource, page, accepted, request.query)
        del page
        await asgi.respond_bulk(request.send, body, self._presenter.content_type(accepted), self._answers)

    # Objects.

    async def _get(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        record = await self._verbs.read(target.resource, target.name, target.namespace)
        await self._object(request, target, record, accepted, 200)

    async def _replace(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        obj, options = await self._written(request)
        record = await self._verbs.replace(
            target.resource, target.name, obj, target.namespace, options, target.subresource
        )
        await self._object(request, target, record, accepted, 200)

    async def _patch(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        patch_type = _patch_type(request)
        patch, options = await self._written(request)
        record, created = await self._verbs.patch(
            target.resource, target.name, patch, target.namespace, patch_type, options, target.subresource
        )
        await self._object(request, target, record, accepted, 201 if created else 200)

    async def _delete(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        options = params.delete_options(request.query, await request.body())
        record, gone = await self._verbs.delete(target.resource, target.name, target.namespace, options)
        if gone and not self._verbs.strategies.of(target.resource).returns_deleted:
            await self._json(request, _deleted(target, record), warnings=record.warnings)
        else:
            await self._object(request, target, record, accepted, 200)

    @staticmethod
    def _write_options(request: Request) -> WriteOptions:
        options = params.write_options(request.query)
        if options.field_manager or request.content_type.startswith(PatchType.APPLY):
            return options
        # As Kubernetes: the program's name, for who does not name its manager.
        program = asgi.header(request.scope, b"user-agent").partition("/")[0][:128]
        return replace(options, field_manager=program)

    async def _written(self, request: Request) -> tuple[Any, WriteOptions]:
        """The body and the options of a write."""
        options = self._write_options(request)
        body = await request.body()
        return body, replace(options, duplicates=request.duplicates) if request.duplicates else options

    # The scale sub-resource.

    async def _get_scale(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        record = await self._verbs.get_scale(target.resource, target.name, target.namespace)
        await self._object(request, replace(target, resource=SCALE), record, accepted, 200)

    async def _replace_scale(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        options = self._write_options(request)
        record = await self._verbs.replace_scale(
            target.resource, target.name, await request.body(), target.namespace, options
        )
        await self._object(request, replace(target, resource=SCALE), record, accepted, 200)

    async def _patch_scale(self, request: Request, target: Target) -> None:
        accepted = request.accepted(TRANSFORMED_KINDS)
        options, patch_type = self._write_options(request), _patch_type(request)
        record = await self._verbs.patch_scale(
            target.resource, target.name, await request.body(), target.namespace, patch_type, options
        )
        await self._object(request, replace(target, resource=SCALE), record, accepted, 200)

    # Sub-resources of a pod.

    async def _log(self, request: Request, target: Target) -> None:
        options = params.log_options(request.query)
        pod = self._verbs.get(target.resource, target.name, target.namespace).object()
        chunks = await streams.log(self._pod_logs, pod, options)
        await self._stream(request, chunks, b"text/plain")

    async def _stream_into(self, request: Request, target: Target) -> None:
        """exec, attach, port-forward: GET as the way of a WebSocket, POST as that of SPDY."""
        # Some forty milliseconds, which only those need to spend who use it.
        from sampan.cluster.apiserver.streaming import service  # noqa: PLC0415

        pod = self._verbs.get(target.resource, target.name, target.namespace).object()
        sub, query = target.subresource, request.scope["query_string"]
        await connecting.connect(self._verbs, target.resource, pod["metadata"], sub, query)
        wanted = service.Wanted(request.scope, request.send, pod, served(self.pod_streams))
        serve = {"exec": service.exec_, "attach": service.attach, "portforward": service.port_forward}
        await self._tracked(serve[target.subresource](wanted))

    async def _bind(self, request: Request, target: Target) -> None:
        await binding.bind_from(self._verbs, target.name, target.namespace or "", await request.body())
        await self._json(request, _SUCCESS, 201)

    async def _evict(self, request: Request, target: Target) -> None:
        body = await request.body()
        await connecting.create(
            self._verbs, target.resource, target.name, target.namespace or "", body, "eviction"
        )
        await binding.evict(self._verbs, target.name, target.namespace or "", body)
        await self._json(request, _SUCCESS, 201)

    async def _token(self, request: Request, target: Target) -> None:
        namespace = target.namespace or ""
        body = await request.body()
        await connecting.create(self._verbs, target.resource, target.name, namespace, body, "token")
        await self._json(request, self._gate.tokens.request(namespace, target.name, body), 201)

    _HANDLERS: ClassVar[dict[tuple[str, str], Callable[[HttpFace, Request, Target], Awaitable[None]]]] = {
        ("GET", "collection"): _list,
        ("POST", "collection"): _create,
        ("DELETE", "collection"): _delete_collection,
        ("GET", ""): _get,
        ("PUT", ""): _replace,
        ("PATCH", ""): _patch,
        ("DELETE", ""): _delete,
        ("GET", "status"): _get,
        ("PUT", "status"): _replace,
        ("PATCH", "status"): _patch,
        ("GET", "approval"): _get,
        ("PUT", "approval"): _replace,
        ("PATCH", "approval"): _patch,
        ("PUT", "finalize"): _replace,
        ("GET", "ephemeralcontainers"): _get,
        ("PUT", "ephemeralcontainers"): _replace,
        ("PATCH", "ephemeralcontainers"): _patch,
        ("GET", "scale"): _get_scale,
        ("PUT", "scale"): _replace_scale,
        ("PATCH", "scale"): _patch_scale,
        ("GET", "log"): _log,
        ("GET", "exec"): _stream_into,
        ("POST", "exec"): _stream_into,
        ("GET", "attach"): _stream_into,
        ("POST", "attach"): _stream_into,
        ("GET", "portforward"): _stream_into,
        ("POST", "portforward"): _stream_into,
        ("POST", "binding"): _bind,
        ("POST", "eviction"): _evict,
        ("POST", "token"): _token,
    }

    # Answers.

    async def _object(
        self, request: Request, target: Target, record: Record, accepted: Accepted, status: int
    ) -> None:
        body = self._presenter.object(target.resource, record, accepted, request.query)
        await asgi.respond(
            request.send,
            status,
            body,
            self._presenter.content_type(accepted),
            asgi.warnings(record.warnings),
        )

    async def _json(
        self, request: Request, document: Any, status: int = 200, warnings: tuple[str, ...] = ()
    ) -> None:
        if request.method not in ("GET", "POST", "DELETE"):
            raise MethodNotAllowedError("the server does not allow this method on the requested resource")
        await asgi.respond(request.send, status, _encode(document), headers=asgi.warnings(warnings))

    async def _document(self, request: Request, path: str) -> None:
        strategies = [self._verbs.strategies.of(each) for each in self._registry]
        kinds = [Kind(each.resource, each.openapi, each.openapi_digest) for each in strategies]
        accept, tag = (asgi.header(request.scope, name) for name in (b"accept", b"if-none-match"))
        asked = openapi.Request(path, accept, request.query, tag)
        answer = await asyncio.to_thread(self._openapi.answer, asked, self._registry.generation, kinds)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers]
        await asgi.respond(request.send, answer.status, answer.body, answer.content_type.encode(), headers)

    async def _stream(self, request: Request, chunks: streams.Chunks, content_type: bytes) -> None:
        if not await self._tracked(asgi.stream(request.receive, request.send, chunks, content_type)):
            await asgi.finish(request.send)

    async def _tracked(self, work: Coroutine[Any, Any, None]) -> bool:
        """Runs what lasts until `close`; whether it came to its own end. Raises what it raises."""
        task = asyncio.create_task(work)
        self._streams.add(task)
        try:
            await asyncio.wait((task,))
            if task.cancelled():
                return False
            task.result()
            return True
        finally:
            self._streams.discard(task)
            task.cancel()


_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _patch_type(request: Request) -> PatchType:
    try:
        return PatchType(request.content_type.partition(";")[0].strip())
    except ValueError as error:
        raise UnsupportedMediaTypeError(
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(PatchType)
        ) from error


def _deleted(target: Target, record: Record) -> dict[str, Any]:
    details: dict[str, Any] = {"name": target.name, "kind": target.resource.plural}
    if target.resource.group:
        details["group"] = target.resource.group
    details["uid"] = record.object()["metadata"]["uid"]
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _openid_configuration(request: Request) -> dict[str, Any]:
    host = asgi.header(request.scope, b"host")
    return {
        "issuer": ISSUER,
        "jwks_uri": f"{request.scope.get('scheme', 'http')}://{host}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
    }


def _found(document: Any) -> Any:
    if document is None:
        raise _no_such_path()
    return document


def _not_allowed(target: Target) -> MethodNotAllowedError:
    return MethodNotAllowedError(
        "the server does not allow this method on the requested resource",
        details={"kind": target.resource.plural},
    )


def _no_such_path() -> NotFoundError:
    """With details, though there is nothing to tell: `kubectl debug` looks into them, and would fall over none."""
    cause = {"reason": "UnexpectedServerResponse", "message": "404 page not found"}
    return NotFoundError("the server could not find the requested resource", details={"causes": [cause]})
