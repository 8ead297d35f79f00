"""The one place that decides who may do what.

Every endpoint names a verb and a resource, and `scopes` finds the namespace; the dispatcher asks here before
the endpoint's own code runs, so that no route can forget it. Whether a request comes from a user at all was decided
before, by the platform's guards, which say whose it is.

Source: kubeflow/pipelines 2.17, backend/src/apiserver/common/const.go and resource/resource_manager.go (IsAuthorized).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from starlette.requests import Request

from sampan.client.protocol import Client
from sampan.components.pipelines.api.errors import PermissionDeniedError, UnauthenticatedError
from sampan.web.guards import User
from sampan.web.reviews import reviewed

SHARED = ""
"""In place of a namespace: of pipelines that belong to no namespace, and are everybody's to read."""

_GROUP = "pipelines.kubeflow.org"
_VERSION = "v1beta1"


class Verb(StrEnum):
    """Verbs of access reviews on the group `pipelines.kubeflow.org`, as upstream names them."""

    ARCHIVE = "archive"
    CREATE = "create"
    DELETE = "delete"
    DISABLE = "disable"
    ENABLE = "enable"
    FIRE = "fire"
    """A trigger, by a webhook. Whoever shows the trigger's secret may: its endpoint checks that."""
    GET = "get"
    LIST = "list"
    READ_ARTIFACT = "readArtifact"
    REPORT = "report"
    REPORT_METRICS = "reportMetrics"
    RETRY = "retry"
    TERMINATE = "terminate"
    TEST = "test"
    """A notification: one is sent now. A trigger: a made-up event starts a run."""
    UNARCHIVE = "unarchive"
    UPDATE = "update"


_READING = frozenset({Verb.GET, Verb.LIST})


class Resource(StrEnum):
    ARTIFACTS = "artifacts"
    EXPERIMENTS = "experiments"
    PIPELINES = "pipelines"
    RUNS = "runs"
    NOTIFICATIONS = "notifications"
    TRIGGERS = "triggers"
    JOBS = "jobs"
    """Recurring runs, under the name that roles know them by."""
    SCHEDULED_WORKFLOWS = "scheduledworkflows"
    VIEWERS = "viewers"
    """What the user interface shows of pods and files; in the group `kubeflow.org`."""
    VISUALIZATIONS = "visualizations"
    WORKFLOWS = "workflows"


class Authoriser(Protocol):
    async def authorise(self, request: Request, verb: Verb, resource: Resource, namespace: str) -> None:
        """Raises UnauthenticatedError and PermissionDeniedError unless the request's user may."""
        ...


class SingleUser:
    """One user, who owns one namespace. Who may reach the server at all is decided before, by its guards."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    async def authorise(self, request: Request, verb: Verb, resource: Resource, namespace: str) -> None:
        if namespace != self._namespace:
            raise PermissionDeniedError(f"you may not {verb} {resource} in the namespace {namespace!r}")


class AccessReviews:
    """Many users: the cluster's RBAC decides, asked by an access review for each request.

    Whoever is of `system:masters` may do everything, which needs no question.
    """

    def __init__(self, client: Client, system_namespace: str) -> None:
        """`system_namespace` is where rights to shared pipelines are given."""
        self._client = client
        self._system_namespace = system_namespace

    async def authorise(self, request: Request, verb: Verb, resource: Resource, namespace: str) -> None:
        if verb is Verb.FIRE:
            return
        user = request.scope.get("state", {}).get("user")
        if not isinstance(user, User):
            raise UnauthenticatedError("the request says of no user that it is theirs: send a token")
        if user.is_master:
            return
        if namespace == SHARED:
            if resource is Resource.PIPELINES and verb in _READING:
                return
            namespace = self._system_namespace
        if not await self._is_allowed(user, verb, resource, namespace):
            raise PermissionDeniedError(
                f"User {user.name!r} is not authorized to {verb} {resource} in the namespace {namespace!r}: "
                f"a Role there must allow it (apiGroup {_group(resource)})"
            )

    async def _is_allowed(self, user: User, verb: Verb, resource: Resource, namespace: str) -> bool:
        attributes = {
            "namespace": namespace,
            "verb": verb.value,
            "group": _group(resource),
            "version": _VERSION,
            "resource": resource.value,
        }
        return await reviewed(self._client, user, attributes)


def _group(resource: Resource) -> str:
    return "kubeflow.org" if resource is Resource.VIEWERS else _GROUP
