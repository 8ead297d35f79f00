"""A cluster's Kubernetes API for the dashboard's pages, when the platform works on a cluster that is not ours.

An ASGI application that `app.web` puts behind the pages and nowhere else: no port leads to it, since whoever reaches
it acts with the platform's own credentials (decision 34). Of a request its method, path, query, body and two headers go
on; the answer comes back with its status and its type. Watches and logs that are followed come as they do.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

from sampan.app.changes import Changes
from sampan.client.sending import Answer, Request
from sampan.kube.errors import (
    ApiError,
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    RequestTooLargeError,
)
from sampan.web import asgi

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_PATHS = re.compile(r"/(?:api|apis|version|openapi)(?:/.*)?")
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_MOST_BODY_BYTES = 8 * 1024 * 1024
_LOG = re.compile(r"/api/v1/namespaces/[^/]+/pods/[^/]+/log")
_STREAMS = ("watch", "follow")


class Cluster(Protocol):
    """What is needed of `client.remote.RemoteClient`."""

    async def answer(self, request: Request) -> Answer: ...

    def raw_stream(self, request: Request) -> AsyncGenerator[bytes, None]: ...


class ForwardedCluster:
    """For one event loop."""

    def __init__(self, cluster: Cluster, changes: Changes) -> None:
        """`changes` is told what pages look at."""
        self._cluster = cluster
        self._changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            request = await _request(scope, receive)
            if _is_stream(request):
                await self._stream(request, send)
                return
            answer = await self._cluster.answer(request)
        except ApiError as error:
            await asgi.respond_error(send, error)
            return
        self._changes.looked_at(request, answer.content)
        await send(_start(answer.status, answer.content_type))
        await send({"type": "http.response.body", "body": answer.content})

    async def _stream(self, request: Request, send: Send) -> None:
        """Raises ApiError, before the answer has begun; what fails later ends it."""
        has_begun = False
        kind = "text/plain; charset=utf-8" if _LOG.fullmatch(request.path) else "application/json"
        try:
            async with aclosing(self._cluster.raw_stream(request)) as pieces:
                async for piece in pieces:
                    if not has_begun:
                        has_begun = True
                        await send(_start(200, kind))
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except ApiError:
            if not has_begun:
                raise
        if not has_begun:
            await send(_start(200, kind))
        await send({"type": "http.response.body", "body": b""})


def _start(status: int, content_type: str) -> Message:
    headers = [(b"content-type", content_type.encode("latin-1"))] if content_type else []
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _request(scope: Scope, receive: Receive) -> Request:
    """Raises ApiError for what is not to be forwarded."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    if scope["method"] not in _METHODS:
        raise MethodNotAllowedError(f"{scope['method']} is not for the Kubernetes API")
    if not _PATHS.fullmatch(path):
        raise NotFoundError("the server could not find the requested resource")
    if _DOTS.search(path):
        raise BadRequestError("the path of the request is not one of the Kubernetes API")
    body = await _body(receive)
    return Request(
        scope["method"],
        path,
        dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        body or None,
        asgi.header(scope, b"content-type") or "application/json",
        asgi.header(scope, b"accept") or "application/json",
    )


async def _body(receive: Receive) -> bytes:
    found = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(found)
        found += message.get("body", b"")
        if len(found) > _MOST_BODY_BYTES:
            raise RequestTooLargeError("the body of the request is too large")
        if not message.get("more_body"):
            return bytes(found)


def _is_stream(request: Request) -> bool:
    return request.reads and any(_is_true(request.params, each) for each in _STREAMS)


def _is_true(params: Mapping[str, str], name: str) -> bool:
    return params.get(name, "").lower() in ("1", "true")
