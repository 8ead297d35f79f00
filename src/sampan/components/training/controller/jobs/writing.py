"""Making and deleting what a job owns, and telling about it with upstream's events.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/control/{pod,service}_control.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sampan.client.protocol import Client, DeleteOptions
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache
from sampan.reconcile.events import EventRecorder

_FIRST = 4
"""What the API refuses is tried with these alone."""
_AT_ONCE = 32
"""Writes under way at a time: enough to share commits, few enough to leave room for others."""


@dataclass(slots=True)
class Written:
    """What became of some writes."""

    made: int = 0
    error: ApiError | None = None
    """The first."""


class ChildWriter:
    """Of one kind of child: `Pod` or `Service`."""

    def __init__(self, client: Client, cache: Cache, recorder: EventRecorder) -> None:
        self._client = client
        self._cache = cache
        self._recorder = recorder
        self._kind = cache.resource.kind

    async def create(self, job: Object, wanted: Sequence[Object]) -> Written:
        """Returns when the cache shows them. Ends early when the API refuses one."""
        result, newest = Written(), 0
        for batch in _batches(wanted):
            for answer in await asyncio.gather(*(self._create_one(job, each) for each in batch)):
                if isinstance(answer, ApiError):
                    result.error = result.error or answer
                else:
                    result.made, newest = result.made + 1, max(newest, _version(answer))
            if result.error is not None:
                break
        await self._seen(newest)
        return result

    async def delete(self, job: Object, unwanted: Sequence[Object]) -> ApiError | None:
        """Returns when the cache shows that they are gone or going."""
        newest, error = 0, None
        for at in range(0, len(unwanted), _AT_ONCE):
            some = unwanted[at : at + _AT_ONCE]
            for answer in await asyncio.gather(*(self._delete_one(job, each) for each in some)):
                if isinstance(answer, ApiError):
                    error = error or answer
                else:
                    newest = max(newest, answer)
        await self._seen(newest)
        return error

    async def _create_one(self, job: Object, wanted: Object) -> Object | ApiError:
        name, namespace = meta.name(wanted), meta.namespace(wanted)
        try:
            made = await self._client.create(self._cache.resource, wanted)
        except AlreadyExistsError as error:
            return await self._found(job, name, namespace, error)
        except ApiError as error:
            self._recorder.warning(job, f"FailedCreate{self._kind}", f"Error creating: {error.message}")
            return error
        self._recorder.normal(job, f"SuccessfulCreate{self._kind}", f"Created {self._kind.lower()}: {name}")
        return made

    async def _found(self, job: Object, name: str, namespace: str, error: ApiError) -> Object | ApiError:
        """What has the name already: ours, if the cache was behind."""
        try:
            there = await self._client.get(self._cache.resource, name, namespace)
        except NotFoundError:
            return error
        if owners.is_controlled_by(there, job):
            return there
        self._recorder.warning(job, f"FailedCreate{self._kind}", f"Error creating: {error.message}")
        return error

    async def _delete_one(self, job: Object, obj: Object) -> int | ApiError:
        name = meta.name(obj)
        try:
            gone = await self._client.delete(
                self._cache.resource, name, meta.namespace(obj), DeleteOptions(uid=meta.uid(obj))
            )
        except (NotFoundError, ConflictError):
            return 0
        except ApiError as error:
            self._recorder.warning(job, f"FailedDelete{self._kind}", f"Error deleting: {error.message}")
            return error
        self._recorder.normal(job, f"SuccessfulDelete{self._kind}", f"Deleted {self._kind.lower()}: {name}")
        return _version(gone)

    async def _seen(self, version: int) -> None:
        if version:
            await self._cache.reached(str(version))


def _batches(wanted: Sequence[Object]) -> list[Sequence[Object]]:
    """A few go ahead of many."""
    rest = wanted[_FIRST:]
    batches = [wanted[:_FIRST], *(rest[at : at + _AT_ONCE] for at in range(0, len(rest), _AT_ONCE))]
    return [batch for batch in batches if batch]


def _version(obj: Object) -> int:
    text = meta.resource_version(obj)
    return int(text) if text.isdecimal() else 0
