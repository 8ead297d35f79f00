"""A cache of a kind that a cluster may lack, and whose absence must not keep controllers from starting.

For `parts`. A manager waits for the caches of its controllers; for this one nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from sampan.client.protocol import Client, Object
from sampan.kube import meta, owners
from sampan.kube.kinds import Resource
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller
from sampan.reconcile.reconciler import Request

_REMEMBERED = 1024
_FIRST_LOOK_SECONDS = 1.0
"""How long the start waits for it after all: as a rule it is there, and complete in a moment."""


class LateChildren:
    """Implements `reconcile.manager.Runnable`: children of one kind, whose changes reconcile their owner."""

    caches: Sequence[Cache] = ()

    def __init__(
        self,
        client: Client,
        resource: Resource,
        owner: Resource,
        controller: Controller[Request],
        is_final: Callable[[Object], bool],
    ) -> None:
        """`is_final`: whether a child has ended; it may go at once then, before its owner has been looked at."""
        self.name = f"{owner.plural}' {resource.plural}"
        self.cache = Cache(client, resource)
        self._owner = owner
        self._controller = controller
        self._is_final = is_final
        self._gone: OrderedDict[str, Object] = OrderedDict()

    async def start(self) -> None:
        self.cache.start()
        self.cache.add_handler(self._handle)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_SECONDS):
                await self.cache.synced()

    async def stop(self) -> None:
        await self.cache.stop()

    def ended_of(self, owner: Object) -> Object | None:
        """How the child of that very owner had ended when it went."""
        return self._gone.get(meta.uid(owner))

    def _handle(self, old: Object | None, new: Object | None) -> None:
        reference = owners.controller_of(old) if old is not None else None
        if old is not None and new is None and reference is not None and self._is_final(old):
            self._gone[str(reference.get("uid"))] = old
            if len(self._gone) > _REMEMBERED:
                self._gone.popitem(last=False)
        for request in dict.fromkeys([*self._requests(old), *self._requests(new)]):
            self._controller.queue.add(request)

    def _requests(self, obj: Object | None) -> Iterable[Request]:
        reference = owners.controller_of(obj) if obj is not None else None
        if obj is None or reference is None or reference.get("kind") != self._owner.kind:
            return ()
        if str(reference.get("apiVersion", "")).rpartition("/")[0] != self._owner.group:
            return ()
        return (Request(meta.namespace(obj), str(reference.get("name", ""))),)
