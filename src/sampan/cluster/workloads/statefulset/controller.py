"""The StatefulSet reconciler: the thin edge around `plan` and `status`."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.client.protocol import Client, DeleteOptions, Object
from sampan.cluster.workloads.children import Children
from sampan.cluster.workloads.history import History, restored
from sampan.cluster.workloads.statefulset import identity
from sampan.cluster.workloads.statefulset.claims import Claims
from sampan.cluster.workloads.statefulset.plan import Plan, Situation, plan
from sampan.cluster.workloads.statefulset.spec import read_spec
from sampan.cluster.workloads.statefulset.status import status
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from sampan.lib.clock import Clock
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result


class StatefulSetReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._sets = caches.of(STATEFUL_SETS)
        self._pods = caches.of(PODS)
        self._claims_cache = caches.of(PERSISTENT_VOLUME_CLAIMS)
        self._revisions = caches.of(CONTROLLER_REVISIONS)
        self._children = Children(client, self._sets, self._pods)
        self._history = History(client, self._sets, self._revisions)
        self._recorder = EventRecorder(client, clock, "statefulset-controller")
        self._claims = Claims(client, self._claims_cache, self._recorder)

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._sets),
            mapped(self._pods, self._children.requests),
            reads(self._claims_cache),
            reads(self._revisions),
        ]
        return Controller("statefulset", self.reconcile, sources, workers=4, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        stateful_set = self._sets.get(request.namespace, request.name)
        if stateful_set is None or meta.is_deleting(stateful_set):
            return DONE  # the garbage collector takes what it has; nothing may be added
        found = await self._children.claimed(stateful_set)
        known = await self._history.of(stateful_set)
        update, collisions = await self._history.current(stateful_set, known)
        wanted = str(meta.status(stateful_set).get("currentRevision") or "")
        current = next((each for each in known if meta.name(each) == wanted), update)
        situation = self._situation(stateful_set, found, meta.name(current), meta.name(update))
        planned = plan(situation)
        error = await self._carry_out(situation, planned, (current, update))
        situation = self._situation(
            stateful_set, self._children.controlled(stateful_set), situation.current, situation.update
        )
        after = await update_status(self._client, STATEFUL_SETS, stateful_set, status(situation, collisions))
        await self._sets.reached(meta.resource_version(after))
        live = {situation.current, situation.update, *map(identity.revision_of, situation.pods)}
        await self._history.truncate(stateful_set, known, live)
        if error is not None:
            raise error
        return Result(planned.again)

    def _situation(
        self, stateful_set: Object, found: Sequence[Object], current: str, update: str
    ) -> Situation:
        return Situation(stateful_set, read_spec(stateful_set), found, current, update, self._clock.now())

    async def _carry_out(
        self, situation: Situation, planned: Plan, revisions: tuple[Object, Object]
    ) -> ApiError | None:
        """What kept it from being all."""
        try:
            await self._claims.keep_owners(situation.stateful_set, situation.spec, situation.pods)
            for pod in planned.recreate:
                self._tell_end(situation.stateful_set, pod)
            for pod in (*planned.recreate, *planned.condemned, *planned.replace):
                await self._delete(situation.stateful_set, pod)
            for pod in planned.adjust:
                await self._adjust(situation.stateful_set, pod)
            for ordinal in planned.create:
                revision = revisions[0 if ordinal in planned.old_revision else 1]
                await self._create(situation.stateful_set, ordinal, revision)
        except ApiError as error:
            return error
        return None

    async def _create(self, stateful_set: Object, ordinal: int, revision: Object) -> None:
        name = identity.pod_name(stateful_set, ordinal)
        await self._claims.ensure(stateful_set, ordinal, name)
        pod = identity.desired(restored(stateful_set, revision), ordinal, meta.name(revision))
        where = f"create Pod {name} in StatefulSet {meta.name(stateful_set)}"
        try:
            made = await self._client.create(PODS, pod)
        except ApiError as error:
            self._recorder.warning(stateful_set, "FailedCreate", f"{where} failed error: {error.message}")
            raise
        self._recorder.normal(stateful_set, "SuccessfulCreate", f"{where} successful")
        await self._pods.reached(meta.resource_version(made))

    async def _delete(self, stateful_set: Object, pod: Object) -> None:
        where = f"delete Pod {meta.name(pod)} in StatefulSet {meta.name(stateful_set)}"
        try:
            options = DeleteOptions(uid=meta.uid(pod))
            gone = await self._client.delete(PODS, meta.name(pod), meta.namespace(pod), options)
        except (NotFoundError, ConflictError):
            return
        except ApiError as error:
            self._recorder.warning(stateful_set, "FailedDelete", f"{where} failed error: {error.message}")
            raise
        self._recorder.normal(stateful_set, "SuccessfulDelete", f"{where} successful")
        await self._pods.reached(meta.resource_version(gone))

    async def _adjust(self, stateful_set: Object, pod: Object) -> None:
        ordinal = identity.ordinal_of(stateful_set, pod)
        assert ordinal is not None
        labels = identity.identity_labels(stateful_set, ordinal)
        patch = {"metadata": {"uid": meta.uid(pod), "labels": labels}}
        written = await self._client.patch(PODS, meta.name(pod), patch, meta.namespace(pod))
        await self._pods.reached(meta.resource_version(written))

    def _tell_end(self, stateful_set: Object, pod: Object) -> None:
        where = f"StatefulSet {meta.namespace(stateful_set)}/{meta.name(stateful_set)}"
        if pods.phase(pod) == pods.FAILED:
            text = f"{where} is recreating failed Pod {meta.name(pod)}"
            self._recorder.warning(stateful_set, "RecreatingFailedPod", text)
        else:
            text = f"{where} is recreating terminated Pod {meta.name(pod)}"
            self._recorder.normal(stateful_set, "RecreatingTerminatedPod", text)
