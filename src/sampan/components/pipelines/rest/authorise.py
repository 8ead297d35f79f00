"""The one place that decides who may do what.

Every endpoint names a verb and a resource, and `scopes` finds the namespace; the dispatcher asks here before
the endpoint's own code runs, so that no route can forget it.
"""

from __future__ import annotations

from enum import StrEnum

from starlette.requests import Request

from sampan.components.pipelines.api.errors import PermissionDeniedError


class Verb(StrEnum):
    """Verbs of access reviews on the group `pipelines.kubeflow.org`, as upstream names them."""

    ARCHIVE = "archive"
    CREATE = "create"
    DELETE = "delete"
    DISABLE = "disable"
    ENABLE = "enable"
    GET = "get"
    LIST = "list"
    READ_ARTIFACT = "readArtifact"
    RETRY = "retry"
    TERMINATE = "terminate"
    UNARCHIVE = "unarchive"
    UPDATE = "update"


class Resource(StrEnum):
    EXPERIMENTS = "experiments"
    PIPELINES = "pipelines"
    RUNS = "runs"
    JOBS = "jobs"
    """Recurring runs, under the name that roles know them by."""


class SingleUser:
    """One user, who owns one namespace. Who may reach the server at all is decided before, by its guards."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def authorise(self, request: Request, verb: Verb, resource: Resource, namespace: str) -> None:
        """Raises PermissionDeniedError unless the request's user may `verb` `resource` in `namespace`."""
        if namespace != self._namespace:
            raise PermissionDeniedError(f"you may not {verb} {resource} in the namespace {namespace!r}")
