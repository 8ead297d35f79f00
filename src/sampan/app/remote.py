"""The platform on a cluster that is not ours: the components, working through the cluster's own API server.

    database → cluster reached → transfers' address → components

There is no API server, node, scheduler or controller of ours here, and none of their modules is loaded.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hmac import compare_digest
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from sampan import __version__
from sampan.app import registry
from sampan.app.changes import Changes
from sampan.app.connections import Adopt
from sampan.app.database import open_database
from sampan.app.definitions import for_other_servers, install
from sampan.app.forwarding import ForwardedCluster
from sampan.app.http import HttpServer
from sampan.app.intercepting import Interception
from sampan.app.listening import StartError, listen
from sampan.app.settings import ClusterSettings, Settings
from sampan.app.web import build_app, with_proven_paths
from sampan.client import kubeconfig
from sampan.client.discovery import Discovery
from sampan.client.kubeconfig import Connection, KubeconfigError
from sampan.client.protocol import Client, ListOptions
from sampan.client.remote import RemoteClient
from sampan.components import PodFiles, Services
from sampan.dashboard import mounting
from sampan.kube.errors import ApiError, NotFoundError, UnauthorizedError
from sampan.kube.kinds import NAMESPACES, NODES, Resource
from sampan.kube.schema import Schema
from sampan.lib.clock import Clock, SystemClock
from sampan.lib.log import get_logger
from sampan.web import asgi
from sampan.web.guards import User

log = get_logger(__name__)

IN_CLUSTER = "in-cluster"
"""In place of a kubeconfig: as the service account of the pod that this runs in."""

_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreviews",
    namespaced=False,
    subresources=(),
)
_NEEDED: tuple[tuple[str, str, str, bool], ...] = (
    ("create", "", "pods", True),
    ("delete", "", "pods", True),
    ("deletecollection", "", "pods", True),
    ("get", "", "pods/log", True),
    # Runs may be in any namespace, and one watch serves them all.
    ("list", "", "pods", False),
    ("watch", "", "pods", False),
    ("create", "authentication.k8s.io", "tokenreviews", False),
)
"""Verb, group, resource, and whether the namespace of runs is enough."""


@dataclass(frozen=True, slots=True)
class _Reached:
    """What the cluster said of itself."""

    version: tuple[int, int]
    namespace: str


class RemotePlatform:
    """Everything of one home, in one process and one event loop. `stop` ends whatever `start` began."""

    def __init__(self, settings: Settings, *, url: str, token: str = "", clock: Clock | None = None) -> None:
        """Raises StartError for a kubeconfig that cannot be used."""
        self._settings = settings
        self._url = url
        self._token = token
        self._clock = clock or SystemClock()
        self._ends: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self.interception: Interception | None = None
        self.adopt: Adopt | None = None
        self.ready = asyncio.Event()
        try:
            self._connection = connect(settings.cluster)
            self._client = RemoteClient(self._connection)
        except KubeconfigError as error:
            raise StartError(str(error)) from error

    @property
    def client(self) -> Client:
        return self._client

    @property
    def kubeconfig(self) -> str:
        """The user's own; none of ours is written."""
        return self._settings.cluster.kubeconfig

    async def start(self) -> ASGIApp:
        """Returns the HTTP application once all parts work. Raises StartError, StorageError, ApiError."""
        settings, home = self._settings, self._settings.home
        components = registry.components(settings)
        tables = [tables for component in components for tables in component.tables]
        database = open_database(settings, tables)
        self._ends.append(("database", database.close))
        self._ends.append(("cluster", self._client.close))
        reached = await reach(self._client, self._connection)
        log.info("cluster reached", server=self._connection.server, version="{}.{}".format(*reached.version))

        cluster = settings.cluster
        url, listener = await transfers_address(self._client, cluster)
        self._ends.append(("transfers' address", _closing(listener)))
        files = PodFiles(
            url, cluster.mover_image, cluster.max_output_gib * 1024**3, _text(cluster.callback_authority)
        )
        definitions = [each for component in components for each in component.definitions]
        services = Services(
            self._client,
            database,
            self._clock,
            home,
            default_namespace=reached.namespace,
            url=self._url,
            many_users=self._settings.pipelines.multi_user,
            pod_files=files,
            served=Discovery(self._client).served,
            # Among the pods of the cluster their addresses lead to them.
            pod_port=_as_it_is if cluster.kubeconfig == IN_CLUSTER else None,
            foreign_definitions=await install(self._client, definitions, for_other_servers(_built_in_schema)),
            ready=self.ready,
        )
        for component in components:
            await component.start(services)
            self._ends.append((component.name, component.stop))
        pod_routes = [route for component in components for route in component.pod_routes()]
        transfers = HttpServer(
            Starlette(routes=pod_routes),
            listener,
            certificate=cluster.callback_certificate,
            key=cluster.callback_key,
        )
        await transfers.start()
        self._ends.append(("transfers", transfers.stop))
        log.info("pods reach the platform", url=url)

        routes = [route for component in components for route in component.routes()]
        self.interception = Interception.of(components, settings.server)
        elsewhere = _Elsewhere(self._connection.server)
        proven = [path for component in components for path in component.proven_paths]
        access = with_proven_paths(_SingleUser(self._token), proven)
        changes = Changes(self._client, self._clock)
        self._ends.append(("cluster's changes", changes.close))
        dashboard = mounting.Dashboard(
            mounting.Platform(
                clock=self._clock,
                commits=lambda: database.commits + changes.count,
                ui_modules=[component.ui_module for component in components if component.ui_module],
                version=__version__,
                home=str(home),
                url=self._url,
                default_namespace=reached.namespace,
                cluster=self._connection.server,
                content_host=settings.server.content_host,
            )
        )
        self._ends.append(("dashboard", dashboard.stop))
        forwarded = ForwardedCluster(self._client, changes)
        return build_app(elsewhere, routes, dashboard, settings.server, access, forwarded)

    def close_streams(self) -> None:
        """Nothing is open that would keep the HTTP server from ending."""

    async def stop(self) -> None:
        """In the opposite order. What fails on the way is logged, and the rest still ends."""
        while self._ends:
            name, end = self._ends.pop()
            try:
                await end()
            except Exception as error:
                log.error("stopping failed", part=name, exc=error)


