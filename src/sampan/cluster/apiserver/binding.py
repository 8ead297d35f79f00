"""The `binding` and `eviction` sub-resources of a pod: writes with a meaning of their own.

Source: kubernetes/pkg/registry/core/pod/storage/{storage,eviction}.go, v1.31.
"""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import DeleteOptions, ListOptions
from sampan.cluster.apiserver import connecting, params
from sampan.cluster.apiserver.storage import Record
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube import conditions, meta, pods, selectors
from sampan.kube.errors import (
    BadRequestError,
    Cause,
    InternalError,
    TooManyRequestsError,
    conflict,
    invalid,
)
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import POD_DISRUPTION_BUDGETS, PODS
from sampan.kube.meta import Object


async def bind(verbs: Verbs, pod: str, namespace: str, node: str) -> None:
    """Raises ConflictError for a pod that has a node already, or is being deleted."""
    now = verbs.now()

    def assign(obj: Object) -> Object:
        if meta.is_deleting(obj):
            why = f"pod {pod} is being deleted, cannot be assigned to a host"
            raise conflict("", "pods/binding", pod, why)
        if current := meta.spec(obj).get("nodeName"):
            why = f'pod {pod} is already assigned to node "{current}"'
            raise conflict("", "pods/binding", pod, why)
        if meta.spec(obj).get("schedulingGates"):
            raise conflict("", "pods/binding", pod, f"pod {pod} has non-empty .spec.schedulingGates")
        obj["spec"] = {**meta.spec(obj), "nodeName": node}
        conditions.put(obj, "PodScheduled", "True", now=now)
        return obj

    target = {"target": {"kind": "Node", "name": node}}
    await connecting.create(verbs, PODS, pod, namespace, target, "binding")
    await verbs.mutate(PODS, pod, namespace, assign, "binding")


async def bind_from(verbs: Verbs, pod: str, namespace: str, body: Any) -> None:
    """A posted Binding. Raises InvalidError for one that names no node."""
    target = body.get("target") if isinstance(body, dict) else None
    errors = FieldErrors()
    if not isinstance(target, dict) or not isinstance(target.get("name"), str) or not target["name"]:
        errors.required("target.name")
    elif target.get("kind") not in (None, "", "Node"):
        errors.unsupported("target.kind", target["kind"], ("Node", "<empty>"))
    if errors:
        raise invalid("", "Binding", pod, errors.causes)
    assert isinstance(target, dict)
    await bind(verbs, pod, namespace, target["name"])


async def evict(verbs: Verbs, pod: str, namespace: str, body: Any) -> None:
    """A posted Eviction: a deletion, if the pod's disruption budget allows one. Raises TooManyRequestsError."""
    if body is not None and not isinstance(body, dict):
        raise BadRequestError("the body of an eviction must be an Eviction object")
    given = (body or {}).get("deleteOptions")
    options = params.delete_options({}, given) if given else DeleteOptions()
    await _ask_budget(verbs, verbs.get(PODS, pod, namespace).object(), options)
    await verbs.delete(PODS, pod, namespace, options)


async def _ask_budget(verbs: Verbs, pod: Object, options: DeleteOptions) -> None:
    """Counts the eviction in the pod's budget, if it has one and its end is a disruption at all."""
    if pods.phase(pod) in (pods.SUCCEEDED, pods.FAILED, pods.PENDING) or meta.is_deleting(pod):
        return
    page = await verbs.list(POD_DISRUPTION_BUDGETS, meta.namespace(pod), ListOptions())
    found = [budget for data in page.items if _covers(budget := Record(0, data).object(), pod)]
    if len(found) > 1:
        raise InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    if not found or _is_beside(found[0], pod):
        return
    name, now = meta.name(found[0]), verbs.now()

    def count(budget: Object) -> Object:
        status = budget.setdefault("status", {})
        if int(status.get("observedGeneration") or 0) < meta.generation(budget):
            raise _refused(
                f"The disruption budget {name} is still being processed by the server.", seconds=10
            )
        if int(status.get("disruptionsAllowed") or 0) < 1:
            needs, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
            raise _refused(f"The disruption budget {name} needs {needs} healthy pods and has {has} currently")
        status["disruptionsAllowed"] -= 1
        status.setdefault("disruptedPods", {})[meta.name(pod)] = now
        return budget

    if options.dry_run:
        count(found[0])
    else:
        await verbs.mutate(POD_DISRUPTION_BUDGETS, name, meta.namespace(pod), count, "status")


def _covers(budget: Object, pod: Object) -> bool:
    selector = meta.spec(budget).get("selector")
    return selector is not None and selectors.from_object(selector).matches(meta.labels(pod))


def _is_beside(budget: Object, pod: Object) -> bool:
    """Whether a pod that is not ready may go without being counted."""
    if pods.is_ready(pod):
        return False
    if meta.spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = meta.status(budget)
    desired = int(status.get("desiredHealthy") or 0)
    return desired > 0 and int(status.get("currentHealthy") or 0) >= desired


def _refused(why: str, *, seconds: int = 0) -> TooManyRequestsError:
    details = {"retryAfterSeconds": seconds} if seconds else {}
    return TooManyRequestsError(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        details=details,
        causes=[Cause("DisruptionBudget", "", why)],
    )
