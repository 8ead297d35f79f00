"""The pods of trials, which a label tells, also for a while after they are gone.

Run objects clean up pods as they end; what those were last is known here until the trial is forgotten. Of those that
went before a restart of the server, what was remembered of them and what they printed. For the reconciler.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from sampan.client.protocol import Client, ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.store.trial_pods import TrialPod
from sampan.components.tuning.store.trial_pods import TrialPods as Remembered
from sampan.kube import meta, pods
from sampan.kube.errors import ConflictError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Source, mapped
from sampan.reconcile.reconciler import Request

_BY_TRIAL = "trial"


class TrialPods:
    def __init__(self, client: Client, remembered: Remembered | None, home: Path) -> None:
        self._client = client
        self._remembered = remembered
        self._home = home
        self.cache = Cache(client, PODS, selector=ListOptions(label_selector=labels.TRIAL))
        self.cache.add_index(_BY_TRIAL, lambda pod: (str(_request(pod)),))
        self.cache.add_handler(self._handle)
        self._gone: dict[Request, dict[str, Object]] = {}

    def source(self) -> Source[Request]:
        return mapped(self.cache, lambda pod: (_request(pod),))

    def of(self, trial: Request) -> list[Object]:
        """Each as it is now, or as it was last."""
        live = self.cache.by_index(_BY_TRIAL, str(trial))
        known = {meta.uid(pod) for pod in live}
        gone = self._gone.get(trial, {})
        return [*(pod for uid, pod in gone.items() if uid not in known), *live]

    async def fresh(self, trial: Request) -> list[Object]:
        """The same, with those that the watch has not told of yet, or that were there before. Raises ApiError,
        StorageError."""
        options = ListOptions(label_selector=f"{labels.TRIAL}={trial.name}")
        found = {meta.uid(pod): pod for pod in self.of(trial)}
        live = (await self._client.list(PODS, trial.namespace, options)).items
        found.update((meta.uid(pod), pod) for pod in live)
        if self._remembered is not None:
            for each in await self._remembered.of(trial.namespace, trial.name):
                if each.uid not in found:
                    found[each.uid] = await asyncio.to_thread(_as_it_was, each, self._home)
        return list(found.values())

    async def complete(self, trial: Request) -> None:
        """Ends those that run, as if they had come to their end by themselves. Raises ApiError."""
        for pod in self.of(trial):
            if pods.is_terminal(pod) or meta.is_deleting(pod) or pods.COMPLETED in meta.annotations(pod):
                continue
            mark = {
                "metadata": {
                    "uid": meta.uid(pod),
                    "annotations": {pods.COMPLETED: "its trial is stopped early"},
                }
            }
            with contextlib.suppress(NotFoundError, ConflictError):
                await self._client.patch(PODS, meta.name(pod), mark, trial.namespace)

    def forget(self, trial: Request) -> None:
        self._gone.pop(trial, None)

    def _handle(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is None:
            # Of one that had not ended it is not known whether it would have failed.
            last = (
                old
                if pods.is_terminal(old)
                else {**old, "status": {**meta.status(old), "phase": pods.UNKNOWN}}
            )
            self._gone.setdefault(_request(old), {})[meta.uid(old)] = last


def _as_it_was(pod: TrialPod, home: Path) -> Object:
    """A pod that is gone, as far as it is known: how it ended is not."""
    folder = home / "logs" / pod.namespace / pod.uid
    statuses = []
    for name in pod.containers:
        runs = [path.name.split(".")[1] for path in folder.glob(f"{name}.*.log")]
        last = max((int(each) for each in runs if each.isdecimal()), default=0)
        state = pods.terminated(0, started_at=pod.created, finished_at=pod.created)
        statuses.append({"name": name, "restartCount": last, "state": state})
    return {
        "metadata": {
            "uid": pod.uid,
            "name": pod.name,
            "namespace": pod.namespace,
            "labels": pod.labels,
            "creationTimestamp": pod.created,
        },
        "spec": {"containers": [{"name": each} for each in pod.containers]},
        "status": {"phase": pods.UNKNOWN, "containerStatuses": statuses},
    }


def _request(pod: Object) -> Request:
    return Request(meta.namespace(pod), str(meta.labels(pod).get(labels.TRIAL) or ""))
