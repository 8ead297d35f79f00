"""Which job a request is about, and whether its user may. Every route of `rest` asks here first.

A job's logs are its pods': whoever may read `pods/log` in the namespace, and the job itself, may read them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from sampan.client.protocol import Client
from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.kube.errors import ForbiddenError, NotFoundError, UnauthorizedError
from sampan.kube.kinds import JOBS, PODS, Resource
from sampan.kube.meta import Object
from sampan.kube.rbac import SUBJECT_ACCESS_REVIEWS
from sampan.web.guards import User

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
KINDS = {each.plural: each for each in (*ALL_JOB_KINDS, JOBS)}
"""By plural name. Plain Jobs too: functions may be sent as such."""


@dataclass(frozen=True, slots=True)
class JobPlace:
    resource: Resource
    namespace: str
    name: str


def job_place(request: Request) -> JobPlace:
    """Raises NotFoundError for what can be no job."""
    params = request.path_params
    resource = KINDS.get(params["plural"])
    if resource is None:
        raise NotFoundError(f'"{params["plural"]}" are no jobs; these are: {", ".join(sorted(KINDS))}')
    for part in ("namespace", "name"):
        if not _NAME.match(params[part]):
            raise NotFoundError(f'the {part} "{params[part][:100]}" is none that Kubernetes allows')
    return JobPlace(resource, params["namespace"], params["name"])


async def require_logs(client: Client, request: Request, place: JobPlace) -> None:
    """Raises UnauthorizedError, ForbiddenError unless the request's user may read the job and its pods' logs."""
    user = request.scope.get("state", {}).get("user")
    if not isinstance(user, User):
        raise UnauthorizedError("Unauthorized")
    if user.is_master:
        return
    for resource, subresource, name in ((place.resource, "", place.name), (PODS, "log", "")):
        if not await _is_allowed(client, user, (resource, subresource, name), place.namespace):
            what = f"{resource.key}/{subresource}" if subresource else resource.key
            raise ForbiddenError(
                f'{what} is forbidden: User "{user.name}" cannot get resource "{resource.plural}'
                f'{"/" + subresource if subresource else ""}" in API group "{resource.group}" in the namespace '
                f'"{place.namespace}"'
            )


async def _is_allowed(client: Client, user: User, what: tuple[Resource, str, str], namespace: str) -> bool:
    resource, subresource, name = what
    attributes = {
        "namespace": namespace,
        "verb": "get",
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
