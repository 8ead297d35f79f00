"""The end of a definition: its objects first, then itself. And second chances for names that have become free.

A task of `server`. Source: apiextensions-apiserver/pkg/controller/finalizer/crd_finalizer.go, v1.31.
"""

from __future__ import annotations

import asyncio

import msgspec

from sampan.client.protocol import DeleteOptions, ListOptions, Propagation
from sampan.cluster.apiserver.custom.definitions import CLEANUP, DEFINITIONS
from sampan.cluster.apiserver.custom.registration import Definitions
from sampan.cluster.apiserver.storage import ListQuery
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube import conditions, meta
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger

log = get_logger(__name__)

_LOOK_AGAIN_SECONDS = 0.5
"""For objects that finalizers hold."""


class Finalizing:
    def __init__(self, verbs: Verbs, definitions: Definitions) -> None:
        self._verbs = verbs
        self._definitions = definitions
        self._names: set[str] = set()
        self._changed = asyncio.Event()

    def look_at(self, name: str) -> None:
        self._names.add(name)
        self._changed.set()

    async def run(self) -> None:
        page = await self._verbs.storage.page(ListQuery(DEFINITIONS.key))
        for data in page.items:
            if b"deletionTimestamp" in data:
                self.look_at(meta.name(_decoded(data)))
        while True:
            await self._changed.wait()
            self._changed.clear()
            names, self._names = self._names, set()
            held = [name for name in names if not await self._settle(name)]
            if held:
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                for name in held:
                    self.look_at(name)

    async def _settle(self, name: str) -> bool:
        """Whether there is nothing more to do about this definition for now."""
        try:
            try:
                definition = self._verbs.get(DEFINITIONS, name, None).object()
            except NotFoundError:
                await self._let_others_have_names()
                return True
            if not meta.is_deleting(definition) or CLEANUP not in meta.finalizers(definition):
                return True
            return await self._clean(name)
        except ApiError as error:
            log.warning("a definition cannot be finalized", name=name, error=error.message)
            return False
        except Exception as error:
            # Such as of a database that is away for a moment. The others wait for nobody's fault.
            log.error("a definition cannot be finalized", name=name, exc=error)
            return False

    async def _clean(self, name: str) -> bool:
        resources = list(self._definitions.resources(name))
        if resources:
            await self._tell(
                name, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress"
            )
            left = await self._delete_all(resources[0])
            if left:
                return False
        await self._tell(name, "False", "InstanceDeletionCompleted", "removed all instances")

        def without(definition: Object) -> Object:
            meta.remove_finalizer(definition, CLEANUP)
            return definition

        await self._verbs.mutate(DEFINITIONS, name, None, without, "")
        return True

    async def _delete_all(self, resource: Resource) -> int:
        """How many objects are still there. One version shows them all."""
        options = DeleteOptions(propagation=Propagation.BACKGROUND)
        page = await self._verbs.list(resource, None, ListOptions())
        for data in page.items:
            metadata = _decoded(data)["metadata"]
            if metadata.get("deletionTimestamp"):
                continue
            try:
                await self._verbs.delete(resource, metadata["name"], metadata.get("namespace"), options)
            except NotFoundError:
                continue
        return len((await self._verbs.list(resource, None, ListOptions())).items)

    async def _tell(self, name: str, status: str, reason: str, message: str) -> None:
        now = self._verbs.now()

        def told(definition: Object) -> Object:
            conditions.put(definition, "Terminating", status, now=now, reason=reason, message=message)
            return definition

        await self._verbs.mutate(DEFINITIONS, name, None, told, "status")

    async def _let_others_have_names(self) -> None:
        for waiting in list(self._definitions.waiting):

            def judged(definition: Object) -> Object:
                self._definitions.updated(definition)
                return definition

            try:
                await self._verbs.mutate(DEFINITIONS, waiting, None, judged, "status")
            except NotFoundError:
                continue


def _decoded(data: bytes) -> Object:
    found: Object = msgspec.json.decode(data)
    return found
