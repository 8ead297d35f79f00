"""The DaemonSet reconciler: the thin edge around `plan` and `status`."""

from __future__ import annotations

from collections.abc import Iterable

from sampan.client.protocol import Client, Object
from sampan.cluster.workloads.children import Children
from sampan.cluster.workloads.daemonset.placement import REVISION, desired, judge
from sampan.cluster.workloads.daemonset.plan import Plan, Situation, plan
from sampan.cluster.workloads.daemonset.status import status
from sampan.cluster.workloads.history import HASH, History
from sampan.cluster.workloads.podcontrol import PodControl, is_namespace_ending
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError
from sampan.kube.kinds import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from sampan.lib.clock import Clock
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, Source, mapped, own, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for


class DaemonSetReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._sets = caches.of(DAEMON_SETS)
        self._pods = caches.of(PODS)
        self._nodes = caches.of(NODES)
        self._revisions = caches.of(CONTROLLER_REVISIONS)
        self._children = Children(client, self._sets, self._pods)
        self._history = History(client, self._sets, self._revisions)
        self._recorder = EventRecorder(client, clock, "daemonset-controller")
        self._control = PodControl(client, self._pods, self._recorder)

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._sets),
            mapped(self._pods, self._children.requests),
            Source(self._nodes, self._of_node),
            reads(self._revisions),
        ]
        return Controller("daemonset", self.reconcile, sources, workers=2, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        daemon_set = self._sets.get(request.namespace, request.name)
        if daemon_set is None or meta.is_deleting(daemon_set):
            return DONE  # the garbage collector takes what it has; nothing may be added
        await self._children.claimed(daemon_set)
        known = await self._history.of(daemon_set)
        revision, collisions = await self._history.current(daemon_set, known)
        situation = self._look(daemon_set, revision)
        planned = plan(situation)
        error = await self._carry_out(situation, planned)
        situation = self._look(daemon_set, revision)
        after = await update_status(self._client, DAEMON_SETS, daemon_set, status(situation, collisions))
        await self._sets.reached(meta.resource_version(after))
        hashes = {situation.revision, *(meta.labels(pod).get(REVISION) for pod in situation.pods)}
        live = {meta.name(each) for each in known if meta.labels(each).get(HASH) in hashes}
        await self._history.truncate(daemon_set, known, live)
        if error is not None and not is_namespace_ending(error):
            raise error
        return Result(planned.again)

    def _look(self, daemon_set: Object, revision: Object) -> Situation:
        verdicts = judge(daemon_set, self._nodes.list())
        digest = str(meta.labels(revision).get(HASH) or "")
        return Situation(
            daemon_set, verdicts, self._children.controlled(daemon_set), digest, self._clock.now()
        )

    def _of_node(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """A node concerns all sets, but its heartbeats nobody."""
        if old is not None and new is not None and _relevant(old) == _relevant(new):
            return ()
        return [request_for(each) for each in self._sets.list()]

    async def _carry_out(self, situation: Situation, planned: Plan) -> ApiError | None:
        daemon_set = situation.daemon_set
        for pod in planned.ended:
            failed = pods.phase(pod) == pods.FAILED
            word, reason = ("failed", "FailedDaemonPod") if failed else ("succeeded", "SucceededDaemonPod")
            where = f"{meta.namespace(pod)}/{meta.name(pod)} on node {pods.node_name(pod)}"
            tell = self._recorder.warning if failed else self._recorder.normal
            verb = "kill" if failed else "delete"
            tell(daemon_set, reason, f"Found {word} daemon pod {where}, will try to {verb} it")
        error = await self._control.delete(daemon_set, [*planned.ended, *planned.delete])
        if error is not None:
            return error
        wanted = [desired(daemon_set, node, situation.revision) for node in planned.create]
        return (await self._control.create(daemon_set, wanted))[1]


def _relevant(node: Object) -> tuple[object, object, object]:
    spec = meta.spec(node)
    return meta.labels(node), spec.get("taints"), spec.get("unschedulable")
