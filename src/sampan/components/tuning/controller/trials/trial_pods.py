"""The pods of trials, which a label tells, also for a while after they are gone.

Run objects clean up pods as they end; what those were last is known here until the trial is forgotten. For the
reconciler. Level-based but for that: after a restart of the server only those that are left are known.
"""

from __future__ import annotations

import contextlib

from sampan.client.protocol import Client, ListOptions
from sampan.components.tuning.api import labels
from sampan.kube import meta, pods
from sampan.kube.errors import ConflictError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Source, mapped
from sampan.reconcile.reconciler import Request

_BY_TRIAL = "trial"


class TrialPods:
    def __init__(self, client: Client) -> None:
        self._client = client
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
        """The same, with those that the watch has not told of yet. Raises ApiError."""
        options = ListOptions(label_selector=f"{labels.TRIAL}={trial.name}")
        found = {meta.uid(pod): pod for pod in self.of(trial)}
        live = (await self._client.list(PODS, trial.namespace, options)).items
        found.update((meta.uid(pod), pod) for pod in live)
        return list(found.values())

    async def complete(self, trial: Request) -> None:
        """Ends those that run, as if they had come to their end by themselves. Raises ApiError."""
        for pod in await self.fresh(trial):
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
            self._gone.setdefault(_request(old), {})[meta.uid(old)] = old


def _request(pod: Object) -> Request:
    return Request(meta.namespace(pod), str(meta.labels(pod).get(labels.TRIAL) or ""))
