"""The Client protocol over HTTP, against any Kubernetes API server.

Beyond what the protocol asks: a list without a limit is read in pages, and a watch goes on over connections that end or
break, from the last version it has seen.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from sampan.client.kubeconfig import Connection
from sampan.client.protocol import (
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_LOG,
    DEFAULT_WRITE,
    DeleteOptions,
    ListOptions,
    LogOptions,
    Object,
    ObjectList,
    PatchType,
    Subresource,
    WatchEvent,
    WriteOptions,
)
from sampan.client.retrying import backoff
from sampan.client.sending import Answer, Request, Sender
from sampan.client.streams import AttachOptions, Duplex, ExecOptions, Execution
from sampan.kube import meta
from sampan.kube.errors import (
    BadRequestError,
    ExpiredError,
    InternalError,
    ServerTimeoutError,
    ServiceUnavailableError,
    TooManyRequestsError,
    from_status,
)
from sampan.kube.kinds import PODS, SERVICE_ACCOUNTS, Resource

if TYPE_CHECKING:
    from sampan.client import remote_streams

_PAGE = 500
_WATCH_SECONDS = 300
"""After which a watch is asked for anew, up to twice that: as client-go, so that no connection is trusted forever."""
_WATCH_GRACE_SECONDS = 30
_WATCH_FAILURES = 6
"""In a row, some twenty seconds, before the caller hears of them."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.3, 10.0
_PASSING = (ServiceUnavailableError, TooManyRequestsError, ServerTimeoutError, InternalError)

_encode = msgspec.json.encode
_decode = msgspec.json.decode


