"""What a conformance test works with, and how it is run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from sampan.client.protocol import (
    Client,
    ListOptions,
    Object,
    PatchType,
    WatchEvent,
    WriteOptions,
)
from sampan.kube import meta
from sampan.kube.errors import (
    ForbiddenError,
)
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, PODS, Resource
from sampan.lib.ids import random_suffix

_WATCH_SECONDS = 10
_SETTLE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class World:
    """What one test works with."""

    client: Client
    namespace: str

    def config_map(self, name: str, data: dict[str, str] | None = None, **metadata: Any) -> Object:
        return {"metadata": {"name": name, "namespace": self.namespace, **metadata}, "data": data or {}}

    def pod(self, name: str) -> Object:
        spec = {
            "nodeSelector": {"sampan.test/no-such-node": "true"},
            "containers": [{"name": "main", "image": "busybox"}, {"name": "side", "image": "busybox"}],
        }
        return {"metadata": {"name": name, "namespace": self.namespace}, "spec": spec}

    def job(self, name: str) -> Object:
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
        return {
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"suspend": True, "template": template},
        }

    async def created(self, name: str, data: dict[str, str] | None = None, **metadata: Any) -> Object:
        return await self.client.create(CONFIG_MAPS, self.config_map(name, data, **metadata))

    async def get(self, name: str) -> Object:
        return await self.client.get(CONFIG_MAPS, name, self.namespace)

    async def patch(self, name: str, patch: Any, patch_type: PatchType = PatchType.MERGE) -> Object:
        return await self.client.patch(CONFIG_MAPS, name, patch, self.namespace, patch_type=patch_type)

    async def apply(
        self, obj: Object, manager: str, resource: Resource = CONFIG_MAPS, *, force: bool = False
    ) -> Object:
        typed = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        return await self.client.patch(
            resource,
            meta.name(obj),
            typed,
            self.namespace,
            patch_type=PatchType.APPLY,
            options=WriteOptions(field_manager=manager, force=force),
        )

    async def names(self, options: ListOptions) -> list[str]:
        found = await self.client.list(CONFIG_MAPS, self.namespace, options)
        # A real cluster puts its root certificates into every namespace.
        return [meta.name(each) for each in found.items if meta.name(each) != "kube-root-ca.crt"]

    async def create_pod(self, name: str) -> Object:
        """A real cluster refuses pods until it has made the namespace's service account."""
        for _ in range(_SETTLE_SECONDS * 10):
            try:
                return await self.client.create(PODS, self.pod(name))
            except ForbiddenError:
                await asyncio.sleep(0.1)
        return await self.client.create(PODS, self.pod(name))

    async def events(self, count: int, options: ListOptions) -> list[WatchEvent]:
        """The next `count` changes of ConfigMaps."""
        found: list[WatchEvent] = []
        async with (
            asyncio.timeout(_WATCH_SECONDS),
            aclosing(_generator(self.client.watch(CONFIG_MAPS, self.namespace, options))) as events,
        ):
            async for event in events:
                if event.type != "BOOKMARK" and meta.name(event.object) != "kube-root-ca.crt":
                    found.append(event)
                if len(found) == count:
                    break
        return found


E = TypeVar("E", bound=Exception)
_Test = Callable[["Connected"], None]


def check(test: Callable[[Any, World], Awaitable[None]]) -> _Test:
    """Runs the test in an event loop, with a client and a namespace of its own."""

    def run(self: Connected) -> None:
        async def main() -> None:
            async with self.connect() as client:
                namespace = f"conformance-{random_suffix(8)}"
                await client.create(NAMESPACES, {"metadata": {"name": namespace}})
                try:
                    await test(self, World(client, namespace))
                finally:
                    await client.delete(NAMESPACES, namespace)

        asyncio.run(main())

    # Not functools.wraps: pytest would look through it and take the test's arguments for fixtures.
    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


async def refused(expected: type[E], outcome: Awaitable[Any]) -> E:
    """The error that `outcome` raises, which must be of this kind."""
    try:
        await outcome
    except expected as error:
        return error
    raise AssertionError(f"expected {expected.__name__}, and nothing was refused")


class Connected:
    """A test class that knows its client."""

    def connect(self) -> AbstractAsyncContextManager[Client]:
        """A client of a server where nobody else changes what a test makes."""
        raise NotImplementedError


async def _generator(events: AsyncIterator[WatchEvent]) -> Any:
    async for event in events:
        yield event
