"""What the scheduler writes to the API when it has decided: bindings, nominations, and the end of victims."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sampan.client.protocol import Client, DeleteOptions, Object
from sampan.cluster.scheduler.node import Tenant
from sampan.cluster.scheduler.preemption import Plan
from sampan.cluster.scheduler.settings import DEFAULT
from sampan.kube import conditions, meta
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger
from sampan.reconcile.events import EventRecorder

log = get_logger(__name__)

_ATTEMPTS = 5


class Writer:
    """`find` gives the pod as the cache has it, unless it is another by now."""

    def __init__(
        self, client: Client, clock: Clock, recorder: EventRecorder, find: Callable[[Tenant], Object | None]
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._find = find

    async def bind(self, tenant: Tenant, node: str) -> bool:
        """Whether the pod has its node now. False, without a word, for one that is gone or bound by another."""
        pod = self._find(tenant)
        if pod is None:
            return False
        namespace, name = tenant.namespace, tenant.name
        try:
            await self._client.bind(name, namespace, node)
        except ApiError as error:
            if not isinstance(error, NotFoundError | ConflictError):
                log.warning("pod not bound", namespace=namespace, pod=name, error=error.message)
            return False
        self._recorder.normal(pod, "Scheduled", f"Successfully assigned {namespace}/{name} to {node}")
        return True

    async def nominate(self, tenant: Tenant, node: str | None) -> None:
        """Says on the pod for which node others make room; None takes it back."""
        patch = {"metadata": {"uid": tenant.uid}, "status": {"nominatedNodeName": node}}
        try:
            await self._client.patch(PODS, tenant.name, patch, tenant.namespace, subresource="status")
        except ApiError as error:
            log.debug("pod not nominated", namespace=tenant.namespace, pod=tenant.name, error=error.message)

    async def preempt(self, plan: Plan) -> list[Tenant]:
        """Nominates, then stops the victims; returns those that could not be stopped."""
        await asyncio.gather(*(self.nominate(tenant, node.name) for node, tenant in plan.places))
        first = plan.places[0][1]
        stopped = await asyncio.gather(
            *(self._stop(victim, first, node.name) for node, victim in plan.victims)
        )
        return [victim for (_, victim), done in zip(plan.victims, stopped, strict=True) if not done]

    async def _stop(self, victim: Tenant, preemptor: Tenant, node: str) -> bool:
        """Gracefully: its containers get SIGTERM and their grace period, in which to save their work."""
        pod = self._find(victim)
        if pod is None:
            return True
        try:
            await self._condemn(pod, victim, preemptor)
            await self._client.delete(PODS, victim.name, victim.namespace, DeleteOptions(uid=victim.uid))
        except (NotFoundError, ConflictError):
            return True
        except ApiError as error:
            log.warning("pod not preempted", namespace=victim.namespace, pod=victim.name, error=error.message)
            return False
        self._recorder.normal(pod, "Preempted", f"Preempted by pod {preemptor.uid} on node {node}")
        return True

    async def _condemn(self, pod: Object, victim: Tenant, preemptor: Tenant) -> None:
        """Why the pod ends, before it does: Jobs tell a disruption from a failure by this condition."""
        scheduler = meta.spec(self._find(preemptor) or pod).get("schedulerName") or DEFAULT
        for _ in range(_ATTEMPTS):
            changed = {**pod, "status": {**meta.status(pod)}}
            held = changed["status"].get("conditions") or ()
            changed["status"]["conditions"] = [dict(each) for each in held]
            conditions.put(
                changed,
                "DisruptionTarget",
                "True",
                now=rfc3339(self._clock.now()),
                reason="PreemptionByScheduler",
                message=f"{scheduler}: preempting to accommodate a higher priority pod",
            )
            patch = {
                "metadata": {"uid": victim.uid, "resourceVersion": meta.resource_version(pod)},
                "status": {"conditions": changed["status"]["conditions"]},
            }
            try:
                await self._client.patch(PODS, victim.name, patch, victim.namespace, subresource="status")
                return
            except ConflictError:
                # Somebody wrote its status meanwhile; what they said stays.
                pod = await self._client.get(PODS, victim.name, victim.namespace)
                if meta.uid(pod) != victim.uid:
                    raise
