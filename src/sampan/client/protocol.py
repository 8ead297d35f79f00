"""The Client protocol: Reader, Writer and Watcher over plain dict objects.

Contract for every implementation (`sampan.testing` ships it as a conformance class):

* one event loop; calls may run concurrently;
* objects that go in are never changed, objects that come out belong to the caller;
* fields that neither side knows survive every round trip;
* every failure is a `sampan.kube.errors.ApiError`; a transport failure is a ServiceUnavailableError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from sampan.client.streams import AttachOptions, Duplex, ExecOptions, Execution
from sampan.kube.kinds import Resource

Object = dict[str, Any]

Subresource = Literal["", "status", "scale", "finalize", "ephemeralcontainers"]
"""Of an object, for replace and patch. `finalize`: the only way to change a Namespace's spec.finalizers."""


class PatchType(StrEnum):
    """The value is the request's media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(StrEnum):
    """What becomes of the objects that a deleted one owns."""

    ORPHAN = "Orphan"
    BACKGROUND = "Background"
    FOREGROUND = "Foreground"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What every write may carry. `force` counts for apply only."""

    field_manager: str = ""
    dry_run: bool = False
    force: bool = False
    field_validation: str = "Warn"
    duplicates: tuple[str, ...] = ()
    """What `field_validation` is to judge beside the object: only who reads a body can tell what it said twice."""


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Selectors in Kubernetes' text form; `limit` 0 means no limit; `resource_version` as in the API."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    exact: bool = False
    """A list exactly as of `resource_version` (resourceVersionMatch=Exact), not just no older."""


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    propagation: Propagation | None = None
    grace_period_seconds: int | None = None
    uid: str = ""
    """Delete only if this is the object's uid, else ConflictError."""
    resource_version: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class LogOptions:
    """As the query of `GET …/pods/NAME/log`. `tail_lines` None means all."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None


# What a call without options means; frozen, hence safe to share.
DEFAULT_WRITE = WriteOptions()
DEFAULT_LIST = ListOptions()
DEFAULT_DELETE = DeleteOptions()
DEFAULT_LOG = LogOptions()


@dataclass(frozen=True, slots=True)
class ObjectList:
    """One page. `continue_token` is empty on the last one."""

    items: list[Object]
    resource_version: str
    continue_token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """For DELETED, `object` is the last state; for BOOKMARK only its resourceVersion counts."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Object = field(compare=False)


class Reader(Protocol):
    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Raises NotFoundError."""
        ...

    async def list(
        self, resource: Resource, namespace: str | None = None, options: ListOptions = DEFAULT_LIST
    ) -> ObjectList:
        """Over all namespaces if `namespace` is None. ExpiredError for an outdated continue token."""
        ...


class Writer(Protocol):
    async def create(self, resource: Resource, obj: Object, options: WriteOptions = DEFAULT_WRITE) -> Object:
        """Into `obj.metadata.namespace`. AlreadyExistsError, InvalidError, NotFoundError (namespace)."""
        ...

    async def replace(
        self,
        resource: Resource,
        obj: Object,
        options: WriteOptions = DEFAULT_WRITE,
        *,
        subresource: Subresource = "",
    ) -> Object:
        """Raises ConflictError when `metadata.resourceVersion` is set and outdated."""
        ...

    async def patch(  # noqa: PLR0913  the seam names each of them
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: Subresource = "",
        options: WriteOptions = DEFAULT_WRITE,
    ) -> Object:
        """NotFoundError (save for apply, which creates), ConflictError, InvalidError, BadRequestError."""
        ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> Object:
        """The object as it is now: still there with a deletionTimestamp, or its last state. NotFoundError."""
        ...

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str | None = None,
        list_options: ListOptions = DEFAULT_LIST,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> None: ...


class Watcher(Protocol):
    def watch(
        self, resource: Resource, namespace: str | None = None, options: ListOptions = DEFAULT_LIST
    ) -> AsyncIterator[WatchEvent]:
        """Every change after `options.resource_version`, once and in order.

        Without a resourceVersion the objects that exist come first, as ADDED. Ends only when the caller stops
        iterating or the server closes; raises ExpiredError when the version is no longer kept: list again.
        Objects may be shared with others who watch: never change one, copy it first.
        """
        ...


class Client(Reader, Writer, Watcher, Protocol):
    """All of it, and the sub-resources of a pod."""

    async def bind(self, pod: str, namespace: str, node: str) -> None:
        """Assigns a pod to a node and marks it PodScheduled, in one write (the `binding` sub-resource).

        Raises NotFoundError, or ConflictError when the pod is already assigned or being deleted.
        """
        ...

    async def create_token(self, account: str, namespace: str, request: Object) -> Object:
        """A token for a service account (the `token` sub-resource): the TokenRequest with its `status.token`.

        `request` is a TokenRequest, of which only `spec` counts: audiences, expirationSeconds, boundObjectRef.
        NotFoundError, InvalidError, ConflictError for a bound object with another uid.
        """
        ...

    def log(self, pod: str, namespace: str, options: LogOptions = DEFAULT_LOG) -> AsyncIterator[bytes]:
        """Chunks of the container's output. NotFoundError, or BadRequestError while it is not started."""
        ...

    async def exec(self, pod: str, namespace: str, options: ExecOptions) -> Execution:
        """A command in a running container, to be closed. The pod itself is as it is: no object is written.

        NotFoundError; BadRequestError when it is not clear in which container, or the pod has no node;
        InternalError for a container that does not run; ServiceUnavailableError where there is no node.
        """
        ...

    async def attach(self, pod: str, namespace: str, options: AttachOptions) -> Execution:
        """A running container's own streams, from now on. `wait` returns at its end; the code is in the pod's status.

        Raises as `exec`.
        """
        ...

    async def connect(self, pod: str, namespace: str, port: int) -> Duplex:
        """A connection to a port of the pod (the `portforward` sub-resource), to be closed.

        NotFoundError, BadRequestError; what the pod refuses is an OSError here, or of the first read.
        """
        ...
