"""The scheduler's loop: sees pods without a node, binds each with one write, and tells those that must wait
why.

Started by the composition root. Decisions are made at once, in the handler of the watch, on totals kept in
memory (`placer`); only the writes are awaited.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable

from sampan.client.protocol import Client, Object
from sampan.cluster.scheduler import explain
from sampan.cluster.scheduler.claiming import Claims
from sampan.cluster.scheduler.claims import Obstacle
from sampan.cluster.scheduler.demand import Demand, demand_of
from sampan.cluster.scheduler.gangs import GroupKey, group_of, read_group
from sampan.cluster.scheduler.node import Tenant
from sampan.cluster.scheduler.placer import Bind, Order, Placer, Preempt, Release
from sampan.cluster.scheduler.settings import DEFAULT, SchedulerSettings
from sampan.cluster.scheduler.telling import Teller
from sampan.cluster.scheduler.victims import Budget
from sampan.cluster.scheduler.writing import Writer
from sampan.kube import meta, pods, selectors
from sampan.kube.errors import ApiError
from sampan.kube.kinds import (
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    POD_GROUPS,
    PODS,
    PRIORITY_CLASSES,
    VOLCANO_POD_GROUPS,
)
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.events import EventRecorder

log = get_logger(__name__)

NAME = DEFAULT
_RETRY_FIRST_SECONDS = 1.0
_RETRY_MAX_SECONDS = 10.0
_TELL_AFTER_SECONDS = 0.2
"""A pod that finds a place sooner is never told that there was none, which saves two writes."""
_DETAILS_EVERY_SECONDS = 30.0
_SECONDS_A_POD = 0.03
"""Where many wait, details are told less often: telling them all must not fill the API's day."""
_BAD_SPEC = (KeyError, TypeError, ValueError, AttributeError)


