"""A component in mode Standard: a Deployment, a Service, and whatever scales it.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_status.go (PropagateRawStatus). Not so here:
pods that cannot start are told of at once, and a Deployment of before the last change is not called ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.serving.api.kinds import SCALED_OBJECTS
from sampan.components.serving.controller.inference_services.children import Children, Own
from sampan.components.serving.controller.inference_services.templates import Made
from sampan.components.serving.engine.inference_services import failures, names, pods, standard
from sampan.components.serving.engine.inference_services.conditions import FALSE, TRUE, UNKNOWN, Verdict
from sampan.components.serving.engine.inference_services.models import Seen
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.inference_services.standard import Rules
from sampan.components.serving.engine.inference_services.status import ComponentSeen
from sampan.kube import conditions, meta
from sampan.kube.kinds import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, SERVICES
from sampan.kube.meta import Object


class StandardMode:
    def __init__(self, children: Children) -> None:
        self._children = children

    async def keep(
        self, isvc: Object, component: Component, made: Made, own: Own, rules: Rules
    ) -> ComponentSeen:
        """Raises TakenError, NotServedError, ApiError, ValueError."""
        wanted = standard.objects(isvc, component, made.injected, rules)
        await own.keep(SERVICES, wanted.service)
        if wanted.replicas is not None:
            fixed = {**wanted.deployment["spec"], "replicas": wanted.replicas}
            deployment = await own.keep(DEPLOYMENTS, {**wanted.deployment, "spec": fixed})
        else:
            first = max(int(component.spec.get("minReplicas") or 0), 1)
            deployment = await own.keep(DEPLOYMENTS, wanted.deployment, replicas=first)
        if wanted.autoscaler is not None:
            await own.keep(HORIZONTAL_POD_AUTOSCALERS, wanted.autoscaler)
        if wanted.scaled_object is not None:
            await own.keep(SCALED_OBJECTS, wanted.scaled_object)
        told = meta.spec(wanted.service)["ports"]
        return self._seen(component, deployment, pods.http_port(told) if rules.is_headless else 0)

    def _seen(self, component: Component, deployment: Object, headless_port: int) -> ComponentSeen:
        app = names.app_label(component.name)
        found = _newest(deployment, self._children.pods_of_app(meta.namespace(deployment), app))
        ready = verdict(deployment, found)
        seen = Seen(
            found,
            has_failed=ready.status == FALSE and bool(ready.message),
            sleeps=meta.spec(deployment).get("replicas") == 0,
            is_newest=is_complete(deployment),
        )
        return ComponentSeen(component, ready, seen, headless_port=headless_port)


def verdict(deployment: Object, pods: Sequence[Object]) -> Verdict:
    """Whether the component is ready, or why not."""
    if not _is_current(deployment):
        return Verdict(UNKNOWN, "Deploying")
    found = _of_conditions(deployment)
    failure = failures.failure_of(pods) if found.status != TRUE else None
    if failure is not None and failure.is_final:
        return Verdict(FALSE, failure.reason, f"{failure.pod}: {failure.text}")
    if failure is not None and found.status == UNKNOWN:
        return Verdict(UNKNOWN, failure.reason, f"{failure.pod}: {failure.text}")
    return found


def is_complete(deployment: Object) -> bool:
    """Whether all its pods are of the newest template, and there."""
    status, wanted = meta.status(deployment), int(meta.spec(deployment).get("replicas") or 0)
    counts = [int(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return _is_current(deployment) and all(count >= wanted for count in counts) and counts[0] == counts[1]


def _of_conditions(deployment: Object) -> Verdict:
    found = Verdict(FALSE)
    available, progressing, failing = (
        conditions.find(deployment, type_) or {} for type_ in ("Available", "Progressing", "ReplicaFailure")
    )
    if available.get("status") == TRUE:
        found = _told(TRUE, available)
    if progressing.get("status") == FALSE and progressing.get("message"):
        found = _told(FALSE, progressing)
    elif progressing.get("status") == TRUE:
        if progressing.get("reason") == "NewReplicaSetAvailable":
            found = _told(TRUE, progressing)
        elif available.get("status") != TRUE:
            found = _told(UNKNOWN, progressing)
    if available.get("status") == FALSE:
        found = _told(FALSE, available)
    if failing.get("status") == TRUE:
        found = _told(FALSE, failing)
    return found


def _told(status: str, condition: Mapping[str, Any]) -> Verdict:
    return Verdict(status, str(condition.get("reason") or ""), str(condition.get("message") or ""))


def _is_current(deployment: Object) -> bool:
    observed = int(meta.status(deployment).get("observedGeneration") or 0)
    return observed >= meta.generation(deployment)


def _newest(deployment: Object, pods: Sequence[Object]) -> list[Object]:
    """Those of its template as it is now."""
    digest = meta.annotations(meta.spec(deployment)["template"]).get(standard.DIGEST)
    return [
        each for each in failures.newest_first(pods) if meta.annotations(each).get(standard.DIGEST) == digest
    ]