class RemoteClient:
    """For one event loop; `close` it. Connections are kept and shared, one more for each open watch."""

    def __init__(self, connection: Connection) -> None:
        """Raises KubeconfigError."""
        self._server = connection.server
        self._sender = Sender(connection)

    async def close(self) -> None:
        await self._sender.close()

    async def version(self) -> tuple[int, int]:
        """Of Kubernetes, as (1, 31). Raises ApiError."""
        answer = await self._request("GET", "/version")
        numbers = (re.match(r"\d+", str(answer.get(part) or "")) for part in ("major", "minor"))
        major, minor = (int(found[0]) if found else 0 for found in numbers)
        return major, minor

    async def raw(self, request: Request) -> bytes:
        """For what the protocol does not name: tables, discovery, other media types. Raises ApiError."""
        return await self._sender.send(request)

    async def answer(self, request: Request) -> Answer:
        """As `raw`, with its status and media type. Raises ApiError."""
        return await self._sender.answer(request)

    async def exchange(self, request: Request, seconds: float) -> Answer:
        """Whatever is answered within so many seconds, errors included. Raises ApiError without an answer."""
        return await self._sender.exchange(request, seconds)

    def raw_stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        """As `raw`, as it comes. Raises ApiError."""
        return self._sender.stream(request, None)

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        return await self._request("GET", _path(resource, namespace, name))

    async def list(
        self, resource: Resource, namespace: str | None = None, options: ListOptions = DEFAULT_LIST
    ) -> ObjectList:
        if options.limit or options.continue_token:
            return await self._page(resource, namespace, options)
        try:
            return await self._pages(resource, namespace, options)
        except ExpiredError:
            if options.resource_version:
                raise
            # So many pages that the first one's moment is no longer kept: all at once, then.
            return await self._page(resource, namespace, options)

    async def _pages(self, resource: Resource, namespace: str | None, options: ListOptions) -> ObjectList:
        """All pages, which show one moment."""
        page = await self._page(resource, namespace, replace(options, limit=_PAGE))
        items = page.items
        while page.continue_token:
            following = replace(
                options, limit=_PAGE, continue_token=page.continue_token, resource_version="", exact=False
            )
            page = await self._page(resource, namespace, following)
            items += page.items
        return ObjectList(items, page.resource_version)

    async def _page(self, resource: Resource, namespace: str | None, options: ListOptions) -> ObjectList:
        answer = await self._request("GET", resource.path(namespace), params=_list_params(options))
        metadata = answer.get("metadata") or {}
        items = answer.get("items") or []
        for item in items:
            # Items of built-in kinds come without; an object of ours always says what it is.
            item.setdefault("kind", resource.kind)
            item.setdefault("apiVersion", resource.api_version)
        return ObjectList(
            items,
            str(metadata.get("resourceVersion") or ""),
            str(metadata.get("continue") or ""),
            metadata.get("remainingItemCount"),
        )

    async def create(self, resource: Resource, obj: Object, options: WriteOptions = DEFAULT_WRITE) -> Object:
        return await self._request(
            "POST",
            _collection(resource, meta.namespace(obj)),
            params=_write_params(options),
            body=_typed(resource, obj),
        )

    async def replace(
        self,
        resource: Resource,
        obj: Object,
        options: WriteOptions = DEFAULT_WRITE,
        *,
        subresource: Subresource = "",
    ) -> Object:
        return await self._request(
            "PUT",
            _path(resource, meta.namespace(obj), meta.name(obj), subresource),
            params=_write_params(options),
            # A Scale is of a kind of its own.
            body=obj if subresource == "scale" else _typed(resource, obj),
        )

    async def patch(  # noqa: PLR0913  as the protocol
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: Subresource = "",
        options: WriteOptions = DEFAULT_WRITE,
    ) -> Object:
        params = _write_params(options)
        if patch_type is PatchType.APPLY and options.force:
            params["force"] = "true"
        return await self._request(
            "PATCH",
            _path(resource, namespace, name, subresource),
            params=params,
            body=patch,
            content_type=patch_type,
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> Object:
        answer = await self._request("DELETE", _path(resource, namespace, name), body=_delete_body(options))
        if answer.get("kind") != "Status":
            return answer
        # Gone at once: the server tells no more than which object it was.
        metadata = {"name": name, "uid": (answer.get("details") or {}).get("uid", "")}
        if resource.namespaced and namespace:
            metadata["namespace"] = namespace
        return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str | None = None,
        list_options: ListOptions = DEFAULT_LIST,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> None:
        await self._request(
            "DELETE", resource.path(namespace), params=_list_params(list_options), body=_delete_body(options)
        )

    async def watch(
        self, resource: Resource, namespace: str | None = None, options: ListOptions = DEFAULT_LIST
    ) -> AsyncIterator[WatchEvent]:
        if options.resource_version in ("", "0"):
            # A list says from which version to go on, should the connection end before the first change.
            found = await self.list(resource, namespace, options)
            for item in found.items:
                yield WatchEvent("ADDED", item)
            options = replace(options, resource_version=found.resource_version)
        failures = 0
        while True:
            try:
                async with aclosing(self._events(resource, namespace, options)) as events:
                    async for event in events:
                        version = meta.resource_version(event.object)
                        options = replace(options, resource_version=version)
                        failures = 0
                        yield event
                pause = backoff(1, _FIRST_PAUSE_SECONDS)
            except _PASSING:
                failures += 1
                if failures == _WATCH_FAILURES:
                    raise
                pause = backoff(failures, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _events(
        self, resource: Resource, namespace: str | None, options: ListOptions
    ) -> AsyncGenerator[WatchEvent, None]:
        """Those of one connection."""
        seconds = int(random.uniform(1, 2) * _WATCH_SECONDS)  # noqa: S311  spreads reconnects
        params = {
            **_list_params(options),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        request = Request("GET", resource.path(namespace), params)
        async with aclosing(self._sender.stream(request, seconds + _WATCH_GRACE_SECONDS)) as chunks:
            async for line in _lines(chunks):
                try:
                    event = _decode(line)
                except msgspec.DecodeError as error:
                    raise ServiceUnavailableError(f"{self._server} did not answer in JSON") from error
                if event["type"] == "ERROR":
                    raise from_status(event["object"])
                kind = cast(Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"], event["type"])
                yield WatchEvent(kind, event["object"])

    async def bind(self, pod: str, namespace: str, node: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod, "namespace": namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self._request("POST", _path(PODS, namespace, pod, "binding"), body=body)

    async def create_token(self, account: str, namespace: str, request: Object) -> Object:
        typed = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **request}
        return await self._request("POST", _path(SERVICE_ACCOUNTS, namespace, account, "token"), body=typed)

    async def log(self, pod: str, namespace: str, options: LogOptions = DEFAULT_LOG) -> AsyncIterator[bytes]:
        # Logs are text, and a server that was asked for JSON alone may refuse.
        request = Request("GET", _path(PODS, namespace, pod, "log"), _log_params(options), accept="*/*")
        async with aclosing(self._sender.stream(request, None)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def exec(self, pod: str, namespace: str, options: ExecOptions) -> Execution:
        return await self._command(_path(PODS, namespace, pod, "exec"), options)

    async def attach(self, pod: str, namespace: str, options: AttachOptions) -> Execution:
        return await self._command(_path(PODS, namespace, pod, "attach"), options)

    async def connect(self, pod: str, namespace: str, port: int) -> Duplex:
        # Rarely used, and its library takes a while to load.
        from sampan.client import remote_streams  # noqa: PLC0415

        path = _path(PODS, namespace, pod, "portforward")
        query = [("ports", str(port))]
        opened = await remote_streams.open_socket(
            await self._address(), path, query, remote_streams.PORT_PROTOCOLS
        )
        return remote_streams.RemotePort(opened[0], opened[2])

    async def _command(self, path: str, options: ExecOptions | AttachOptions) -> Execution:
        from sampan.client import remote_streams  # noqa: PLC0415  as in `connect`

        opened = await remote_streams.open_socket(
            await self._address(), path, remote_streams.query_of(options), remote_streams.COMMAND_PROTOCOLS
        )
        return remote_streams.RemoteExecution(*opened)

    async def _address(self) -> remote_streams.Address:
        from sampan.client import remote_streams  # noqa: PLC0415  as in `connect`

        headers, tls = await self._sender.introduction()
        return remote_streams.Address(self._server, headers, tls)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Object:
        content = None
        if body is not None:
            try:
                content = _encode(body)
            except (TypeError, ValueError, RecursionError) as error:
                raise BadRequestError(f"the object cannot be written as JSON: {error}") from error
        answer = await self._sender.send(Request(method, path, params or {}, content, content_type))
        try:
            found = _decode(answer)
        except msgspec.DecodeError:
            found = None
        if not isinstance(found, dict):
            raise ServiceUnavailableError(f"{self._server} did not answer with an object in JSON")
        return found


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A JSON document a line. Unlike text, split at line feeds alone."""
    rest: list[bytes] = []
    async for chunk in chunks:
        *complete, last = chunk.split(b"\n")
        for line in complete:
            rest.append(line)
            if whole := b"".join(rest).strip():
                yield whole
            rest = []
        if last:
            rest.append(last)


def _collection(resource: Resource, namespace: str | None) -> str:
    if resource.namespaced and not namespace:
        raise BadRequestError("an empty namespace may not be set when a resource name is provided")
    return resource.path(namespace)


def _path(resource: Resource, namespace: str | None, name: str, subresource: str = "") -> str:
    if not name or "/" in name or name in (".", ".."):
        raise BadRequestError(f"{name!r} cannot be the name of an object")
    _collection(resource, namespace)
    return resource.path(namespace, name, subresource)


def _typed(resource: Resource, obj: Object) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _list_params(options: ListOptions) -> dict[str, str]:
    params = {
        "labelSelector": options.label_selector,
        "fieldSelector": options.field_selector,
        "limit": str(options.limit) if options.limit else "",
        "continue": options.continue_token,
        "resourceVersion": options.resource_version,
        "resourceVersionMatch": "Exact" if options.exact else "",
    }
    return {name: value for name, value in params.items() if value}


def _write_params(options: WriteOptions) -> dict[str, str]:
    params = {"fieldValidation": options.field_validation}
    if options.field_manager:
        params["fieldManager"] = options.field_manager
    if options.dry_run:
        params["dryRun"] = "All"
    return params


def _delete_body(options: DeleteOptions) -> Object:
    body: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if options.propagation is not None:
        body["propagationPolicy"] = options.propagation
    if options.grace_period_seconds is not None:
        body["gracePeriodSeconds"] = options.grace_period_seconds
    preconditions = {"uid": options.uid, "resourceVersion": options.resource_version}
    if any(preconditions.values()):
        body["preconditions"] = {name: value for name, value in preconditions.items() if value}
    if options.dry_run:
        body["dryRun"] = ["All"]
    return body


def _log_params(options: LogOptions) -> dict[str, str]:
    params: dict[str, str] = {}
    for name, wanted in (
        ("follow", options.follow),
        ("previous", options.previous),
        ("timestamps", options.timestamps),
    ):
        if wanted:
            params[name] = "true"
    for name, value in (
        ("container", options.container),
        ("tailLines", options.tail_lines),
        ("sinceSeconds", options.since_seconds),
        ("sinceTime", options.since_time),
        ("limitBytes", options.limit_bytes),
    ):
        if value not in (None, ""):
            params[name] = str(value)
    return params
