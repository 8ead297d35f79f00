"""One folder per Kubeflow component, the same rooms in each, and the type of their doors.

Components never import each other, save for another's `api` room; they meet through API objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Types only: a command that imports one module of a component must not pay for SQL and the web.
    import grpc
    import sqlalchemy as sa
    from starlette.routing import BaseRoute

    from sampan.client.protocol import Client, Object
    from sampan.kube.admission import Hook
    from sampan.kube.kinds import Resource
    from sampan.lib.clock import Clock
    from sampan.store.artifacts.objects import Bucket
    from sampan.store.database import Database
    from sampan.web.guards import User
    from sampan.web.interception import Interceptor


Converters = Mapping[tuple[str, str], Callable[[dict[str, Any], str], dict[str, Any]]]
NO_CONVERTERS: Converters = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PodFiles:
    """How pods come by files of this machine where their nodes do not see its folders."""

    url: str
    """At which pods reach the routes that a component gives as `pod_routes`."""
    image: str
    """An image with `python3`, for what moves the files."""
    most_bytes: int
    """That one pod may bring."""
    authority: str = ""
    """PEM of what signed the certificate of an https `url`; empty for the system's."""


class Reviewer(Protocol):
    """Who shows a token, and what they may do. Asked for each request; must not block."""

    def who(self, authorization: str) -> User | None:
        """By the value of a header Authorization; None for one that is no token of this cluster's."""
        ...

    def may(self, user: User, verb: str, resource: Resource, namespace: str, name: str) -> bool: ...


def _happened() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


BeforePodsEnd = Callable[["Object"], "Coroutine[Any, Any, None] | None"]
"""For a pod that is to end: what it waits for before, as long as its grace period allows, if anything."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the composition root hands to a component's door."""

    client: Client
    database: Database
    clock: Clock
    home: Path
    """SAMPAN_HOME, absolute and existing. A component writes below a folder of its own in it."""
    default_namespace: str = "default"
    url: str = ""
    """Where this server is reached on its machine."""
    grpc_port: int = 0
    """Of the second port, for gRPC; 0 where there is none."""
    pod_files: PodFiles | None = None
    """None where pods see this machine's folders, as in the embedded cluster."""
    embedded_s3: Callable[[str], Bucket] | None = None
    """A bucket of the platform's own S3, by its name; None where there is none."""
    foreign_definitions: frozenset[str] = frozenset()
    """Of the component's definitions: those that somebody else has installed here, and may act on."""
    pod_places: Callable[[Object], Awaitable[Callable[[str], str]]] | None = None
    """For a pod: from a path that its first container sees to this machine's, empty where it cannot be seen from here.
    None where pods run elsewhere."""
    attendant_log: Callable[[Object, str, Sequence[str]], None] | None = None
    """Adds lines to the log of a pod's container that has no process (`kube.pods.ATTENDANTS`). Raises OSError; for a
    thread. None where every container has one."""
    many_users: bool = False
    """Whether requests count for users of namespaces (`pipelines.multi_user`), not for the one user of this machine."""
    served: Callable[[str, str], Awaitable[Resource | None]] | None = None
    """By apiVersion and kind: how objects of that kind are read and written, None while they are not served. Raises
    ApiError."""
    reviewer: Reviewer | None = None
    """None where there is nobody but the single user."""
    pod_port: Callable[[str, int], tuple[str, int]] | None = None
    """By a pod's address and port: where that is on this machine. Raises OSError for one that nobody may be led to.
    None where pods run elsewhere."""
    before_pods_end: Callable[[BeforePodsEnd], Callable[[], None]] | None = None
    """Has the given function called before a pod is asked to end; what comes back takes that away again. None where
    pods run elsewhere."""
    ready: asyncio.Event = field(default_factory=_happened)
    """Set when the server has said that it is ready: what takes long to load waits for it."""


@dataclass(frozen=True, slots=True)
class Front:
    """A Service by which clients within the cluster find a component where upstream runs a server of its own."""

    name: str
    namespace: str
    port: int
    speaks: str = "http"
    """`http` leads to the platform's one port, `grpc` to the second."""


class Component(Protocol):
    """A door: the only part of a component that `app` imports. Nothing is read or started by making one."""

    name: str
    resources: Sequence[Resource]
    """Kinds the component adds to the cluster."""
    definitions: Sequence[Object]
    """CustomResourceDefinitions of kinds that it reads as any client does, installed before `start`."""
    tables: Sequence[sa.MetaData]
    """Its SQL tables, made before `start`."""

    admission: Sequence[Hook]
    """How it changes objects that anybody writes, before they are validated, and which it refuses."""

    @property
    def converters(self) -> Converters:
        """How its custom kinds become those of another version on our API server, by group and kind: given an object
        and the wanted apiVersion. Those that are not named differ in their schemas alone."""
        ...

    ui_module: str
    """The module that holds the component's `INTERFACE` (`ui.contract`); empty for one without pages. Loaded after the
    server is ready."""

    fronts: Sequence[Front]
    """Services that lead to the platform's ports."""
    audiences: Sequence[str]
    """Whom tokens may be meant for that are shown at `reviewed_paths`, beside the API server."""
    reviewed_paths: Sequence[str]
    """Below these it asks for an access review of every request itself: the guards let every known user through."""

    async def start(self, services: Services) -> None:
        """Picks up what a previous process left and starts working. Called once."""
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """Its HTTP routes, called after `start`."""
        ...

    @property
    def proven_paths(self) -> Sequence[str]:
        """Expressions for whole paths, of POST, whose endpoints have whoever calls prove to them that they may."""
        ...

    @property
    def interceptor(self) -> Interceptor | None:
        """What answers some requests below the HTTP framework (`web.interception`)."""
        ...

    def pod_routes(self) -> Sequence[BaseRoute]:
        """What pods on other machines call, on a port of its own; each checks by itself who calls. After `start`."""
        ...

    async def grpc_handlers(self) -> Sequence[grpc.GenericRpcHandler]:
        """Of its gRPC services, if it has any: asked for with the first connection to the second port, after
        `start`."""
        ...

    async def stop(self) -> None:
        """Stops working and leaves all state in the database. Called once, whatever `start` did."""
        ...
