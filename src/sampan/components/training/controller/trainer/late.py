"""A cache of a kind that a cluster may lack, and whose absence must not keep controllers from starting.

For `parts`. A manager waits for the caches of its controllers; for this one nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from sampan.client.protocol import Client, Object
from sampan.kube import owners
from sampan.kube.kinds import Resource
from sampan.kube.meta import namespace
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller
from sampan.reconcile.reconciler import Request

_FIRST_LOOK_SECONDS = 1.0
"""How long the start waits for it after all: as a rule it is there, and complete in a moment."""


class LateChildren:
    """Implements `reconcile.manager.Runnable`: children of one kind, whose changes reconcile their owner."""

    caches: Sequence[Cache] = ()

    def __init__(
        self, client: Client, resource: Resource, owner: Resource, controller: Controller[Request]
    ) -> None:
        self.name = f"{owner.plural}' {resource.plural}"
        self.cache = Cache(client, resource)
        self._owner = owner
        self._controller = controller

    async def start(self) -> None:
        self.cache.start()
        self.cache.add_handler(self._handle)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_SECONDS):
                await self.cache.synced()

    async def stop(self) -> None:
        await self.cache.stop()

    def _handle(self, old: Object | None, new: Object | None) -> None:
        for request in dict.fromkeys([*self._requests(old), *self._requests(new)]):
            self._controller.queue.add(request)

    def _requests(self, obj: Object | None) -> Iterable[Request]:
        reference = owners.controller_of(obj) if obj is not None else None
        if obj is None or reference is None or reference.get("kind") != self._owner.kind:
            return ()
        if str(reference.get("apiVersion", "")).rpartition("/")[0] != self._owner.group:
            return ()
        return (Request(namespace(obj), str(reference.get("name", ""))),)
