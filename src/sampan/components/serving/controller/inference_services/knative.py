"""A component in mode Knative: its newest revision is made, the others stay for as long as they may be wanted.

The order matters to whoever is asked meanwhile: a revision is marked as in use before it gets traffic, and as spare
only when the status no longer sends any to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import KNATIVE_SERVICES
from sampan.components.serving.controller.inference_services.children import Children, Own
from sampan.components.serving.controller.inference_services.templates import Made
from sampan.components.serving.controller.scaling.configured import Configured
from sampan.components.serving.engine.inference_services import failures, revisions, scaling, traffic
from sampan.components.serving.engine.inference_services import pods as pods_of
from sampan.components.serving.engine.inference_services.conditions import FALSE, MET, UNKNOWN, Verdict, both
from sampan.components.serving.engine.inference_services.knative_services import knative_service
from sampan.components.serving.engine.inference_services.models import Seen
from sampan.components.serving.engine.inference_services.revisions import Revision
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.inference_services.status import ComponentSeen
from sampan.components.serving.engine.inference_services.traffic import Rollout, Wish
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, ENDPOINT_SLICES, HORIZONTAL_POD_AUTOSCALERS, SERVICES
from sampan.kube.meta import Object

_DEPLOYING = Verdict(UNKNOWN, "Deploying")
_SERVICE_NAME = "kubernetes.io/service-name"
_HERE = "127.0.0.1"


class KnativeMode:
    def __init__(self, children: Children, autoscaling: Configured) -> None:
        self._children = children
        self._autoscaling = autoscaling

    async def keep(self, isvc: Object, component: Component, made: Made, own: Own) -> ComponentSeen:
        """Raises TakenError, ApiError, ValueError."""
        status = (meta.status(isvc).get("components") or {}).get(component.kind) or {}
        old = traffic.before(status)
        found = revisions.of(component.name, own.all(DEPLOYMENTS))
        plain, injected = (
            revisions.with_scaling(
                each, component, zero_at_first=self._autoscaling.current.allow_zero_initial_scale
            )
            for each in (made.plain, made.injected)
        )
        digest = revisions.digest(plain, component)
        newest = revisions.newest(component.name, found, old, digest)
        there = frozenset((*(each.name for each in found), newest))
        now = traffic.after(old, newest, revisions.ready(found, old), there, _wish(component, plain))
        state = revisions.routing_state(newest, now)
        deployment = await self._keep_newest(
            own, component, revisions.deployment(isvc, component, newest, injected, digest, state)
        )
        await self._keep_others(own, [each for each in found if each.name != newest], old, now)
        seen = self._seen(component, newest, deployment, now, newest in revisions.ready(found, old))
        shown = knative_service(component.name, deployment, now, seen.configuration, seen.route)
        kept = await own.keep(
            KNATIVE_SERVICES, {key: shown[key] for key in ("apiVersion", "kind", "metadata", "spec")}
        )
        await own.tell(KNATIVE_SERVICES, kept, shown["status"])
        return seen

    async def keep_entrance(
        self, isvc: Object, name: str, own: Own, ports: Sequence[tuple[str, int]]
    ) -> None:
        """A Service that leads to the gateway, which wakes what sleeps. Raises TakenError, ApiError."""
        service, slice_ = entrance(isvc, name, ports)
        await own.keep(SERVICES, service)
        await own.keep(ENDPOINT_SLICES, slice_)

    async def _keep_newest(self, own: Own, component: Component, wanted: Object) -> Object:
        await own.keep(SERVICES, revisions.service(component, wanted))
        replicas = scaling.first_replicas(meta.annotations(wanted))
        deployment = await own.keep(DEPLOYMENTS, wanted, replicas=replicas)
        if (autoscaler := revisions.autoscaler(wanted)) is not None:
            await own.keep(HORIZONTAL_POD_AUTOSCALERS, autoscaler)
        return deployment

    async def _keep_others(self, own: Own, others: Sequence[Revision], old: Rollout, now: Rollout) -> None:
        gone = {each.name for each in revisions.stale(others, now)} - old.in_use
        for each in others:
            if each.name in gone:
                continue
            own.leave(SERVICES, each.name)
            own.leave(DEPLOYMENTS, meta.name(each.deployment))
            state = revisions.routing_state(each.name, now)
            if state == labels.RESERVE and each.name in old.in_use:
                continue
            if state == labels.ACTIVE:
                own.leave(HORIZONTAL_POD_AUTOSCALERS, each.name)
            await own.label(DEPLOYMENTS, each.deployment, labels.ROUTING_STATE, state)

    def _seen(
        self, component: Component, newest: str, deployment: Object, now: Rollout, was_ready: bool
    ) -> ComponentSeen:
        pods = self._children.pods_of_revision(meta.namespace(deployment), newest)
        revision = _revision(deployment, pods, was_ready)
        configuration = revision
        if revision.status == FALSE:
            text = revision.message or revision.reason
            configuration = Verdict(
                FALSE, "RevisionFailed", f'Revision "{newest}" failed with message: {text}'
            )
        route = _route(component.name, now, configuration)
        sleeps = not meta.spec(deployment).get("replicas")
        seen = Seen(pods, has_failed=revision.status == FALSE, sleeps=sleeps, revision=newest)
        serving = pods_of.serving_container(meta.spec(deployment)["template"]["spec"])
        is_grpc = any(pods_of.is_grpc(port) for port in (serving.get("ports") or ())[:1])
        ready = both(configuration, route)
        return ComponentSeen(component, ready, seen, now, configuration, route, is_grpc=is_grpc)


def entrance(isvc: Object, name: str, ports: Sequence[tuple[str, int]]) -> tuple[Object, Object]:
    """A Service without a selector, and where it leads: `ports` by name, with the gateway's."""
    metadata = {"name": name, "namespace": meta.namespace(isvc)}
    service = {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "ports": [
                {"name": port_name, "port": 80, "protocol": "TCP", "targetPort": port}
                for port_name, port in ports
            ],
        },
    }
    slice_ = {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {**metadata, "labels": {_SERVICE_NAME: name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [_HERE], "conditions": {"ready": True}}],
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"} for port_name, port in ports],
    }
    return service, slice_