def _as_it_is(address: str, port: int) -> tuple[str, int]:
    return address, port


class _SingleUser:
    """Whoever reaches the loopback is the user; a wrong token is a mistake worth telling. The cluster has its rules."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._user = User("sampan", ("system:masters", "system:authenticated"))

    def admit(self, scope: Scope) -> User:
        scheme, _, token = asgi.header(scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer" and not compare_digest(token.strip().encode(), self._token):
            raise UnauthorizedError("Unauthorized")
        return self._user


def connect(cluster: ClusterSettings) -> Connection:
    """Raises KubeconfigError."""
    if cluster.kubeconfig == IN_CLUSTER:
        found = kubeconfig.in_cluster()
    else:
        found = kubeconfig.load(Path(cluster.kubeconfig).expanduser(), cluster.context)
    return replace(found, namespace=cluster.namespace or found.namespace)


async def reach(client: RemoteClient, connection: Connection) -> _Reached:
    """Is the cluster there, and may we do what we must? Raises StartError, naming what is missing."""
    try:
        version = await client.version()
        try:
            await client.get(NAMESPACES, connection.namespace)
        except NotFoundError as error:
            raise StartError(
                f"the cluster has no namespace {connection.namespace!r}: make it, or name another as cluster.namespace"
            ) from error
        allowed = await asyncio.gather(*(_is_allowed(client, connection.namespace, each) for each in _NEEDED))
    except ApiError as error:
        raise StartError(f"the cluster at {connection.server} cannot be used: {error.message}") from error
    missing = [
        f"{verb} {resource}"
        for (verb, _, resource, _), fine in zip(_NEEDED, allowed, strict=True)
        if not fine
    ]
    if missing:
        raise StartError(
            f"the kubeconfig's user may not do what pipelines need in {connection.server}: {', '.join(missing)}"
        )
    return _Reached(version, connection.namespace)


async def _is_allowed(client: Client, namespace: str, needed: tuple[str, str, str, bool]) -> bool:
    verb, group, resource, in_namespace = needed
    name, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource}
    if in_namespace:
        attributes["namespace"] = namespace
    answer = await client.create(_ACCESS_REVIEWS, {"spec": {"resourceAttributes": attributes}})
    return bool((answer.get("status") or {}).get("allowed"))


async def transfers_address(client: Client, cluster: ClusterSettings) -> tuple[str, socket.socket]:
    """Where pods reach us, and the socket that listens there. Raises StartError."""
    if cluster.callback_url:
        where = urlsplit(cluster.callback_url)
        # With an address of its own to listen on, what pods call is forwarded to us by somebody else.
        host, port = cluster.callback_host, cluster.callback_port
        if not host:
            host, port = where.hostname or "", where.port or (443 if where.scheme == "https" else 80)
        return cluster.callback_url.rstrip("/"), listen(host, port, setting="cluster.callback_url")
    scheme = "https" if cluster.callback_certificate else "http"
    host = cluster.callback_host or await _own_address(client)
    listener = listen(host, cluster.callback_port, setting="cluster.callback_port")
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{listener.getsockname()[1]}", listener


async def _own_address(client: Client) -> str:
    """This machine's address on the way to the cluster's nodes."""
    try:
        nodes = await client.list(NODES, None, ListOptions(limit=10))
    except ApiError as error:
        raise StartError(f"{_UNKNOWN}: the nodes cannot be listed: {error.message}") from error
    for node in nodes.items:
        for address in (node.get("status") or {}).get("addresses") or ():
            if address.get("type") == "InternalIP" and (own := _towards(str(address.get("address")))):
                return own
    raise StartError(f"{_UNKNOWN}: no node has an address that this machine has a route to")


_UNKNOWN = (
    "set cluster.callback_url to an address of this machine that pods can reach, such as http://10.0.0.5:8081"
)


def _towards(address: str) -> str:
    """Which address of ours packets to `address` bear. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def _text(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).expanduser().read_text("utf-8")
    except OSError as error:
        raise StartError(f"cluster.callback_authority: {file}: {error.strerror}") from error


def _closing(listener: socket.socket) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        listener.close()

    return close


def _built_in_schema() -> Schema:
    """Seldom needed, and with it comes half an API server."""
    from sampan.cluster.apiserver.kinds import built_in_schema

    return built_in_schema()


class _Elsewhere:
    """Answers for the paths of Kubernetes: its API server is the cluster's."""

    def __init__(self, server: str) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            error = NotFoundError(
                f"the Kubernetes API is not served here: the platform works on the cluster at {self._server}"
            )
            await asgi.respond_error(send, error)
