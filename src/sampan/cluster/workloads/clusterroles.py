"""ClusterRoles with an aggregationRule: their rules are those of the roles that it selects.

Source: pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.client.protocol import Client, Object
from sampan.kube import meta
from sampan.kube.errors import ConflictError, NotFoundError
from sampan.kube.rbac import CLUSTER_ROLES, aggregated
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, mapped
from sampan.reconcile.reconciler import DONE, Request, Result


class AggregationReconciler:
    """Reconciles a ClusterRole. Any change of one may concern every one that aggregates."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._roles = caches.of(CLUSTER_ROLES)

    def controller(self) -> Controller[Request]:
        sources = [mapped(self._roles, self._aggregating)]
        return Controller("clusterrole-aggregation", self.reconcile, sources, workers=1)

    async def reconcile(self, request: Request) -> Result:
        role = self._roles.get("", request.name)
        if role is None:
            return DONE
        rules = aggregated(role, self._roles.list())
        if rules is None or rules == (role.get("rules") or []):
            return DONE
        patch = {"metadata": {"resourceVersion": meta.resource_version(role)}, "rules": rules}
        try:
            await self._client.patch(CLUSTER_ROLES, request.name, patch)
        except (ConflictError, NotFoundError):
            return DONE  # it has changed: reconciled again
        return DONE

    def _aggregating(self, _changed: Object) -> Iterable[Request]:
        return [
            Request("", meta.name(each))
            for each in self._roles.list()
            if each.get("aggregationRule") is not None
        ]
