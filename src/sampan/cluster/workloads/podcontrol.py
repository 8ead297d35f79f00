"""Making and deleting the pods of a controller, and telling about it.

Source: pkg/controller/controller_utils.go (RealPodControl, slowStartBatch), v1.33.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, Object
from sampan.kube import conditions, meta, owners, pods
from sampan.kube.errors import ApiError, ConflictError, ForbiddenError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.lib.clock import parse_rfc3339
from sampan.reconcile.cache import Cache
from sampan.reconcile.events import EventRecorder

_AT_ONCE = 64


def is_active(pod: Object) -> bool:
    return not pods.is_terminal(pod) and not meta.is_deleting(pod)


def available_in(pod: Object, min_ready_seconds: int, now: datetime) -> timedelta | None:
    """How much longer the pod must stay ready to count as available; None while it is not ready."""
    ready = conditions.find(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    if not min_ready_seconds:
        return timedelta()
    since = ready.get("lastTransitionTime")
    if not since:
        return None
    return max(parse_rfc3339(str(since)) + timedelta(seconds=min_ready_seconds) - now, timedelta())


def is_available(pod: Object, min_ready_seconds: int, now: datetime) -> bool:
    return available_in(pod, min_ready_seconds, now) == timedelta()


def from_template(owner: Object, template: Object) -> Object:
    """A pod of `owner`. The API generates the last characters of its name."""
    metadata: dict[str, Any] = {
        "namespace": meta.namespace(owner),
        "generateName": f"{meta.name(owner)}-",
        "labels": dict(meta.labels(template)),
        "annotations": dict(meta.annotations(template)),
        "ownerReferences": [owners.owner_reference(owner)],
    }
    if finalizers := meta.finalizers(template):
        metadata["finalizers"] = list(finalizers)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": dict(meta.spec(template))}


@dataclass(frozen=True, slots=True)
class PodControl:
    client: Client
    cache: Cache
    recorder: EventRecorder

    async def create(self, owner: Object, wanted: Sequence[Object]) -> tuple[int, ApiError | None]:
        """In batches that double, so that a template which the API refuses is not tried a thousand times."""
        made, size, at, newest = 0, 1, 0, 0
        error: ApiError | None = None
        while at < len(wanted) and error is None:
            batch = wanted[at : at + size]
            at, size = at + len(batch), min(size * 2, _AT_ONCE)
            for answer in await asyncio.gather(*(self._create_one(owner, pod) for pod in batch)):
                if isinstance(answer, ApiError):
                    error = answer
                else:
                    made, newest = made + 1, max(newest, _version(answer))
        await self.seen(newest)
        return made, error

    async def delete(self, owner: Object, unwanted: Sequence[Object]) -> ApiError | None:
        newest = 0
        error: ApiError | None = None
        for at in range(0, len(unwanted), _AT_ONCE):
            some = unwanted[at : at + _AT_ONCE]
            for answer in await asyncio.gather(*(self._delete_one(owner, pod) for pod in some)):
                if isinstance(answer, ApiError):
                    error = answer
                else:
                    newest = max(newest, answer)
        await self.seen(newest)
        return error

    async def seen(self, version: int) -> None:
        """Until the cache shows what was done: who decides next must not do it again."""
        if version:
            await self.cache.reached(str(version))

    async def _create_one(self, owner: Object, pod: Object) -> Object | ApiError:
        try:
            made = await self.client.create(PODS, pod)
        except ForbiddenError as error:
            if not is_namespace_ending(error):
                self.recorder.warning(owner, "FailedCreate", f"Error creating: {error.message}")
            return error
        except ApiError as error:
            self.recorder.warning(owner, "FailedCreate", f"Error creating: {error.message}")
            return error
        self.recorder.normal(owner, "SuccessfulCreate", f"Created pod: {meta.name(made)}")
        return made

    async def _delete_one(self, owner: Object, pod: Object) -> int | ApiError:
        options = DeleteOptions(uid=meta.uid(pod))
        try:
            gone = await self.client.delete(PODS, meta.name(pod), meta.namespace(pod), options)
        except (NotFoundError, ConflictError):
            return 0  # gone already, and perhaps another of its name is there
        except ApiError as error:
            self.recorder.warning(owner, "FailedDelete", f"Error deleting: {error.message}")
            return error
        self.recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")
        return _version(gone)


def is_namespace_ending(error: ApiError) -> bool:
    """Whether nothing can be made because the namespace is on its way out."""
    return any(cause.reason == "NamespaceTerminating" for cause in error.causes)


def _version(obj: Object) -> int:
    text = meta.resource_version(obj)
    return int(text) if text.isdecimal() else 0
