"""Remembers which pods each trial has had, for their logs outlive them (`store.trial_pods`). On this machine only.

Started by the component's door. Level-based: a pod that is there and not remembered is remembered, also after the
server was down. What deleted trials have printed is removed after a while.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from sampan.client.protocol import Client, ListOptions
from sampan.components import Services
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.store.trial_pods import TrialPod, TrialPods
from sampan.kube import meta
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.lib.clock import Clock, parse_rfc3339
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache
from sampan.store.database import StorageError

log = get_logger(__name__)

_AT_ONCE = 200
_RETRY_SECONDS = 5.0
_SWEEP_SECONDS = 3600.0
_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}\Z")


def remembering(services: Services, keep_days: int) -> Remembering:
    return Remembering(
        services.client, services.clock, TrialPods(services.database), services.home, keep_days
    )


class Remembering:
    """For one event loop. `stop` it."""

    def __init__(self, client: Client, clock: Clock, pods: TrialPods, home: Path, keep_days: int) -> None:
        """Logs of trials that are gone are kept for `keep_days`; 0 keeps them for good."""
        self._client = client
        self._clock = clock
        self._pods = pods
        self._logs = home / "logs"
        self._keep_days = keep_days
        selector = ListOptions(label_selector=labels.TRIAL)
        self._cache = Cache(client, PODS, selector=selector, keep=_needed)
        self._queue: asyncio.Queue[Object] = asyncio.Queue()
        self._tasks = TaskSet("pods of trials")

    def start(self) -> None:
        self._cache.add_handler(self._on_pod)
        self._cache.start()
        self._tasks.spawn(self._work(), name="remember")
        if self._keep_days:
            self._tasks.spawn(self._sweep(), name="forget")

    async def stop(self) -> None:
        await self._cache.stop()
        await self._tasks.close()

    def _on_pod(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None:
            self._queue.put_nowait(new)

    async def _work(self) -> None:
        while True:
            found = [await self._queue.get()]
            while not self._queue.empty() and len(found) < _AT_ONCE:
                found.append(self._queue.get_nowait())
            pods = [trial_pod(each) for each in found]
            while True:
                try:
                    await self._pods.add(pods)
                    break
                except StorageError as error:
                    log.warning("pods of trials are not remembered yet", count=len(pods), why=str(error))
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _sweep(self) -> None:
        while True:
            try:
                await self.forget_gone()
            except (ApiError, StorageError, OSError) as error:
                log.warning("logs of trials that are gone were not removed", why=str(error))
            await asyncio.sleep(_SWEEP_SECONDS)

    async def forget_gone(self) -> None:
        """Of trials that are no more. Raises ApiError, StorageError."""
        after = ("", "")
        while trials := await self._pods.trials(after, _AT_ONCE):
            for namespace, name in trials:
                try:
                    await self._client.get(TRIALS, name, namespace)
                except NotFoundError:
                    await self._forget(namespace, name)
            after = trials[-1]

    async def _forget(self, namespace: str, trial: str) -> None:
        pods = await self._pods.of(namespace, trial)
        if any(self._age_days(each) < self._keep_days for each in pods):
            return
        for pod in pods:
            if _UID.match(pod.uid) and _UID.match(namespace):
                folder = self._logs / namespace / pod.uid
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await self._pods.forget([each.uid for each in pods])

    def _age_days(self, pod: TrialPod) -> float:
        try:
            return (self._clock.now() - parse_rfc3339(pod.created)).total_seconds() / 86400
        except ValueError:
            return float("inf")


def trial_pod(pod: Object) -> TrialPod:
    """What there is to know of a pod of a trial. Pure."""
    return TrialPod(
        meta.uid(pod),
        meta.namespace(pod),
        str(meta.labels(pod).get(labels.TRIAL) or ""),
        meta.name(pod),
        str(meta.metadata(pod).get("creationTimestamp") or ""),
        tuple(str(each.get("name") or "") for each in meta.spec(pod).get("containers") or ()),
        dict(meta.labels(pod)),
    )


def _needed(pod: Object) -> Object:
    """Little of each pod, for there may be many."""
    metadata = meta.metadata(pod)
    kept = ("name", "namespace", "uid", "labels", "creationTimestamp", "resourceVersion")
    containers = meta.spec(pod).get("containers") or ()
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"containers": [{"name": each.get("name")} for each in containers]},
    }