class Scheduler:
    """Places pods whose `spec.schedulerName` is of the settings' names. A Runnable of `reconcile.manager`."""

    name = "scheduler"

    def __init__(
        self,
        client: Client,
        clock: Clock,
        caches: Caches | None = None,
        settings: SchedulerSettings = SchedulerSettings(),  # noqa: B008  (frozen)
    ) -> None:
        caches = caches or Caches(client)
        self._names = frozenset(settings.names)
        self._pods = caches.of(PODS)
        self._node_objects = caches.of(NODES)
        self._namespaces = caches.of(NAMESPACES)
        self._budgets = caches.of(POD_DISRUPTION_BUDGETS)
        self._classes = caches.of(PRIORITY_CLASSES)
        self._groups = (caches.of(POD_GROUPS), caches.of(VOLCANO_POD_GROUPS))
        self._clock = clock
        self._recorder = EventRecorder(client, clock, NAME)
        self._teller = Teller(client, clock, self._recorder)
        self._writer = Writer(client, clock, self._recorder, self._find)
        self._placer = Placer(
            self._obstacle, self._read_budgets, clock.monotonic, settings.patience_seconds or math.inf
        )
        self._claims = Claims(client, caches, self._placer.world.pins, self._something_freed)
        self._retries: dict[str, float] = {}
        """Uids of pods whose binding failed, and how long to wait the next time."""
        self._gangs_due: dict[GroupKey, None] = {}
        self._pass_due = False
        self._telling = False
        self._tell_again = False
        self._reminder: asyncio.TimerHandle | None = None
        self._turn: asyncio.TimerHandle | None = None
        self._running = False
        self._tasks = TaskSet("scheduler")

    @property
    def caches(self) -> tuple[Cache, ...]:
        return (
            self._node_objects,
            self._namespaces,
            *self._claims.caches,
            self._budgets,
            self._classes,
            *self._groups,
            self._pods,
        )

    async def start(self) -> None:
        for cache in self.caches:
            await cache.synced()
        # Everything is counted before anything is placed.
        self._node_objects.add_handler(self._on_node)
        self._namespaces.add_handler(self._on_namespace)
        self._claims.start()
        for cache in self._groups:
            cache.add_handler(self._on_group)
        self._pods.add_handler(self._on_pod)
        self._running = True
        self._place_all()

    async def stop(self) -> None:
        self._running = False
        for timer in (self._reminder, self._turn):
            if timer is not None:
                timer.cancel()
        await self._tasks.close()
        await self._recorder.close()

    # What happened.

    def _on_node(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _offer(old) == _offer(new):
            return
        node = self._placer.world.node(meta.name(new or old or {}))
        try:
            node.update(new)
        except _BAD_SPEC as error:
            log.warning("node cannot be used", node=node.name, error=str(error))
        self._something_freed()

    def _on_namespace(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and meta.labels(old) == meta.labels(new):
            return
        name = meta.name(new or old or {})
        self._placer.world.namespaces.pop(name, None)
        if new is not None:
            self._placer.world.namespaces[name] = meta.labels(new)
        self._something_freed()

    def _on_group(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and meta.spec(old) == meta.spec(new):
            return
        obj = new or old or {}
        key = GroupKey(
            str(obj.get("apiVersion") or "").partition("/")[0], meta.namespace(obj), meta.name(obj)
        )
        try:
            group = read_group(new, self._priority_of) if new is not None else None
        except _BAD_SPEC as error:
            log.warning("PodGroup cannot be read", namespace=key.namespace, name=key.name, error=str(error))
            group = None
        self._placer.define(key, group)
        self._something_freed()

    def _priority_of(self, name: str) -> int | None:
        found = self._classes.get("", name)
        return int(found.get("value") or 0) if found is not None else None

    def _on_pod(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or meta.uid(new) != meta.uid(old)):
            self._forget(meta.uid(old))
        if new is None:
            return
        if pods.is_terminal(new):
            self._forget(meta.uid(new))
            if pods.phase(new) == pods.SUCCEEDED and (group := group_of(new)) is not None:
                self._placer.gangs.succeeded(group, meta.uid(new))
        elif node := pods.node_name(new):
            self._settle(new, node)
        elif (meta.spec(new).get("schedulerName") or NAME) in self._names:
            self._wait(old, new)

    def _settle(self, pod: Object, node: str) -> None:
        uid, is_leaving = meta.uid(pod), meta.is_deleting(pod)
        if self._placer.is_settled(uid, node, meta.labels(pod), is_leaving=is_leaving):
            return
        try:
            demand = demand_of(pod)
        except _BAD_SPEC:
            demand = Demand(namespace=meta.namespace(pod), labels=meta.labels(pod))
        self._teller.forget(uid)
        self._retries.pop(uid, None)
        if self._placer.settle(_tenant(pod, demand), node, group_of(pod)):
            self._something_freed()

    def _wait(self, old: Object | None, pod: Object) -> None:
        uid = meta.uid(pod)
        if meta.is_deleting(pod):
            self._forget(uid)
            return
        if self._placer.is_home(uid):
            return
        if gates := meta.spec(pod).get("schedulingGates"):
            self._tasks.spawn(self._teller.tell(pod, "SchedulingGated", _gated(gates)))
            return
        if uid in self._placer.backlog:
            if old is None or not _asks_otherwise(old, pod):
                return
            self._placer.forget(uid)
        try:
            demand = demand_of(pod)
        except _BAD_SPEC as error:
            message = f"the pod's spec cannot be read: {error}"
            self._tasks.spawn(self._teller.tell(pod, "SchedulerError", message))
            return
        created = str(meta.metadata(pod).get("creationTimestamp") or "")
        key = self._placer.wait(_tenant(pod, demand), created, group_of(pod))
        if not self._running:
            if promised := meta.status(pod).get("nominatedNodeName"):
                self._placer.promise(uid, str(promised))
        elif isinstance(key, GroupKey):
            # Its other pods are about to come too: once for all that come in this turn of the event loop.
            if not self._gangs_due:
                asyncio.get_running_loop().call_soon(self._place_gangs)
            self._gangs_due[key] = None
        elif key is not None:
            self._place_newcomer(key)

    def _forget(self, uid: str) -> None:
        self._teller.forget(uid)
        self._retries.pop(uid, None)
        if self._placer.forget(uid):
            self._something_freed()

    # Placing.

    def _something_freed(self) -> None:
        """Tries all that wait, once, however much was freed in this turn of the event loop."""
        if self._running and not self._pass_due and len(self._placer.backlog):
            self._pass_due = True
            asyncio.get_running_loop().call_soon(self._place_all)

    def _place_all(self) -> None:
        self._pass_due = False
        self._obey(self._placer.place_all())

    def _place_newcomer(self, key: Hashable) -> None:
        # Where a pass is due, something was freed: it belongs to those who wait longest, and the pass sees to all.
        if not self._pass_due:
            self._obey(self._placer.place_newcomer(key))

    def _place_gangs(self) -> None:
        due, self._gangs_due = self._gangs_due, {}
        if self._running:
            for key in due:
                self._place_newcomer(key)

    def _obey(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Bind():
                    self._teller.forget(order.tenant.uid)
                    self._tasks.spawn(self._bind(order.tenant, order.node), name="bind")
                case Preempt():
                    self._tasks.spawn(self._preempt(order), name="preempt")
                case Release():
                    self._tasks.spawn(self._writer.nominate(order.tenant, None), name="release")
        if self._placer.parked:
            self._tell_soon()
        self._await_turn()

    def _await_turn(self) -> None:
        """Looks again when room starts or ceases to be kept for somebody."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        seconds = self._placer.keeper.turns_at - self._clock.monotonic()
        if self._running and seconds < math.inf:
            self._turn = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._something_freed)

    async def _bind(self, tenant: Tenant, node: str) -> None:
        if await self._claims.bound(tenant.demand, node) and await self._writer.bind(tenant, node):
            return
        # Gone or bound by somebody else, as the watch is about to tell; anything else passes, so try again.
        wait = self._retries.get(tenant.uid, _RETRY_FIRST_SECONDS)
        self._forget(tenant.uid)
        await asyncio.sleep(wait)
        if (pod := self._find(tenant)) is not None:
            self._retries[tenant.uid] = min(wait * 2, _RETRY_MAX_SECONDS)
            self._on_pod(None, pod)

    async def _preempt(self, order: Preempt) -> None:
        for tenant in await self._writer.preempt(order.plan):
            self._placer.spare(tenant.uid)
            await asyncio.sleep(_RETRY_FIRST_SECONDS)
            self._something_freed()

    def _obstacle(self, demand: Demand) -> Obstacle | None:
        return self._claims.obstacle(demand)

    def _read_budgets(self) -> list[Budget]:
        found = []
        for budget in self._budgets.list():
            spec, status = meta.spec(budget), meta.status(budget)
            selector = spec.get("selector")
            try:
                parsed = selectors.from_object(selector) if selector is not None else None
                allowed = int(status.get("disruptionsAllowed") or 0)
                disturbed = frozenset(status.get("disruptedPods") or ())
            except (ApiError, *_BAD_SPEC) as error:
                log.warning("disruption budget cannot be read", name=meta.name(budget), error=str(error))
                continue
            found.append(Budget(meta.namespace(budget), parsed, allowed, disturbed))
        return found

    # Telling.

    def _tell_soon(self) -> None:
        if self._telling:
            self._tell_again = True
        elif self._running:
            self._telling = True
            self._tasks.spawn(self._tell_all(), name="tell")

    async def _tell_all(self) -> None:
        self._tell_again = True
        try:
            while self._tell_again:
                self._tell_again = False
                await asyncio.sleep(_TELL_AFTER_SECONDS)
                again = float("inf")
                for key in list(self._placer.parked):
                    again = min(again, await self._tell_key(key))
                if again < float("inf") and not self._tell_again:
                    self._remind(again)
        finally:
            self._telling = False

    def _remind(self, seconds: float) -> None:
        """Tells again when details may be brought up to date: one reminder is enough for all."""
        if self._reminder is not None:
            self._reminder.cancel()
        self._reminder = asyncio.get_running_loop().call_later(seconds, self._tell_soon)

    async def _tell_key(self, key: Hashable) -> float:
        """The seconds until there is more to say; infinity when all is said."""
        placer, again = self._placer, float("inf")
        parked, head = placer.parked.get(key), placer.backlog.head(key)
        if parked is None or head is None:
            return again
        headline = explain.headline(parked)
        detail = explain.detail(parked, head.tenant, placer.world)
        every = max(_DETAILS_EVERY_SECONDS, _SECONDS_A_POD * len(placer.backlog))
        for waiting in list(placer.backlog.of_key(key)):
            due = self._teller.due(waiting.uid, headline, f"{headline} {detail}".strip(), every)
            # Things move on while we write: only what still holds is said.
            if due > 0 or placer.parked.get(key) != parked or waiting.uid not in placer.backlog:
                again = min(again, due) if due > 0 else again
                continue
            if (pod := self._find(waiting.tenant)) is not None:
                await self._teller.tell(pod, "Unschedulable", headline, detail)
        return again

    def _find(self, tenant: Tenant) -> Object | None:
        pod = self._pods.get(tenant.namespace, tenant.name)
        return pod if pod is not None and meta.uid(pod) == tenant.uid else None


def _tenant(pod: Object, demand: Demand) -> Tenant:
    started = str(meta.status(pod).get("startTime") or meta.metadata(pod).get("creationTimestamp") or "")
    return Tenant(meta.uid(pod), meta.namespace(pod), meta.name(pod), demand, started, meta.is_deleting(pod))


def _gated(gates: object) -> str:
    names = [gate.get("name") for gate in gates if isinstance(gate, dict)] if isinstance(gates, list) else []
    return explain.of_gates(names)


def _offer(node: Object) -> object:
    """What of a node counts here: its heartbeats free nothing."""
    spec, status = meta.spec(node), meta.status(node)
    return (
        meta.labels(node),
        spec.get("taints"),
        spec.get("unschedulable"),
        status.get("allocatable") or status.get("capacity"),
    )


def _asks_otherwise(old: Object, new: Object) -> bool:
    """Whether a pod that waits now asks for something else."""
    return (
        meta.spec(old) != meta.spec(new)
        or meta.labels(old) != meta.labels(new)
        or group_of(old) != group_of(new)
    )
