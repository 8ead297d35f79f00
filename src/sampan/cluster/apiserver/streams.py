"""Answers that go on: watches as lines of JSON, and logs.

Source: k8s.io/apiserver/pkg/endpoints/handlers/watch.go, v1.31.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from sampan.client.protocol import ListOptions, LogOptions
from sampan.cluster.apiserver import params, podlogs
from sampan.cluster.apiserver.codec import JSON, Accepted
from sampan.cluster.apiserver.podlogs import PodLogs
from sampan.cluster.apiserver.presentation import Presenter
from sampan.cluster.apiserver.queries import Selection
from sampan.cluster.apiserver.storage import encode
from sampan.cluster.apiserver.verbs import Verbs
from sampan.cluster.apiserver.watching import Seen
from sampan.cluster.apiserver.watching import watch as watch_batches
from sampan.kube.errors import ApiError, NotAcceptableError, to_status
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

Chunks: TypeAlias = AsyncIterator[bytes]

_BOOKMARK_SECONDS = 60.0
_SHORTEST_SECONDS = 1800
_FIRST_CHUNK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class WatchRequest:
    resource: Resource
    namespace: str | None
    options: ListOptions
    query: params.Query
    accepted: Accepted


def watch(verbs: Verbs, presenter: Presenter, request: WatchRequest) -> Chunks:
    """Raises what is wrong with the request at once; the rest comes as an ERROR event in the stream."""
    if request.accepted.media_type != JSON:
        raise NotAcceptableError("only the following media types are accepted: application/json;stream=watch")
    Selection.parse(verbs.strategies.of(request.resource), request.options)
    bookmarks = params.flag(request.query, "allowWatchBookmarks")
    initial = params.flag(request.query, "sendInitialEvents")
    seconds = params.integer(request.query, "timeoutSeconds") or random.uniform(1, 2) * _SHORTEST_SECONDS  # noqa: S311  spreads reconnects
    options = request.options
    if initial:
        options = replace(options, resource_version="")
    elif "sendInitialEvents" in request.query and options.resource_version in ("", "0"):
        options = replace(options, resource_version=str(verbs.storage.revision))
    return _Lines(verbs, presenter, replace(request, options=options), bookmarks, initial).lines(seconds)


@dataclass(frozen=True, slots=True)
class _Lines:
    verbs: Verbs
    presenter: Presenter
    request: WatchRequest
    bookmarks: bool
    initial: bool

    async def lines(self, seconds: float) -> Chunks:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds

        def idle_seconds() -> float:
            return max(0.0, min(_BOOKMARK_SECONDS, deadline - loop.time()))

        try:
            async for batch in self._batches(idle_seconds):
                if batch:
                    yield batch
                if loop.time() >= deadline:
                    return
        except ApiError as error:
            yield _line("ERROR", encode(to_status(error)))

    async def _batches(self, idle_seconds: Callable[[], float]) -> Chunks:
        request = self.request
        first = request.options.resource_version in ("", "0")
        batches = watch_batches(
            self.verbs, request.resource, request.namespace, request.options, idle_seconds=idle_seconds
        )
        async for batch in batches:
            closing = first and self.initial
            lines = b"".join(
                self._bookmark(event.revision, closing=closing)
                if event.type == "BOOKMARK"
                else _line(event.type, self._data(event))
                for event in batch
                if event.type != "BOOKMARK" or (self.bookmarks and (closing or not first))
            )
            first = first and not (batch and batch[-1].type == "BOOKMARK")
            # A watcher that does not read holds the lines, and not what they were made of.
            del batch
            yield lines

    def _data(self, event: Seen) -> bytes:
        request = self.request
        if not request.accepted.as_kind:
            return event.data
        return encode(
            self.presenter.transformed(request.resource, event.data, request.accepted, request.query)
        )

    def _bookmark(self, revision: int, *, closing: bool) -> bytes:
        resource = self.request.resource
        metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if closing:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        if self.request.accepted.as_kind == "PartialObjectMetadata":
            obj |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return _line("BOOKMARK", encode(obj))


async def log(pod_logs: PodLogs | None, pod: Object, options: LogOptions) -> Chunks:
    """Waits a little for the first chunk, so that an error still becomes the answer's status."""
    chunks = podlogs.stream(pod_logs, pod, options)
    first = asyncio.ensure_future(anext(chunks, b""))
    await asyncio.wait((first,), timeout=_FIRST_CHUNK_SECONDS)
    if first.done() and (error := first.exception()) is not None:
        raise error
    return _chained(first, chunks)


async def _chained(first: asyncio.Future[bytes], rest: Chunks) -> Chunks:
    try:
        if chunk := await first:
            yield chunk
        async for chunk in rest:
            yield chunk
    except ApiError as error:
        yield f"{error.message}\n".encode()
    finally:
        first.cancel()


def _line(type_: str, data: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), data)
