"""What a conformance test works with, and how it is run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import SkipTest

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

_WATCH_SECONDS = 60
_SETTLE_SECONDS = 60
_NOBODY = "sampan-test"
"""A scheduler that there is not."""


Version = tuple[int, int]
_NEWEST: Version = (1, 99)


@dataclass(frozen=True, slots=True)
class World:
    """What one test works with."""

    client: Client
    namespace: str
    version: Version
    """Of the server's Kubernetes."""

    def config_map(self, name: str, data: dict[str, str] | None = None, **metadata: Any) -> Object:
        return {"metadata": {"name": name, "namespace": self.namespace, **metadata}, "data": data or {}}

    def pod(self, name: str) -> Object:
        spec = {
            # A real cluster's scheduler would write into its status.
            "schedulerName": _NOBODY,
            "containers": [{"name": "main", "image": "busybox"}, {"name": "side", "image": "busybox"}],
        }
        return {"metadata": {"name": name, "namespace": self.namespace}, "spec": spec}

    def job(self, name: str) -> Object:
        containers = [{"name": "main", "image": "busybox"}]
        # Suspending a Job came with Kubernetes 1.21: on an older one its pods must not run either.
        template = {"spec": {"restartPolicy": "Never", "schedulerName": _NOBODY, "containers": containers}}
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
_Check = Callable[[Any, World], Awaitable[None]]


def since(version: Version, what: str) -> Callable[[_Check], _Check]:
    """For a check of something that came to Kubernetes with `version`; an older server skips it, saying why."""

    def marked(test: _Check) -> _Check:
        test.__dict__["since"] = (version, what)
        return test

    return marked


def check(test: _Check) -> _Test:
    """Runs the test in an event loop, with a client and a namespace of its own."""

    def run(self: Connected) -> None:
        async def main() -> None:
            async with self.connect() as client:
                version = await self.version(client)
                needed, what = test.__dict__.get("since", ((0, 0), ""))
                if version < needed:
                    have, want = (f"{major}.{minor}" for major, minor in (version, needed))
                    raise SkipTest(f"Kubernetes {have} has no {what}: it came with {want}")
                namespace = f"conformance-{random_suffix(8)}"
                await client.create(NAMESPACES, {"metadata": {"name": namespace}})
                try:
                    await test(self, World(client, namespace, version))
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

    async def version(self, _client: Client) -> Version:
        """Of the server's Kubernetes; what came later is skipped. Ours has everything."""
        return _NEWEST


async def _generator(events: AsyncIterator[WatchEvent]) -> Any:
    async for event in events:
        yield event
