"""The ReplicaSet reconciler: as many pods as wanted, no more and no fewer."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.client.protocol import Client, Object
from sampan.cluster.workloads.children import Children, controlled_by, index_by_controller
from sampan.cluster.workloads.podcontrol import PodControl, from_template, is_active, is_namespace_ending
from sampan.cluster.workloads.replicaset.ranking import first_to_go
from sampan.cluster.workloads.replicaset.status import look_again, status
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError
from sampan.kube.kinds import PODS, REPLICA_SETS
from sampan.lib.clock import Clock
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

CREATE_LIMIT = 500
"""Pods created or deleted in one reconcile, as upstream: others get their turn in between."""


class ReplicaSetReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._sets = caches.of(REPLICA_SETS)
        self._pods = caches.of(PODS)
        index_by_controller(self._sets)
        self._children = Children(client, self._sets, self._pods)
        self._recorder = EventRecorder(client, clock, "replicaset-controller")
        self._control = PodControl(client, self._pods, self._recorder)

    def controller(self) -> Controller[Request]:
        sources = [own(self._sets), mapped(self._pods, self._children.requests)]
        return Controller("replicaset", self.reconcile, sources, workers=4, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        replica_set = self._sets.get(request.namespace, request.name)
        if replica_set is None:
            return DONE
        active = [pod for pod in await self._children.claimed(replica_set) if is_active(pod)]
        failure, error = None, None
        if not meta.is_deleting(replica_set):
            failure, error = await self._manage(replica_set, active)
        active = [pod for pod in self._children.controlled(replica_set) if is_active(pod)]
        now = self._clock.now()
        wanted = status(replica_set, active, failure, now)
        after = await update_status(self._client, REPLICA_SETS, replica_set, wanted)
        await self._sets.reached(meta.resource_version(after))
        if error is not None and not is_namespace_ending(error):
            raise error
        return Result(look_again(replica_set, active, now))

    async def _manage(
        self, replica_set: Object, active: Sequence[Object]
    ) -> tuple[tuple[str, str] | None, ApiError | None]:
        """What went wrong: for the status, and to try again."""
        spec = meta.spec(replica_set)
        missing = int(spec.get("replicas") or 0) - len(active)
        if missing > 0:
            pod = from_template(replica_set, spec.get("template") or {})
            _, error = await self._control.create(replica_set, [pod] * min(missing, CREATE_LIMIT))
            reason = "FailedCreate"
        else:
            count = min(-missing, CREATE_LIMIT)
            unwanted = first_to_go(active, self._related(replica_set, active), count, self._clock.now())
            error = await self._control.delete(replica_set, unwanted[:count])
            reason = "FailedDelete"
        return (None, None) if error is None else ((reason, error.message), error)

    def _related(self, replica_set: Object, active: Sequence[Object]) -> Sequence[Object]:
        """Active pods of all ReplicaSets of the same owner: a Deployment spreads over its nodes as a whole."""
        owner = owners.controller_of(replica_set)
        if owner is None:
            return active
        siblings = controlled_by(self._sets, str(owner.get("uid")))
        return [pod for each in siblings for pod in self._children.controlled(each) if is_active(pod)]
