"""The embedded platform: its parts, and the one order in which they start and stop.

    database → API server → first objects → controllers, scheduler → node → components

Each part is handed what it needs and knows no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from sampan import __version__
from sampan.app import registry
from sampan.app.certificates import Certificates
from sampan.app.connections import Adopt
from sampan.app.database import open_database
from sampan.app.definitions import install
from sampan.app.grpc_port import GrpcPort
from sampan.app.intercepting import Interception
from sampan.app.outgoing import webhook_poster
from sampan.app.settings import Settings
from sampan.app.web import build_app, with_proven_paths
from sampan.client.protocol import Client, Object
from sampan.cluster.apiserver import ApiServer
from sampan.cluster.apiserver.apiservices import ApiServices
from sampan.cluster.network import addresses
from sampan.cluster.network.api_service import ensure_api_service, ensure_front
from sampan.cluster.network.parts import network_parts
from sampan.cluster.network.pods import ROUTES, PodNetwork
from sampan.cluster.node.agent import NodeAgent
from sampan.cluster.node.environments import Environments
from sampan.cluster.node.logs import PodLogs
from sampan.cluster.scheduler.service import Scheduler
from sampan.cluster.workloads import Trust, controllers
from sampan.cluster.workloads.volumes.matching import default_class
from sampan.components import Front, Services
from sampan.dashboard import mounting
from sampan.kube.errors import AlreadyExistsError
from sampan.kube.kinds import NAMESPACES, STORAGE_CLASSES, Resource
from sampan.lib.clock import Clock, SystemClock
from sampan.lib.log import get_logger
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Manager

if TYPE_CHECKING:
    import socket

    from sampan.store.artifacts.objects import Bucket

log = get_logger(__name__)

FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kubeflow", "kubeflow-system", "kserve")
"""Namespaces that clients expect to be there from the start."""


def _served_by(api: ApiServer) -> Callable[[str, str], Awaitable[Resource | None]]:
    async def served(api_version: str, kind: str) -> Resource | None:
        return api.registry.by_kind(api_version, kind)

    return served


class Platform:
    """Everything of one home, in one process and one event loop. `stop` ends whatever `start` began."""

    def __init__(
        self,
        settings: Settings,
        *,
        url: str,
        token: str = "",
        secure_port: int = 0,
        grpc: socket.socket | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`secure_port` is where the same application is served with TLS, for pods; 0 where it is not. `grpc` listens
        for the services of components that speak gRPC."""
        self._settings = settings
        self._secure_port = secure_port
        self._grpc = grpc
        self._lowest_port: int | None = None
        self._url = url
        self._token = token
        self._clock = clock or SystemClock()
        self._ends: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._api: ApiServer | None = None
        self.interception: Interception | None = None
        self.adopt: Adopt | None = None
        self.ready = asyncio.Event()

    @property
    def client(self) -> Client:
        assert self._api is not None, "the platform has started"
        return self._api.client

    async def start(self) -> ASGIApp:
        """Returns the HTTP application once all parts work. Raises StorageError, ApiError."""
        settings, home = self._settings, self._settings.home
        certificates = Certificates(home / "pki")
        making = asyncio.create_task(certificates.ensure(), name="certificates")
        components = registry.components(settings)
        tables = [ApiServer.tables, *(tables for component in components for tables in component.tables)]
        database = open_database(settings, tables)
        self._ends.append(("database", database.close))

        api = ApiServer(
            database,
            self._clock,
            pod_logs=PodLogs(home, self._clock),
            token=self._token,
            signing_key=certificates.folder / "sa.key",
            converters={key: each for component in components for key, each in component.converters.items()},
            poster=webhook_poster,
        )
        self._api = api
        api.begin_start()
        for resource in (resource for component in components for resource in component.resources):
            api.registry.add(resource)
        api.service_allocator.begin_at(addresses.slot(home))
        for component in components:
            api.admission.add(component.admission)
            api.gate.let_through(component.reviewed_paths, component.audiences)
        await api.start()
        self._ends.append(("API server", api.stop))
        await self._create_first_objects()
        api_services = ApiServices(api.client, api.registry)
        api_services.start()
        self._ends.append(("APIServices", api_services.stop))

        caches = Caches(api.client)
        where = urlsplit(self._url)
        network = PodNetwork(
            home, (where.hostname or addresses.LOCALHOST, self._secure_port or where.port or 80)
        )
        own_names = await ensure_api_service(api.client, *network.api)
        api.gate.own_address = (addresses.LOCALHOST, where.port or 80)
        spoken: tuple[str, ...] = ()
        for front in (front for component in components for front in component.fronts):
            names = await self._ensure_front(front)
            if front.speaks == "grpc":
                # Never names of HTTP: they lead to the other port.
                spoken += names
            else:
                own_names += names
        manager = Manager(
            [
                *network_parts(api.client, caches, network, home / ROUTES),
                *controllers(
                    api.client,
                    self._clock,
                    api.registry,
                    home / "volumes",
                    caches,
                    trust=Trust(await making, api.tokens.for_secret),
                    usage=lambda: api.metrics.provider,
                ),
                Scheduler(api.client, self._clock, caches, settings.scheduler),
            ]
        )
        await manager.start()
        self._ends.append(("controllers", manager.stop))

        environments = Environments(home, settings.environments)
        self._ends.append(("environments", environments.close))
        environments.start()
        agent = NodeAgent(
            api.client,
            home,
            self._clock,
            environments,
            settings.node,
            network=network,
        )
        await agent.start()
        self._ends.append(("node", agent.stop))
        api.metrics.provider = agent.stats
        api.serve_streams(agent.pod_streams)

        await install(api.client, [each for component in components for each in component.definitions])
        services = Services(
            api.client,
            database,
            self._clock,
            home,
            url=self._url,
            grpc_port=self._grpc.getsockname()[1] if self._grpc is not None else 0,
            many_users=settings.pipelines.multi_user,
            embedded_s3=await self._start_s3() if settings.artifacts.embedded_s3 else None,
            pod_places=agent.places.of,
            attendant_log=agent.pod_logs.append,
            served=_served_by(api),
            reviewer=api.gate,
            pod_port=self._pod_port,
            before_pods_end=agent.draining.register,
            ready=self.ready,
        )
        for component in components:
            await component.start(services)
            self._ends.append((component.name, component.stop))
        if self._grpc is not None:
            grpc_port = GrpcPort(
                self._grpc,
                [component.grpc_handlers for component in components],
                lambda: self.interception,
            )
            await grpc_port.start()
            self.adopt = grpc_port.adopt
            self._ends.append(("gRPC port", grpc_port.stop))
        api.end_start()
        routes = [route for component in components for route in component.routes()]
        server = replace(settings.server, allowed_hosts=(*settings.server.allowed_hosts, *own_names))
        self.interception = Interception.of(components, server, spoken)
        proven = [path for component in components for path in component.proven_paths]
        access = with_proven_paths(api.gate, proven)
        dashboard = mounting.Dashboard(
            mounting.Platform(
                clock=self._clock,
                commits=lambda: database.commits,
                ui_modules=[component.ui_module for component in components if component.ui_module],
                version=__version__,
                home=str(home),
                url=self._url,
                content_host=server.content_host,
            )
        )
        self._ends.append(("dashboard", dashboard.stop))
        return build_app(api.asgi, routes, dashboard, server, access)

    def close_streams(self) -> None:
        """Ends open watches and followed logs, which would keep the HTTP server from ending."""
        if self._api is not None:
            self._api.close_streams()

    async def stop(self) -> None:
        """In the opposite order. What fails on the way is logged, and the rest still ends."""
        while self._ends:
            name, end = self._ends.pop()
            try:
                await end()
            except Exception as error:
                log.error("stopping failed", part=name, exc=error)

    def _pod_port(self, address: str, port: int) -> tuple[str, int]:
        """Raises OSError. A pod in the network of the host may name any port, and ours would take what comes from
        here for the single user's."""
        own = [urlsplit(self._url).port, self._secure_port, self._grpc.getsockname()[1] if self._grpc else 0]
        if port in own and not addresses.is_in(addresses.POD_NETWORK, address):
            raise ConnectionRefusedError("requests are not passed on to this server itself")
        if self._lowest_port is None:
            self._lowest_port = addresses.lowest_port()
        return address, addresses.real_port(address, port, self._lowest_port)

    async def _ensure_front(self, front: Front) -> tuple[str, ...]:
        """Returns the names that requests may then have."""
        where = urlsplit(self._url)
        port = where.port or 80
        if front.speaks == "grpc":
            if self._grpc is None:
                return ()
            port = self._grpc.getsockname()[1]
        return await ensure_front(self.client, front, where.hostname or "", port)

    async def _start_s3(self) -> Callable[[str], Bucket]:
        """Raises StoreUnusableError. Does not wait until it serves, which takes seconds."""
        from sampan.app.embedded_s3 import EmbeddedS3

        embedded = EmbeddedS3(self._settings.home)
        self._ends.append(("embedded S3", embedded.stop))
        await embedded.start(self.client, "default")
        return embedded.bucket

    async def _create_first_objects(self) -> None:
        async def create(resource: Resource, obj: Object) -> None:
            try:
                await self.client.create(resource, obj)
            except AlreadyExistsError:
                return

        namespaces = ({"metadata": {"name": name}} for name in FIRST_NAMESPACES)
        await asyncio.gather(
            create(STORAGE_CLASSES, default_class()), *(create(NAMESPACES, each) for each in namespaces)
        )
