"""ResourceQuotas: counted when they are new or changed, and now and then. In between every write keeps the count.

Source: pkg/controller/resourcequota/resource_quota_controller.go, v1.33.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sampan.client.protocol import Client, Object
from sampan.kube import meta, quotas
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import RESOURCE_QUOTAS, KindRegistry, Resource
from sampan.kube.quotas import Amounts
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, own
from sampan.reconcile.reconciler import DONE, Request, Result

_RECOUNT = timedelta(minutes=5)
"""kube-controller-manager's --resource-quota-sync-period by default."""
_AGAIN = timedelta(milliseconds=50)


class QuotaReconciler:
    def __init__(self, client: Client, clock: Clock, caches: Caches, kinds: KindRegistry) -> None:
        self._client = client
        self._clock = clock
        self._counted: dict[str, float] = {}
        """When, by uid."""
        self._kinds = kinds
        self._quotas = caches.of(RESOURCE_QUOTAS)

    def controller(self) -> Controller[Request]:
        return Controller("resourcequota", self.reconcile, [own(self._quotas)], workers=1)

    async def reconcile(self, request: Request) -> Result:
        cached = self._quotas.get(request.namespace, request.name)
        if cached is None or meta.is_deleting(cached):
            self._counted.pop(meta.uid(cached or {}), None)
            return DONE
        age = self._clock.monotonic() - self._counted.get(meta.uid(cached), float("-inf"))
        if self._is_counted(cached) and age < _RECOUNT.total_seconds():
            return Result(requeue_after=_RECOUNT)
        try:
            # Read before what is counted: a write in between makes this count too old to be stored.
            quota = await self._client.get(RESOURCE_QUOTAS, request.name, request.namespace)
            hard = meta.spec(quota).get("hard") or {}
            used = await self._count(quota, hard)
            status = {"hard": hard, "used": {name: quotas.written(name, used[name]) for name in sorted(used)}}
            if meta.status(quota) != status:
                await self._client.replace(RESOURCE_QUOTAS, {**quota, "status": status}, subresource="status")
        except ConflictError:
            return Result(requeue_after=_AGAIN)
        except NotFoundError:
            return DONE
        self._counted[meta.uid(quota)] = self._clock.monotonic()
        return Result(requeue_after=_RECOUNT)

    @staticmethod
    def _is_counted(quota: Object) -> bool:
        hard, status = meta.spec(quota).get("hard") or {}, meta.status(quota)
        return bool(status.get("hard") == hard and (status.get("used") or {}).keys() == hard.keys())

    async def _count(self, quota: Object, hard: Object) -> Amounts:
        total = dict.fromkeys(hard, Decimal(0))
        for resource in self._counting(hard):
            try:
                found = await self._client.list(resource, meta.namespace(quota))
            except ApiError:
                continue  # a kind that has gone
            for obj in found.items:
                if not quotas.in_scope(quota, resource, obj):
                    continue
                for name, amount in quotas.usage(resource, obj).items():
                    if name in total:
                        total[name] += amount
        return total

    def _counting(self, hard: Object) -> list[Resource]:
        """Once per kind, whatever versions it has."""
        by_key = {each.key: each for each in self._kinds if each.namespaced and each.is_stored}
        return [each for each in by_key.values() if quotas.counts(hard, each)]
