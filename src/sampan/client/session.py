"""A connection to a cluster that blocks: an event loop in a thread of its own, and the asynchronous client in it.

So that it works in scripts, in notebooks (whose own loop runs already) and in threads alike. Routes of Sampan itself
are at the same address as the Kubernetes API where the cluster is the embedded one, and at another where it is not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from sampan.client.kubeconfig import Connection
from sampan.client.protocol import (
    DeleteOptions,
    ListOptions,
    Object,
    PatchType,
    Propagation,
    Subresource,
    WriteOptions,
)
from sampan.client.remote import RemoteClient
from sampan.client.sending import Answer, Request
from sampan.kube.kinds import Resource

T = TypeVar("T")
_END = object()


class Session:
    """For any thread. Close it, or use it in a `with` block. Every method raises ApiError."""

    def __init__(self, connection: Connection, own_url: str = "") -> None:
        """`own_url` is where Sampan's own routes are; empty where the cluster's address has them."""
        self.namespace = connection.namespace
        self.server = connection.server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sampan session", daemon=True)
        self._thread.start()
        self.client = self._run(_made(connection))
        self.is_embedded = not own_url or own_url.rstrip("/") == connection.server
        """Whether Sampan's routes are at the API's address, and so its pods on that machine."""
        self._own = self.client if self.is_embedded else self._run(_made(Connection(own_url.rstrip("/"))))

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._loop.is_closed():
            return
        for client in {id(each): each for each in (self.client, self._own)}.values():
            with suppress(Exception):
                self._run(client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # Objects.

    def get(self, resource: Resource, name: str, namespace: str | None) -> Object:
        return self._run(self.client.get(resource, name, namespace))

    def list(
        self, resource: Resource, namespace: str | None, labels: str = "", fields: str = ""
    ) -> list[Object]:
        options = ListOptions(label_selector=labels, field_selector=fields)
        return self._run(self.client.list(resource, namespace, options)).items

    def create(self, resource: Resource, obj: Object) -> Object:
        return self._run(self.client.create(resource, obj))

    def apply(self, resource: Resource, obj: Object, manager: str) -> Object:
        """As server-side apply does, whoever else has set the fields."""

        options = WriteOptions(field_manager=manager, force=True)
        metadata = obj["metadata"]
        patch = self.client.patch(
            resource,
            metadata["name"],
            obj,
            metadata.get("namespace"),
            patch_type=PatchType.APPLY,
            options=options,
        )
        return self._run(patch)

    def patch(
        self, resource: Resource, name: str, patch: Any, namespace: str | None, subresource: Subresource = ""
    ) -> Object:
        """A merge patch."""
        return self._run(self.client.patch(resource, name, patch, namespace, subresource=subresource))

    def delete(self, resource: Resource, name: str, namespace: str | None) -> None:
        options = DeleteOptions(propagation=Propagation.BACKGROUND)
        self._run(self.client.delete(resource, name, namespace, options))

    # Sampan's own routes, and whatever else has no method.

    def read(self, path: str, query: dict[str, str] | None = None, *, own: bool = False) -> Any:
        """JSON."""
        client = self._own if own else self.client
        return msgspec.json.decode(self._run(client.raw(Request("GET", path, query or {}))))

    def exchange(self, request: Request, seconds: float) -> Answer:
        """With Sampan's own port: whatever it answers, errors included."""
        return self._run(self._own.exchange(request, seconds))

    def stream_lines(
        self, path: str, query: dict[str, str], accept: str, *, own: bool = True
    ) -> Iterator[bytes]:
        """Lines of one of Sampan's own routes, or of the cluster's, as they come, for as long as the server sends."""
        request = Request("GET", path, query, accept=accept)
        return self._iterate(_lines((self._own if own else self.client).raw_stream(request)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        async def following() -> Any:
            return await anext(items, _END)

        async def end() -> None:
            await items.aclose()  # type: ignore[attr-defined]  # an async generator

        try:
            while (item := self._run(following())) is not _END:
                yield item
        finally:
            if not self._loop.is_closed():
                with suppress(Exception):
                    self._run(end())


async def _made(connection: Connection) -> RemoteClient:
    """Within the loop that it is for. Raises KubeconfigError."""
    return RemoteClient(connection)


async def _lines(chunks: Any) -> AsyncIterator[bytes]:
    rest = b""
    async with aclosing(chunks) as pieces:
        async for piece in pieces:
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
    if rest:
        yield rest
