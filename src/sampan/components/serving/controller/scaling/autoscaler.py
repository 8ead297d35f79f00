"""The autoscaler: it alone writes the replicas of Deployments of class `kpa.autoscaling.knative.dev`.

It looks at each that has pods every two seconds, and at one that sleeps when a request waits for it: then at once. Who
sleeps unasked costs nothing. Upstream: knative.dev/serving pkg/autoscaler/scaling/multiscaler.go,
pkg/reconciler/autoscaling/kpa (1.22); decision 0068.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sampan.components.serving.api.demand import Demand
from sampan.components.serving.api.routing import Target
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.scaling.configured import Configured
from sampan.components.serving.engine.scaling.activity import Activity, Pods
from sampan.components.serving.engine.scaling.annotations import (
    RPS,
    ScalingSpec,
    is_scaled_by_demand,
    spec_of,
)
from sampan.components.serving.engine.scaling.decider import TICK_SECONDS, Decider
from sampan.kube import conditions, meta
from sampan.kube.kinds import DEPLOYMENTS
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.reconcile.controller import Controller, mapped
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

log = get_logger(__name__)

_TICK = Result(timedelta(seconds=TICK_SECONDS))
_TOO_SOON_SECONDS = TICK_SECONDS * 0.9
"""Of the last decision: a Deployment changes more often than that, and rates are meant by the tick."""
_AGAIN = Result(timedelta())


@dataclass(slots=True)
class _Watched:
    """A Deployment that is awake."""

    uid: str
    decider: Decider
    activity: Activity
    desired: int = 0
    decided_at: float = float("-inf")


class Autoscaler:
    def __init__(self, around: Around, demand: Demand) -> None:
        self._client = around.client
        self._clock = around.clock
        self._demand = demand
        self._deployments = around.caches.of(DEPLOYMENTS)
        self._configured = Configured(around.client)
        self._watched: dict[Request, _Watched] = {}
        self._controller = Controller(
            "autoscaler",
            self.reconcile,
            [
                mapped(self._configured.cache, lambda _: self._all()),
                mapped(self._deployments, _scaled),
            ],
            # Each writes and waits until that is seen: of many that wake at once none is to stand in a queue for long.
            workers=8,
        )
        demand.on_wait(self._wake)

    def controller(self) -> Controller[Request]:
        return self._controller

    async def reconcile(self, request: Request) -> Result:
        deployment = self._deployments.get(request.namespace, request.name)
        if deployment is None or meta.is_deleting(deployment) or not is_scaled_by_demand(deployment):
            self._watched.pop(request, None)
            return DONE
        replicas = self._wanted(request, deployment)
        if replicas != _replicas(deployment):
            await self._scale(deployment, replicas)
        if replicas:
            return _TICK
        self._watched.pop(request, None)
        # One that began to wait while the last pod was taken away found that there were pods, and woke nobody.
        waits = self._demand.load(_target(request), TICK_SECONDS).waiting
        return _AGAIN if waits else DONE

    def _wanted(self, request: Request, deployment: Object) -> int:
        now = self._clock.monotonic()
        spec = spec_of(deployment, self._configured.current)
        pods = _pods(deployment)
        watched = self._watched.get(request)
        if watched is None or watched.uid != meta.uid(deployment):
            activity = Activity(spec, pods, was_complete=_was_complete(deployment), now=now)
            # After a restart some of them may not be ready again yet.
            watched = _Watched(meta.uid(deployment), Decider(max(pods), now), activity)
            self._watched[request] = watched
        if pods.replicas == 0 or now - watched.decided_at >= _TOO_SOON_SECONDS:
            stable, panic = self._averages(_target(request), spec, pods)
            watched.desired = watched.decider.desired(spec, stable, panic, pods.ready, now)
            watched.decided_at = now
        wanted = watched.activity.scale(spec, watched.desired, pods, now)
        if wanted == 0 and pods.replicas and self._is_asked(_target(request)):
            # It is, since the decision.
            return pods.replicas
        return wanted

    def _is_asked(self, target: Target) -> bool:
        load = self._demand.load(target, TICK_SECONDS)
        return load.concurrency > 0 or load.waiting > 0

    def _averages(self, target: Target, spec: ScalingSpec, pods: Pods) -> tuple[float, float]:
        """Of the metric, over the stable and the panic window."""
        loads = [self._demand.load(target, window) for window in (spec.stable_window, spec.panic_window)]
        # As exactly as upstream: what is left of a sum must not keep a pod.
        stable, panic = (
            round(load.requests_per_second if spec.metric == RPS else load.concurrency, 6) for load in loads
        )
        if waiting := loads[1].waiting:
            # As the activator counts: what waits for the first pod is what there is, and not spread over any window.
            panic = max(panic, float(waiting)) if not pods.ready else panic
            # Whoever waits keeps a pod, however little that is on the average.
            stable = max(stable, 1e-6)
        return stable, panic

    async def _scale(self, deployment: Object, replicas: int) -> None:
        """Of that very Deployment; returns when the cache has seen it."""
        name, namespace = meta.name(deployment), meta.namespace(deployment)
        log.info("scaling", namespace=namespace, name=name, replicas=_replicas(deployment), desired=replicas)
        patch = {"metadata": {"uid": meta.uid(deployment)}, "spec": {"replicas": replicas}}
        written = await self._client.patch(DEPLOYMENTS, name, patch, namespace, subresource="scale")
        await self._deployments.reached(meta.resource_version(written))

    def _wake(self, target: Target) -> None:
        """Called for each request that begins to wait. One that has pods is looked at soon enough."""
        if target.kind != DEPLOYMENTS.kind:
            return
        deployment = self._deployments.get(target.namespace, target.name)
        if deployment is not None and not _replicas(deployment):
            self._controller.queue.add(Request(target.namespace, target.name))

    def _all(self) -> Iterable[Request]:
        return [request for each in self._deployments.list() for request in _scaled(each)]


def _scaled(deployment: Object) -> Iterable[Request]:
    return (request_for(deployment),) if is_scaled_by_demand(deployment) else ()


def _target(request: Request) -> Target:
    return Target(request.namespace, request.name)


def _replicas(deployment: Object) -> int:
    replicas = meta.spec(deployment).get("replicas")
    return 1 if replicas is None else int(replicas)


def _pods(deployment: Object) -> Pods:
    replicas, ready = _replicas(deployment), int(meta.status(deployment).get("readyReplicas") or 0)
    # What is ready beyond that is on its way out.
    return Pods(replicas, min(ready, replicas))


def _was_complete(deployment: Object) -> bool:
    """Whether it had all its pods once: what upstream remembers as ScaleTargetInitialized."""
    progressing = conditions.find(deployment, "Progressing") or {}
    return progressing.get("reason") == "NewReplicaSetAvailable"
