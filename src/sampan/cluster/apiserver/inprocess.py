"""The Client protocol on the verbs themselves: no HTTP, and only as much copying as isolation needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from sampan.client.protocol import (
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_LOG,
    DEFAULT_WRITE,
    DeleteOptions,
    ListOptions,
    LogOptions,
    ObjectList,
    PatchType,
    Subresource,
    WatchEvent,
    WriteOptions,
)
from sampan.client.streams import AttachOptions, Duplex, ExecOptions, Execution
from sampan.cluster.apiserver import binding, podstreams
from sampan.cluster.apiserver.access.accounts import AccountTokens
from sampan.cluster.apiserver.podlogs import PodLogs, stream
from sampan.cluster.apiserver.podstreams import PodStreams
from sampan.cluster.apiserver.queries import encode_continue
from sampan.cluster.apiserver.storage import decode, encode
from sampan.cluster.apiserver.verbs import Verbs
from sampan.cluster.apiserver.watching import watch
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, NotFoundError
from sampan.kube.kinds import PODS, Resource
from sampan.kube.meta import Object


class InProcessClient:
    """Objects that come out are decoded from what is stored, so every caller has its own."""

    def __init__(self, verbs: Verbs, pod_logs: PodLogs | None, tokens: AccountTokens) -> None:
        self._verbs = verbs
        self._pod_logs = pod_logs
        self._tokens = tokens
        self.pod_streams: PodStreams | None = None

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        return (await self._verbs.read(resource, name, namespace)).object()

    async def list(
        self, resource: Resource, namespace: str | None = None, options: ListOptions = DEFAULT_LIST
    ) -> ObjectList:
        page = await self._verbs.list(resource, namespace, options)
        return ObjectList(
            [decode(data) for data in page.items], str(page.revision), encode_continue(page), page.remaining
        )

    async def create(self, resource: Resource, obj: Object, options: WriteOptions = DEFAULT_WRITE) -> Object:
        own = _copied(obj)
        record = await self._verbs.create(resource, own, meta.namespace(own) or None, options)
        return record.object()

    async def replace(
        self,
        resource: Resource,
        obj: Object,
        options: WriteOptions = DEFAULT_WRITE,
        *,
        subresource: Subresource = "",
    ) -> Object:
        own = _copied(obj)
        if subresource == "scale":
            return await self._replace_scale(resource, own, options)
        _check_served(resource, subresource)
        record = await self._verbs.replace(
            resource, meta.name(own), own, meta.namespace(own) or None, options, subresource
        )
        return record.object()

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
        own = _copied(patch)
        if subresource == "scale":
            scaled = await self._verbs.patch_scale(resource, name, own, namespace, patch_type, options)
            return scaled.object()
        _check_served(resource, subresource)
        record, _ = await self._verbs.patch(resource, name, own, namespace, patch_type, options, subresource)
        return record.object()

    async def _replace_scale(self, resource: Resource, scale: Object, options: WriteOptions) -> Object:
        name, namespace = meta.name(scale), meta.namespace(scale) or None
        return (await self._verbs.replace_scale(resource, name, scale, namespace, options)).object()

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> Object:
        record, _ = await self._verbs.delete(resource, name, namespace, options)
        return record.object()

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str | None = None,
        list_options: ListOptions = DEFAULT_LIST,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> None:
        await self._verbs.delete_collection(resource, namespace, list_options, options)

    async def watch(
        self, resource: Resource, namespace: str | None = None, options: ListOptions = DEFAULT_LIST
    ) -> AsyncIterator[WatchEvent]:
        async for batch in watch(self._verbs, resource, namespace, options):
            for event in batch:
                if event.type != "BOOKMARK":
                    yield WatchEvent(event.type, event.object())

    async def bind(self, pod: str, namespace: str, node: str) -> None:
        await binding.bind(self._verbs, pod, namespace, node)

    async def create_token(self, account: str, namespace: str, request: Object) -> Object:
        return self._tokens.request(namespace, account, _copied(request))

    async def log(self, pod: str, namespace: str, options: LogOptions = DEFAULT_LOG) -> AsyncIterator[bytes]:
        found = self._verbs.get(PODS, pod, namespace).object()
        async for chunk in stream(self._pod_logs, found, options):
            yield chunk

    async def exec(self, pod: str, namespace: str, options: ExecOptions) -> Execution:
        found = self._verbs.get(PODS, pod, namespace).object()
        checked = podstreams.checked_exec(found, options)
        return await podstreams.served(self.pod_streams).exec(found, checked)

    async def attach(self, pod: str, namespace: str, options: AttachOptions) -> Execution:
        found = self._verbs.get(PODS, pod, namespace).object()
        checked = podstreams.checked_attach(found, options)
        return await podstreams.served(self.pod_streams).attach(found, checked)

    async def connect(self, pod: str, namespace: str, port: int) -> Duplex:
        found = self._verbs.get(PODS, pod, namespace).object()
        checked = podstreams.checked_port(found, str(port))
        return await podstreams.served(self.pod_streams).connect(found, checked)


def _check_served(resource: Resource, subresource: str) -> None:
    """As over HTTP, where there is no such path."""
    if subresource and subresource not in resource.subresources:
        raise NotFoundError("the server could not find the requested resource")


def _copied(value: Any) -> Any:
    try:
        return decode(encode(value))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadRequestError(f"the object cannot be written as JSON: {error}") from error
