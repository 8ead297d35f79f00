"""The HorizontalPodAutoscaler reconciler: every fifteen seconds for each, and at once when its spec changes.

Source: kubernetes/pkg/controller/podautoscaler/horizontal.go (reconcileAutoscaler), v1.34. What was proposed lately is
kept in memory, as there: after a restart the number of that moment counts as the first proposal.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sampan.client.protocol import Client, Object, WriteOptions
from sampan.cluster.workloads.hpa.measuring import Outcome, measure
from sampan.cluster.workloads.hpa.proposals import DEFAULT_TOLERANCE, Tolerances, World
from sampan.cluster.workloads.hpa.rules import Bounds, History, normalize
from sampan.cluster.workloads.hpa.usage import Provider, Usages
from sampan.kube import conditions, meta, quantities, selectors
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import HORIZONTAL_POD_AUTOSCALERS, PODS, KindRegistry, Resource
from sampan.lib.clock import Clock, rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, Source, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_PERIOD = Result(timedelta(seconds=15))
_UNABLE = "the HPA controller was unable to get the target's current scale: "


class _UnableError(Exception):
    """A look ends here. What is the matter was said, and the next one comes with the period."""


@dataclass(slots=True)
class _Known:
    """Of one autoscaler."""

    uid: str
    history: History = field(default_factory=History)
    selector: selectors.LabelSelector | None = None


@dataclass(slots=True)
class _Look:
    """One look at one autoscaler. `told` is a copy, whose status becomes the new one."""

    told: Object
    known: _Known
    resource: Resource
    scale: Object
    now: str

    @property
    def current(self) -> int:
        return int(self.scale["spec"]["replicas"])


class HorizontalPodAutoscalerReconciler:
    def __init__(
        self, client: Client, clock: Clock, caches: Caches, kinds: KindRegistry, provider: Provider
    ) -> None:
        self._client = client
        self._clock = clock
        self._kinds = kinds
        self._autoscalers = caches.of(HORIZONTAL_POD_AUTOSCALERS)
        self._pods = caches.of(PODS)
        self._usages = Usages(provider, clock)
        self._events = EventRecorder(client, clock, "horizontal-pod-autoscaler")
        self._known: dict[Request, _Known] = {}

    def controller(self) -> Controller[Request]:
        return Controller(
            "horizontalpodautoscaler",
            self.reconcile,
            [Source(self._autoscalers, _of_spec), reads(self._pods)],
            workers=2,
            close=self._events.close,
        )

    async def reconcile(self, request: Request) -> Result:
        autoscaler = self._autoscalers.get(request.namespace, request.name)
        if autoscaler is None or meta.is_deleting(autoscaler):
            self._known.pop(request, None)
            return DONE
        known = self._known.get(request)
        if known is None or known.uid != meta.uid(autoscaler):
            known = self._known[request] = _Known(meta.uid(autoscaler))
        status = meta.status(autoscaler)
        held = [dict(each) for each in status.get("conditions") or ()]
        told: Object = {**autoscaler, "status": {**status, "conditions": held}}
        with suppress(_UnableError):
            await self._look(told, known)
        wanted = {key: value for key, value in told["status"].items() if value not in (None, [])}
        await update_status(self._client, HORIZONTAL_POD_AUTOSCALERS, autoscaler, wanted)
        return _PERIOD

    async def _look(self, told: Object, known: _Known) -> None:
        look = await self._begin(told, known)
        spec, current = meta.spec(told), look.current
        if not known.history.recommendations:
            known.history.recommendations.append((current, self._clock.now()))
        least, most = int(spec.get("minReplicas") or 0), int(spec["maxReplicas"])
        told["status"]["currentReplicas"] = current
        reason = ""
        metrics: list[Object] | None = None
        if current == 0 and least:
            desired = 0
            text = "scaling is disabled since the replica count of the target is zero"
            _put(look, "ScalingActive", "ScalingDisabled", text, is_true=False)
        elif current > most:
            desired, reason = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            desired, reason = least, "Current number of replicas below Spec.MinReplicas"
        else:
            desired, reason, metrics = await self._by_metrics(look, Bounds(current, least, most))
        if desired != current:
            await self._rescale(look, desired, reason)
        told["status"]["desiredReplicas"] = desired
        told["status"]["currentMetrics"] = metrics

    async def _begin(self, told: Object, known: _Known) -> _Look:
        """With the target's scale. Raises _UnableError."""
        reference = meta.spec(told)["scaleTargetRef"]
        now = rfc3339(self._clock.now())
        look = _Look(told, known, HORIZONTAL_POD_AUTOSCALERS, {}, now)
        try:
            look.resource = self._target_kind(reference)
            # A change that changes nothing and is not made: how the sub-resource is read by this protocol.
            look.scale = await self._client.patch(
                look.resource,
                reference["name"],
                {},
                meta.namespace(told),
                subresource="scale",
                options=WriteOptions(dry_run=True),
            )
        except ApiError as error:
            self._events.warning(told, "FailedGetScale", error.message)
            _put(look, "AbleToScale", "FailedGetScale", _UNABLE + error.message, is_true=False)
            raise _UnableError from error
        text = "the HPA controller was able to get the target's current scale"
        _put(look, "AbleToScale", "SucceededGetScale", text)
        return look

    def _target_kind(self, reference: Object) -> Resource:
        """In whatever version it is served. Raises NotFoundError."""
        version, kind = str(reference.get("apiVersion") or ""), str(reference["kind"])
        found = self._kinds.by_kind(version, kind)
        group = version.rpartition("/")[0]
        for each in () if found else self._kinds:
            if (each.group, each.kind) == (group, kind):
                found = each
                break
        if found is None:
            raise NotFoundError(f'no matches for kind "{kind}" in group "{group}"')
        return found

    async def _by_metrics(self, look: _Look, bounds: Bounds) -> tuple[int, str, list[Object]]:
        """How many, why, and what the metrics are. Raises _UnableError."""
        spec, now = meta.spec(look.told), self._clock.now()
        behavior = spec.get("behavior")
        chosen = self._chosen(look)
        world = World(bounds.current, chosen, _tolerances(behavior), now)
        outcome = await measure(self._usages, look.told, world)
        if outcome.best is None:
            self._say_failure(look, outcome)
            raise _UnableError
        best = outcome.best
        text = f"the HPA was able to successfully calculate a replica count from {best.name}"
        _put(look, "ScalingActive", "ValidMetricFound", text)
        reason = "All metrics below target" if best.replicas < bounds.current else f"{best.name} above target"
        found = normalize(best.replicas, bounds, behavior, look.known.history, now)
        _put(look, "AbleToScale", *found.able)
        _put(look, "ScalingLimited", *found.limited, is_true=found.is_limited)
        return found.replicas, reason, outcome.statuses

    def _chosen(self, look: _Look) -> list[Object]:
        """The pods of the target. Raises _UnableError."""
        text = (look.scale.get("status") or {}).get("selector") or ""
        if not text:
            self._events.warning(look.told, "SelectorRequired", "selector is required")
            message = "the HPA target's scale is missing a selector"
            _put(look, "ScalingActive", "InvalidSelector", message, is_true=False)
            raise _UnableError
        try:
            selector = look.known.selector = selectors.parse_labels(text)
        except ApiError as error:
            message = (
                f"couldn't convert selector into a corresponding internal selector object: {error.message}"
            )
            self._events.warning(look.told, "InvalidSelector", message)
            _put(look, "ScalingActive", "InvalidSelector", message, is_true=False)
            raise _UnableError from error
        namespace = meta.namespace(look.told)
        chosen = [pod for pod in self._pods.list(namespace) if selector.matches(meta.labels(pod))]
        rivals = sorted(str(each) for each in self._choosers(namespace, chosen))
        if len(rivals) > 1:
            message = f"pods by selector {text} are controlled by multiple HPAs: [{' '.join(rivals)}]"
            self._events.warning(look.told, "AmbiguousSelector", message)
            _put(look, "ScalingActive", "AmbiguousSelector", message, is_true=False)
            raise _UnableError
        return chosen

    def _choosers(self, namespace: str, chosen: list[Object]) -> Iterable[Request]:
        """The autoscalers that any of these pods belongs to."""
        for request, known in self._known.items():
            selector = known.selector
            if request.namespace != namespace or selector is None:
                continue
            if any(selector.matches(meta.labels(pod)) for pod in chosen):
                yield request

    def _say_failure(self, look: _Look, outcome: Outcome) -> None:
        failure = outcome.failure
        if failure is None:
            return
        self._events.warning(look.told, failure.reason, failure.message)
        text = f"the HPA was unable to compute the replica count: {failure.message}"
        _put(look, "ScalingActive", failure.reason, text, is_true=False)
        count = len(outcome.statuses)
        whole = (
            f"invalid metrics ({outcome.failures} invalid out of {count}), first error is: {failure.error}"
        )
        self._events.warning(look.told, "FailedComputeMetricsReplicas", whole)
        look.told["status"]["currentMetrics"] = outcome.statuses

    async def _rescale(self, look: _Look, desired: int, reason: str) -> None:
        """Raises _UnableError."""
        name, namespace = meta.name(look.scale), meta.namespace(look.told)
        patch: dict[str, Any] = {"metadata": {"uid": meta.uid(look.scale)}, "spec": {"replicas": desired}}
        try:
            await self._client.patch(look.resource, name, patch, namespace, subresource="scale")
        except ApiError as error:
            text = f"New size: {desired}; reason: {reason}; error: {error.message}"
            self._events.warning(look.told, "FailedRescale", text)
            text = f"the HPA controller was unable to update the target scale: {error.message}"
            _put(look, "AbleToScale", "FailedUpdateScale", text, is_true=False)
            raise _UnableError from error
        text = f"the HPA controller was able to update the target scale to {desired}"
        _put(look, "AbleToScale", "SucceededRescale", text)
        self._events.normal(look.told, "SuccessfulRescale", f"New size: {desired}; reason: {reason}")
        behavior = meta.spec(look.told).get("behavior")
        look.known.history.changed(look.current, desired, behavior, self._clock.now())
        look.told["status"]["lastScaleTime"] = look.now


def _put(look: _Look, type_: str, reason: str, message: str, *, is_true: bool = True) -> None:
    status = "True" if is_true else "False"
    conditions.put(look.told, type_, status, now=look.now, reason=reason, message=message)


def _tolerances(behavior: Object | None) -> Tolerances:
    def of(key: str) -> float:
        given = ((behavior or {}).get(key) or {}).get("tolerance")
        return DEFAULT_TOLERANCE if given is None else float(quantities.parse(given))

    return Tolerances(of("scaleDown"), of("scaleUp"))


def _of_spec(old: Object | None, new: Object | None) -> Iterable[Request]:
    """Of changes that are not our own status."""
    if old is not None and new is not None and old.get("spec") == new.get("spec"):
        return ()
    obj = new or old
    return () if obj is None else (request_for(obj),)
