"""Whether a user may do something, by the cluster's own rules. Whatever `rest` serves asks here first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request

from sampan.client.protocol import Client
from sampan.kube.errors import ForbiddenError, UnauthorizedError
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
    return await reviewed(client, user, {key: value for key, value in attributes.items() if value})


async def reviewed(client: Client, user: User, attributes: Mapping[str, str]) -> bool:
    """What the cluster says to the `resourceAttributes` of a SubjectAccessReview. Raises ApiError."""
    spec: Object = {"user": user.name, "groups": list(user.groups), "resourceAttributes": dict(attributes)}
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    review = await client.create(SUBJECT_ACCESS_REVIEWS, {"spec": spec})
    status = review.get("status") or {}
    return bool(status.get("allowed")) and not status.get("denied")


def user_of(request: Request) -> User:
    """Whom the guards have found. Raises UnauthorizedError."""
    user = request.scope.get("state", {}).get("user")
    if not isinstance(user, User):
        raise UnauthorizedError("Unauthorized")
    return user


async def require(client: Client, user: User, needed: Sequence[What], namespace: str) -> None:
    """Raises ForbiddenError unless the user may do all of it; ApiError."""
    for what in needed:
        if not await is_allowed(client, user, what, namespace):
            resource, subresource, name, verb = what
            plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            named = f'{plural} "{name}"' if name else plural
            raise ForbiddenError(
                f'{named} is forbidden: User "{user.name}" cannot '
                f'{verb} resource "{plural}" in API group "{resource.group}" {where}'
            )
