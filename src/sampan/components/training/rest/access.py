"""Which job a request is about, and whether its user may. Every route of `rest` asks here first.

A job's logs are its pods': whoever may read `pods/log` in the namespace, and the job itself, may read them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from sampan.client.protocol import Client
from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import JOBS, PODS, Resource
from sampan.web.reviews import require, user_of

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
    needed = ((place.resource, "", place.name, "get"), (PODS, "log", "", "get"))
    await require(client, user_of(request), needed, place.namespace)
