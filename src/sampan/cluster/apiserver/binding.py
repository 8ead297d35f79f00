"""The `binding` and `eviction` sub-resources of a pod: writes with a meaning of their own.

Source: kubernetes/pkg/registry/core/pod/storage/{storage,eviction}.go, v1.31.
"""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import DeleteOptions
from sampan.cluster.apiserver import connecting, params
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube import conditions, meta
from sampan.kube.errors import BadRequestError, conflict, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import PODS
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
        obj["spec"]["nodeName"] = node
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
    """A posted Eviction: there are no disruption budgets here, so it deletes."""
    if body is not None and not isinstance(body, dict):
        raise BadRequestError("the body of an eviction must be an Eviction object")
    given = (body or {}).get("deleteOptions")
    options = params.delete_options({}, given) if given else DeleteOptions()
    await verbs.delete(PODS, pod, namespace, options)
