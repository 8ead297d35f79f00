"""Remembers which pods a job has had, for their logs outlive them (`store.job_pods`). On this machine only.

Started by the component's door, whoever acts on the jobs. Level-based: a pod that is there and not remembered is
remembered, also after the server was down. A pod whose job cannot be told is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from sampan.client.protocol import Client, ListOptions
from sampan.components.training.api import labels
from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.components.training.store.job_pods import JobKey, JobPods, job_pod
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import JOB_SETS, JOBS, PODS, Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache

log = get_logger(__name__)

_BETWEEN: tuple[Resource, ...] = (JOBS, JOB_SETS)
"""What may stand between a job and its pods."""
_MOST_OWNERS = 2000
_SWEEP_SECONDS = 3600.0


class Remembering:
    """For one event loop. `stop` it."""

    def __init__(self, client: Client, home: Path, keep_days: int) -> None:
        """Logs of jobs that are gone are kept for `keep_days`; 0 keeps them for good."""
        self._client = client
        self._pods = JobPods(home)
        self._keep_days = keep_days
        self._caches = [
            Cache(client, PODS, selector=ListOptions(label_selector=label), keep=_needed)
            for label in (labels.JOB_NAME, labels.JOB_SET_NAME)
        ]
        self._queue: asyncio.Queue[Object] = asyncio.Queue()
        self._known: dict[str, Object | None] = {}
        """By the uid of what stands between: its controller."""
        self._tasks = TaskSet("training pods")

    def start(self) -> None:
        for cache in self._caches:
            cache.add_handler(self._on_pod)
            cache.start()
        self._tasks.spawn(self._work(), name="remember")
        if self._keep_days:
            self._tasks.spawn(self._sweep(), name="forget")

    async def stop(self) -> None:
        await asyncio.gather(*(cache.stop() for cache in self._caches))
        await self._tasks.close()

    def _on_pod(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None:
            self._queue.put_nowait(new)

    async def _work(self) -> None:
        while True:
            pod = await self._queue.get()
            try:
                await self._remember(pod)
            except (ApiError, OSError) as error:
                log.warning("the pod of a job was not remembered", pod=meta.name(pod), why=str(error))

    async def _remember(self, pod: Object) -> None:
        found = await self._job_of(pod)
        if found is not None:
            key, kind, uid = found
            await asyncio.to_thread(self._pods.add, key, job_pod(pod, kind, uid))

    async def _job_of(self, pod: Object) -> tuple[JobKey, str, str] | None:
        """The training job that the pod belongs to, whoever stands between them. Raises ApiError."""
        owner, namespace = owners.controller_of(pod), meta.namespace(pod)
        for _ in range(len(_BETWEEN) + 1):
            if owner is None:
                return None
            resource = _resource(owner, ALL_JOB_KINDS)
            if resource is not None:
                name, uid = str(owner.get("name") or ""), str(owner.get("uid") or "")
                return JobKey(namespace, resource.plural, name), resource.kind, uid
            owner = await self._owner_of(owner, namespace)
        return None

    async def _owner_of(self, owner: Object, namespace: str) -> Object | None:
        uid = str(owner.get("uid") or "")
        if uid not in self._known:
            between = _resource(owner, _BETWEEN)
            if len(self._known) >= _MOST_OWNERS:
                self._known.clear()
            try:
                found = (
                    await self._client.get(between, str(owner.get("name") or ""), namespace)
                    if between
                    else None
                )
            except NotFoundError:
                return None
            self._known[uid] = owners.controller_of(found) if found is not None else None
        return self._known[uid]

    async def _sweep(self) -> None:
        while True:
            for key in await asyncio.to_thread(list, self._pods.keys()):
                try:
                    if await asyncio.to_thread(self._pods.age_days, key) > self._keep_days:
                        await self._forget_if_gone(key)
                except (ApiError, OSError) as error:
                    log.warning("logs of a job that is gone were not removed", job=key.name, why=str(error))
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _forget_if_gone(self, key: JobKey) -> None:
        resource = next((each for each in ALL_JOB_KINDS if each.plural == key.plural), None)
        if resource is None:
            return
        try:
            await self._client.get(resource, key.name, key.namespace)
        except NotFoundError:
            await asyncio.to_thread(self._pods.forget, key, self._keep_days)


def _needed(pod: Object) -> Object:
    """Little of each pod, for there may be many."""
    metadata = meta.metadata(pod)
    kept = ("name", "namespace", "uid", "labels", "annotations", "ownerReferences", "creationTimestamp")
    containers: Sequence[Object] = meta.spec(pod).get("containers") or ()
    return {
        "metadata": {key: metadata[key] for key in (*kept, "resourceVersion") if key in metadata},
        "spec": {"containers": [{"name": each.get("name")} for each in containers]},
    }


def _resource(owner: Object, among: Iterable[Resource]) -> Resource | None:
    group = str(owner.get("apiVersion") or "").rpartition("/")[0]
    return next((each for each in among if each.kind == owner.get("kind") and each.group == group), None)
