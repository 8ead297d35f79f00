"""The PodDisruptionBudget reconciler: the thin edge around `budget`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sampan.client.protocol import Client, Object
from sampan.cluster.workloads.disruption.budget import status
from sampan.kube import meta, owners, selectors
from sampan.kube.kinds import (
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from sampan.lib.clock import Clock
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped, own, reads
from sampan.reconcile.reconciler import Request, Result, request_for


class DisruptionReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches) -> None:
        self._client = client
        self._clock = clock
        self._budgets = caches.of(POD_DISRUPTION_BUDGETS)
        self._pods = caches.of(PODS)
        self._scaled = {each.kind: caches.of(each) for each in (REPLICA_SETS, STATEFUL_SETS, DEPLOYMENTS)}

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._budgets),
            mapped(self._pods, self._of_pod),
            *map(reads, self._scaled.values()),
        ]
        return Controller("disruption", self.reconcile, sources, workers=2)

    async def reconcile(self, request: Request) -> Result:
        budget = self._budgets.get(request.namespace, request.name)
        if budget is None or meta.is_deleting(budget):
            return Result()
        selector = meta.spec(budget).get("selector")
        chosen: list[Object] = []
        if selector is not None:
            parsed = selectors.from_object(selector)
            chosen = [pod for pod in self._pods.list(request.namespace) if parsed.matches(meta.labels(pod))]
        judged = status(budget, chosen, self._scale(chosen), self._clock.now())
        await update_status(self._client, POD_DISRUPTION_BUDGETS, budget, judged.status)
        return Result(judged.again)

    def _scale(self, chosen: Sequence[Object]) -> int | None:
        """How many pods their controllers want, each counted once; None where a pod has none that says so."""
        wanted: dict[str, int] = {}
        for pod in chosen:
            controller = self._controller(pod)
            above = self._controller(controller) if controller is not None else None
            if controller is None:
                return None
            top = above or controller
            wanted[meta.uid(top)] = int(meta.spec(top).get("replicas") or 0)
        return sum(wanted.values())

    def _controller(self, obj: Object) -> Object | None:
        reference = owners.controller_of(obj) or {}
        cache = self._scaled.get(str(reference.get("kind")))
        found = cache.get(meta.namespace(obj), str(reference.get("name"))) if cache is not None else None
        return found if found is not None and meta.uid(found) == reference.get("uid") else None

    def _of_pod(self, pod: Object) -> Iterable[Request]:
        for budget in self._budgets.list(meta.namespace(pod)):
            selector = meta.spec(budget).get("selector")
            if selector is not None and selectors.from_object(selector).matches(meta.labels(pod)):
                yield request_for(budget)
