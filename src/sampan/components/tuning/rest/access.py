"""Whether a user may do something, by the cluster's own rules. Whatever `rest` serves asks here first."""

from __future__ import annotations

from sampan.client.protocol import Client
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.rbac import SUBJECT_ACCESS_REVIEWS
from sampan.web.guards import User

What = tuple[Resource, str, str, str]
"""A resource, its sub-resource or nothing, the name of an object or nothing, and the verb."""


async def is_allowed(client: Client, user: User, what: What, namespace: str) -> bool:
    """Raises ApiError where the cluster cannot be asked."""
    if user.is_master:
        return True
    resource, subresource, name, verb = what
    attributes = {
        "namespace": namespace,
        "verb": verb,
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
        "subresource": subresource,
        "name": name,
    }
    spec: Object = {
        "user": user.name,
        "groups": list(user.groups),
        "resourceAttributes": {key: value for key, value in attributes.items() if value},
    }
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    review = await client.create(SUBJECT_ACCESS_REVIEWS, {"spec": spec})
    status = review.get("status") or {}
    return bool(status.get("allowed")) and not status.get("denied")
