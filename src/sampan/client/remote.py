"""The Client protocol over HTTP, against any Kubernetes API server."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, cast

import httpx
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
from sampan.client.streams import AttachOptions, Duplex, ExecOptions, Execution
from sampan.kube import meta
from sampan.kube.errors import ApiError, BadRequestError, ServiceUnavailableError, from_status
from sampan.kube.kinds import PODS, Resource

if TYPE_CHECKING:
    from sampan.client import remote_streams

_JSON = "application/json"
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_USER_AGENT = "sampan"

_encode = msgspec.json.encode
_decode = msgspec.json.decode


class RemoteClient:
    """For one event loop; `close` it. Connections are kept and shared, one more for each open watch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        auth = (connection.username, connection.password) if connection.username else None
        self._http = httpx.AsyncClient(
            base_url=connection.server,
            # Loading certificates takes a tenth of a second: only where they are looked at.
            verify=connection.ssl_context() if connection.server.startswith("https") else False,
            auth=auth,
            headers={"user-agent": _USER_AGENT, "accept": _JSON},
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            # The API is where the kubeconfig says; a proxy of the environment is for the world outside.
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        return await self._request("GET", _path(resource, namespace, name))

    async def list(
        self, resource: Resource, namespace: str | None = None, options: ListOptions = DEFAULT_LIST
    ) -> ObjectList:
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
        params = {**_list_params(options), "watch": "true", "allowWatchBookmarks": "true"}
        async with aclosing(self._stream(resource.path(namespace), params)) as chunks:
            async for line in _lines(chunks):
                event = _decode(line)
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

    async def log(self, pod: str, namespace: str, options: LogOptions = DEFAULT_LOG) -> AsyncIterator[bytes]:
        async with aclosing(self._stream(_path(PODS, namespace, pod, "log"), _log_params(options))) as chunks:
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
        opened = await remote_streams.open_socket(self._address(), path, query, remote_streams.PORT_PROTOCOLS)
        return remote_streams.RemotePort(opened[0], opened[2])

    async def _command(self, path: str, options: ExecOptions | AttachOptions) -> Execution:
        from sampan.client import remote_streams  # noqa: PLC0415  as in `connect`

        opened = await remote_streams.open_socket(
            self._address(), path, remote_streams.query_of(options), remote_streams.COMMAND_PROTOCOLS
        )
        return remote_streams.RemoteExecution(*opened)

    def _address(self) -> remote_streams.Address:
        from sampan.client import remote_streams  # noqa: PLC0415  as in `connect`

        connection = self._connection
        headers = {"User-Agent": _USER_AGENT, **self._credentials()}
        if connection.username:
            pair = f"{connection.username}:{connection.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        tls = connection.ssl_context() if connection.server.startswith("https") else None
        return remote_streams.Address(connection.server, headers, tls)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = _JSON,
    ) -> Object:
        headers = self._credentials()
        content = None
        if body is not None:
            headers["content-type"] = content_type
            try:
                content = _encode(body)
            except (TypeError, ValueError, RecursionError) as error:
                raise BadRequestError(f"the object cannot be written as JSON: {error}") from error
        try:
            answer = await self._http.request(method, path, params=params, content=content, headers=headers)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if answer.status_code >= 400:
            raise _error(answer.status_code, answer.content)
        try:
            found: Object = _decode(answer.content)
        except msgspec.DecodeError as error:
            raise ServiceUnavailableError(f"{self._connection.server} did not answer in JSON") from error
        return found

    async def _stream(self, path: str, params: dict[str, str]) -> AsyncGenerator[bytes, None]:
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        request = self._http.build_request(
            "GET", path, params=params, headers=self._credentials(), timeout=timeout
        )
        try:
            answer = await self._http.send(request, stream=True)
            try:
                if answer.status_code >= 400:
                    raise _error(answer.status_code, await answer.aread())
                async for chunk in answer.aiter_bytes():
                    yield chunk
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _credentials(self) -> dict[str, str]:
        token = self._connection.token
        if self._connection.token_file is not None:
            # Tokens of pods are renewed in place; a kilobyte of memory file system is read in no time.
            token = self._connection.token_file.read_text().strip()
        return {"authorization": f"Bearer {token}"} if token else {}

    def _unreachable(self, error: Exception) -> ServiceUnavailableError:
        why = str(error) or type(error).__name__
        return ServiceUnavailableError(f"{self._connection.server} cannot be reached: {why}")


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


def _error(code: int, content: bytes) -> ApiError:
    try:
        status = _decode(content)
    except msgspec.DecodeError:
        status = None
    if not isinstance(status, dict):
        status = {"message": content[:500].decode("utf-8", "replace").strip() or f"HTTP {code}"}
    return from_status(status, code=code)


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
