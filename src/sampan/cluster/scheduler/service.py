"""The scheduler's loop: sees pods without a node, binds each with one write, and tells those that must wait
why.

Started by the composition root. Decisions are made at once, in the handler of the watch, on totals kept in
memory; only the writes are awaited. A pod counts on its node from the moment of the decision, before the API
confirms it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from sampan.client.protocol import Client, Object
from sampan.cluster.scheduler.backlog import Backlog, Waiting
from sampan.cluster.scheduler.demand import Demand, demand_of
from sampan.cluster.scheduler.node import Node
from sampan.cluster.scheduler.selection import Unschedulable, select
from sampan.cluster.scheduler.telling import Teller
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import NODES, PERSISTENT_VOLUME_CLAIMS, PODS
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.events import EventRecorder

log = get_logger(__name__)

NAME = "default-scheduler"
_GATED = "Scheduling is blocked due to non-empty scheduling gates"
_RETRY_SECONDS = 1.0
_TELL_AFTER_SECONDS = 0.2
"""A pod that finds a place sooner is never told that there was none, which saves two writes."""
_BAD_SPEC = (KeyError, TypeError, ValueError, AttributeError)


class Scheduler:
    """Places pods whose `spec.schedulerName` is ours. A Runnable of `reconcile.manager`."""

    name = "scheduler"

    def __init__(self, client: Client, clock: Clock, caches: Caches | None = None) -> None:
        caches = caches or Caches(client)
        self._client = client
        self._pods = caches.of(PODS)
        self._node_objects = caches.of(NODES)
        self._claims = caches.of(PERSISTENT_VOLUME_CLAIMS)
        self._recorder = EventRecorder(client, clock, NAME)
        self._teller = Teller(client, clock, self._recorder)
        self._nodes: dict[str, Node] = {}
        self._home: dict[str, Node] = {}
        """Pod uid to the node on which it counts."""
        self._waiting: dict[str, tuple[str, str]] = {}
        """Uid of a pod without a node to its namespace and name."""
        self._backlog = Backlog()
        self._parked: dict[Hashable, str] = {}
        """Shapes that fit nowhere as things are, and why."""
        self._pass_due = False
        self._telling = False
        self._tell_again = False
        self._running = False
        self._tasks = TaskSet("scheduler")

    @property
    def caches(self) -> tuple[Cache, ...]:
        return (self._node_objects, self._claims, self._pods)

    async def start(self) -> None:
        for cache in self.caches:
            await cache.synced()
        # Everything is counted before anything is placed.
        self._node_objects.add_handler(self._on_node)
        self._claims.add_handler(self._on_claim)
        self._pods.add_handler(self._on_pod)
        self._running = True
        self._place_all()

    async def stop(self) -> None:
        self._running = False
        await self._tasks.close()
        await self._recorder.close()

    # What happened.

    def _on_node(self, old: Object | None, new: Object | None) -> None:
        node = self._node(meta.name(new or old or {}))
        try:
            node.update(new)
        except _BAD_SPEC as error:
            log.warning("node cannot be used", node=node.name, error=str(error))
        self._something_freed()

    def _on_claim(self, _old: Object | None, _new: Object | None) -> None:
        self._something_freed()

    def _on_pod(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or meta.uid(new) != meta.uid(old)):
            self._forget(meta.uid(old))
        if new is None:
            return
        if pods.is_terminal(new):
            self._forget(meta.uid(new))
        elif node := pods.node_name(new):
            self._count(new, self._node(node))
        elif (meta.spec(new).get("schedulerName") or NAME) == NAME:
            self._wait(new)

    def _count(self, pod: Object, node: Node) -> None:
        """A pod that has its node, by our hand or another's."""
        uid = meta.uid(pod)
        before = self._home.get(uid)
        if before is node:
            return
        self._leave_backlog(uid)
        if before is not None:
            before.remove(uid)
        try:
            requests = demand_of(pod).requests
        except _BAD_SPEC:
            requests = {}
        node.add(uid, requests)
        self._home[uid] = node

    def _wait(self, pod: Object) -> None:
        uid = meta.uid(pod)
        if meta.is_deleting(pod):
            self._forget(uid)
            return
        if uid in self._home or uid in self._backlog:
            return
        if meta.spec(pod).get("schedulingGates"):
            self._tasks.spawn(self._teller.tell(pod, "SchedulingGated", _GATED))
            return
        try:
            demand = demand_of(pod)
        except _BAD_SPEC as error:
            message = f"the pod's spec cannot be read: {error}"
            self._tasks.spawn(self._teller.tell(pod, "SchedulerError", message))
            return
        self._waiting[uid] = (meta.namespace(pod), meta.name(pod))
        self._backlog.add(uid, str(meta.metadata(pod).get("creationTimestamp") or ""), demand)
        if self._running:
            self._place_shape(demand.shape)

    def _forget(self, uid: str) -> None:
        self._leave_backlog(uid)
        node = self._home.pop(uid, None)
        if node is not None and node.remove(uid):
            self._something_freed()

    def _leave_backlog(self, uid: str) -> None:
        self._backlog.remove(uid)
        self._waiting.pop(uid, None)
        self._teller.forget(uid)

    # Placing.

    def _something_freed(self) -> None:
        """Tries all that wait, once, however much was freed in this turn of the event loop."""
        if self._running and not self._pass_due and len(self._backlog):
            self._pass_due = True
            asyncio.get_running_loop().call_soon(self._place_all)

    def _place_all(self) -> None:
        self._pass_due = False
        self._parked.clear()
        nodes = self._known_nodes()
        for waiting in self._backlog.heads():
            self._place(waiting, nodes)

    def _place_shape(self, shape: Hashable) -> None:
        """Places a newcomer. Nothing was freed since the last pass, so those who wait cannot gain by it."""
        if shape in self._parked:
            self._tell_soon()
        elif (waiting := self._backlog.head(shape)) is not None:
            self._place(waiting, self._known_nodes())

    def _place(self, waiting: Waiting, nodes: list[Node]) -> None:
        demand = waiting.demand
        choice = self._missing_claim(demand, len(nodes)) or select(demand, nodes)
        if isinstance(choice, Unschedulable):
            self._parked[demand.shape] = choice.message
            self._tell_soon()
            return
        namespace, name = self._waiting[waiting.uid]
        self._leave_backlog(waiting.uid)
        choice.add(waiting.uid, demand.requests)
        self._home[waiting.uid] = choice
        self._tasks.spawn(self._bind(waiting.uid, namespace, name, choice), name="bind")

    def _missing_claim(self, demand: Demand, nodes: int) -> Unschedulable | None:
        for namespace, name in demand.claims:
            claim = self._claims.get(namespace, name)
            if claim is None:
                why = f'persistentvolumeclaim "{name}" not found'
            elif meta.is_deleting(claim):
                why = f'persistentvolumeclaim "{name}" is being deleted'
            elif meta.status(claim).get("phase") != "Bound":
                why = "pod has unbound immediate PersistentVolumeClaims"
            else:
                continue
            return Unschedulable(f"0/{nodes} nodes are available: {why}.")
        return None

    async def _bind(self, uid: str, namespace: str, name: str, node: Node) -> None:
        pod = self._pods.get(namespace, name)
        if pod is None or meta.uid(pod) != uid:
            self._forget(uid)
            return
        try:
            await self._client.bind(name, namespace, node.name)
        except ApiError as error:
            # Gone or bound by somebody else, as the watch is about to tell; anything else passes, so try
            # again.
            if not isinstance(error, NotFoundError | ConflictError):
                log.warning("pod not bound", namespace=namespace, pod=name, error=error.message)
            self._forget(uid)
            await asyncio.sleep(_RETRY_SECONDS)
            if (pod := self._pods.get(namespace, name)) is not None:
                self._on_pod(None, pod)
        else:
            message = f"Successfully assigned {namespace}/{name} to {node.name}"
            self._recorder.normal(pod, "Scheduled", message)

    # Telling.

    def _tell_soon(self) -> None:
        if self._telling:
            self._tell_again = True
        elif self._running:
            self._telling = True
            self._tasks.spawn(self._tell_all(), name="tell")

    async def _tell_all(self) -> None:
        self._tell_again = True
        while self._tell_again:
            self._tell_again = False
            await asyncio.sleep(_TELL_AFTER_SECONDS)
            for shape, message in list(self._parked.items()):
                for waiting in list(self._backlog.of_shape(shape)):
                    # Things move on while we write: only what still holds is said.
                    if self._parked.get(shape) == message and waiting.uid in self._backlog:
                        await self._tell(waiting.uid, message)
        self._telling = False

    async def _tell(self, uid: str, message: str) -> None:
        pod = self._pods.get(*self._waiting[uid])
        if pod is not None and meta.uid(pod) == uid:
            await self._teller.tell(pod, "Unschedulable", message)

    def _node(self, name: str) -> Node:
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = Node(name)
        return node

    def _known_nodes(self) -> list[Node]:
        return [node for node in self._nodes.values() if node.known]