def _wish(component: Component, template: Object) -> Wish:
    told = component.spec.get("canaryTrafficPercent")
    tags = meta.annotations(template).get(labels.TAG_ROUTING) == "true"
    return Wish(None if told is None else int(told), tags)


def _revision(deployment: Object, pods: Sequence[Object], was_ready: bool) -> Verdict:
    """Whether the newest revision is ready, or why not."""
    wanted = int(meta.spec(deployment).get("replicas") or 0)
    available = int(meta.status(deployment).get("availableReplicas") or 0)
    if was_ready and (available or not wanted):
        return MET
    failure = failures.failure_of(pods)
    if failure is not None and failure.is_final:
        reason = f"ExitCode{failure.exit_code}" if failure.exit_code else failure.reason
        return Verdict(FALSE, reason, failure.text)
    if was_ready:
        return MET
    if refused := _refused_pods(deployment):
        return refused
    if revisions.has_timed_out(deployment):
        message = failure.text if failure is not None else "Initial scale was never achieved"
        return Verdict(FALSE, "ProgressDeadlineExceeded", message)
    if failure is not None:
        return Verdict(UNKNOWN, failure.reason, f"{failure.pod}: {failure.text}")
    return _DEPLOYING


def _refused_pods(deployment: Object) -> Verdict | None:
    """Where no pods can be made: a quota, admission."""
    for each in meta.status(deployment).get("conditions") or ():
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            return Verdict(FALSE, str(each.get("reason") or "FailedCreate"), str(each.get("message") or ""))
    return None


def _route(configuration: str, now: Rollout, of: Verdict) -> Verdict:
    if now.missing:
        return Verdict(FALSE, "RevisionMissing", f'Revision "{now.missing}" referenced in traffic not found.')
    if now.latest_ready:
        return MET
    if of.status == FALSE:
        return Verdict(
            FALSE, "RevisionMissing", f'Configuration "{configuration}" does not have any ready Revision.'
        )
    return Verdict(
        UNKNOWN,
        "RevisionMissing",
        f'Configuration "{configuration}" is waiting for a Revision to become ready.',
    )
