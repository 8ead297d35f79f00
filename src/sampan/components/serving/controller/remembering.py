"""Remembers which pods an InferenceService has had, for their logs outlive them (`store.endpoint_pods`).

On this machine only. Level-based: a pod that is there and not remembered is remembered, also after the server was down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sampan.components.serving.api import labels
from sampan.components.serving.controller.around import Around
from sampan.components.serving.store.endpoint_pods import EndpointPods, endpoint_pod
from sampan.kube import meta
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache

log = get_logger(__name__)


class Remembering:
    """Implements `reconcile.manager.Runnable`. For one event loop."""

    name = "pods of endpoints"

    def __init__(self, around: Around) -> None:
        self._cache = around.caches.of(PODS)
        self._pods = EndpointPods(around.home)
        self._queue: asyncio.Queue[Object] = asyncio.Queue()
        self._tasks = TaskSet("pods of endpoints")

    @property
    def caches(self) -> Sequence[Cache]:
        return (self._cache,)

    async def start(self) -> None:
        self._cache.add_handler(self._on_pod)
        self._tasks.spawn(self._work(), name="remember")

    async def stop(self) -> None:
        await self._tasks.close()

    def _on_pod(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None and meta.labels(new).get(labels.INFERENCE_SERVICE):
            self._queue.put_nowait(new)

    async def _work(self) -> None:
        while True:
            pod = await self._queue.get()
            endpoint = str(meta.labels(pod)[labels.INFERENCE_SERVICE])
            try:
                await asyncio.to_thread(self._pods.add, meta.namespace(pod), endpoint, endpoint_pod(pod))
            except OSError as error:
                log.warning("the pod of an endpoint was not remembered", pod=meta.name(pod), why=str(error))
