"""The door to Kubeflow Pipelines: its tables, its routes, and the engine behind them.

Its endpoints, the engine and the reader of the IR (protobuf, CEL) load right after the server is ready, in a
thread, and what needs them waits: a request, a first run, an upload. A failure to load is reported once to
the log and then to each request that needs it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import sqlalchemy as sa
from starlette.routing import BaseRoute, Mount

from sampan.client.protocol import Client
from sampan.components import NO_CONVERTERS, Front, Services
from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.components.pipelines.api.retention_settings import RetentionSettings
from sampan.components.pipelines.api.settings import MailSettings, PipelineSettings
from sampan.components.pipelines.api.triggers import read_zone
from sampan.components.pipelines.api.workflow_kinds import DEFINITIONS
from sampan.components.pipelines.controller.loading import (
    LateControllers,
    WorkflowEngine,
    acts_on_workflows,
    argo_hook,
)
from sampan.components.pipelines.controller.runner import RUNNER, ensure_runner
from sampan.components.pipelines.controller.templates import GetTemplate, blocking
from sampan.components.pipelines.engine.creation import Prepare
from sampan.components.pipelines.engine.notifications.composing import Composer
from sampan.components.pipelines.engine.notifications.sending import Channels, Sender
from sampan.components.pipelines.engine.notifications.service import Rules
from sampan.components.pipelines.engine.retention import Retention
from sampan.components.pipelines.engine.scheduler import Scheduler
from sampan.components.pipelines.engine.triggers.buckets import LateBuckets
from sampan.components.pipelines.engine.triggers.firing import Firing
from sampan.components.pipelines.engine.triggers.service import Loops
from sampan.components.pipelines.engine.triggers.watching import Watcher
from sampan.components.pipelines.rest import PREFIXES, PROVEN_PATHS, Api, Backend, RunEngine
from sampan.components.pipelines.store import tables
from sampan.components.pipelines.store.notices import NotificationRow
from sampan.kube.admission import Hook
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_COMPLETED_PODS = "sampan.components.pipelines.engine.completed_pods"
_ENGINE = "sampan.components.pipelines.engine.engine"
_FILES = "sampan.components.pipelines.engine.staging"
_TRANSFERS = "sampan.components.pipelines.rest.transfers"
_CHANNELS = "sampan.components.pipelines.engine.notifications.channels"
_SPECIFICATION = "sampan.components.pipelines.api.specification"


class _Engine(RunEngine, WorkflowEngine, Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def trouble(self, run_id: str) -> str: ...


class _Moving(Protocol):
    """`rest.transfers.Moving`, which loads only where pods need it."""

    files: Any

    def start(self) -> None: ...
    async def stop(self) -> None: ...
    def routes(self) -> Sequence[BaseRoute]: ...


class PipelinesComponent:
    """Implements `sampan.components.Component`."""

    name = "pipelines"
    resources: Sequence[Resource] = ()
    definitions: Sequence[Object] = DEFINITIONS
    admission: Sequence[Hook] = (argo_hook(),)
    tables: Sequence[sa.MetaData] = (tables.metadata,)
    fronts: Sequence[Front] = (
        Front("ml-pipeline", "kubeflow", 8888),
        Front("ml-pipeline-ui", "kubeflow", 80),
    )
    audiences: Sequence[str] = ("pipelines.kubeflow.org",)
    interceptor = None
    converters = NO_CONVERTERS
    ui_module = "sampan.components.pipelines.ui"

    def __init__(
        self,
        settings: PipelineSettings | None = None,
        artifacts: ArtifactSettings | None = None,
        retention: RetentionSettings | None = None,
        mail: MailSettings | None = None,
    ) -> None:
        self._settings = settings or PipelineSettings()
        self._artifacts = artifacts or ArtifactSettings()
        self._rules = retention or RetentionSettings()
        self._mail = mail or MailSettings()
        self.reviewed_paths: Sequence[str] = PREFIXES if self._settings.multi_user else ()
        self._tasks = TaskSet("pipelines")
        self._backend: Backend | None = None
        self._api: Api | None = None
        self._engine: asyncio.Task[_Engine] | None = None
        self._moving: _Moving | None = None
        self._controllers: LateControllers | None = None
        self._scheduler: Scheduler | None = None
        self._firing: Firing | None = None
        self._watcher: Watcher | None = None
        self._sender: Sender | None = None
        self._starters: list[asyncio.Task[None]] = []
        """What starts runs by itself: schedules and triggers."""

    async def start(self, services: Services) -> None:
        if services.pod_files is not None:
            module = await asyncio.to_thread(importlib.import_module, _TRANSFERS)
            moving: _Moving = await asyncio.to_thread(
                module.Moving, services.client, services.clock, services.home, services.pod_files
            )
            moving.start()
            self._moving = moving
        self._engine = self._tasks.spawn(self._start_engine(services), name="engine")
        zone = read_zone(self._settings.schedule_time_zone)
        retention = Retention(services.database, services.clock, services.home, self._rules, self._forget)
        self._backend = Backend(
            database=services.database,
            client=services.client,
            clock=services.clock,
            home=services.home,
            settings=self._settings,
            namespace=services.default_namespace,
            engine=self._started_engine,
            trouble=self._trouble,
            prepare=partial(_load_prepare, blocking(services.client, services.default_namespace)),
            wake_schedules=self._wake_schedules,
            retention=retention,
            buckets=LateBuckets(services.client, self._artifacts, services.embedded_s3),
            notification_rules=Rules(self._settings.allow_private_urls, self._mail),
            wake_sender=self._wake_sender,
            send_test=self._send_test,
            trigger_loops=Loops(self._wake_triggers, self._fire_now),
        )
        self._scheduler = Scheduler(services.database, services.clock, self._backend.creator, zone)
        self._firing = Firing(services.database, services.clock, self._backend.creator)
        self._watcher = Watcher(services.database, services.clock, self._backend.places, self._firing.wake)
        composer = Composer(
            services.database, services.client, services.home, self._settings.public_url or services.url
        )
        self._sender = Sender(
            services.database, services.clock, composer, partial(self._load_channels, services.client)
        )
        for name, loop in (
            ("scheduler", self._scheduler.run),
            ("firing", self._firing.run),
            ("watching", self._watcher.run),
            ("retention", retention.run),
            ("sender", self._sender.run),
        ):
            self._starters.append(self._tasks.spawn(self._run_starter(loop), name=name))

    async def _forget(self, run_id: str, namespace: str) -> None:
        await (await self._started_engine()).forget(run_id, namespace)

    def routes(self) -> Sequence[BaseRoute]:
        assert self._backend is not None, "routes() is called after start()"
        api = self._api = Api(self._backend)
        return [Mount(prefix, app=api) for prefix in PREFIXES]

    @property
    def proven_paths(self) -> Sequence[str]:
        return PROVEN_PATHS

    def pod_routes(self) -> Sequence[BaseRoute]:
        return self._moving.routes() if self._moving is not None else []

    async def grpc_handlers(self) -> Sequence[Any]:
        return ()

    async def stop(self) -> None:
        if self._controllers is not None:
            await self._controllers.stop()
        # Before the engine: nobody would take up what they still start.
        for starter in self._starters:
            starter.cancel()
        if self._starters:
            await asyncio.wait(self._starters)
        if self._sender is not None:
            await self._sender.close()
        if (engine := self._loaded_engine()) is not None:
            await engine.stop()
        await self._tasks.close()
        if self._backend is not None:
            self._backend.asking.close()
        if self._moving is not None:
            await self._moving.stop()

    async def _start_engine(self, services: Services) -> _Engine:
        await services.ready.wait()
        if self._api is not None:
            await self._api.load()
        module = await asyncio.to_thread(importlib.import_module, _ENGINE)
        files = self._moving.files if self._moving is not None else None
        if files is None:
            staging: Any = await asyncio.to_thread(importlib.import_module, _FILES)
            files = staging.staged_files(
                services,
                self._artifacts,
                allow_private=self._settings.allow_private_urls,
                isolated=self._settings.multi_user,
            )
        settings = self._settings
        if services.pod_files is None and not settings.multi_user and not settings.service_account:
            # As upstream's own installation; elsewhere nobody knows that it is there.
            settings = replace(settings, service_account=RUNNER)
        engine: _Engine = module.Engine(
            services.client,
            services.database,
            services.clock,
            services.home,
            settings,
            files,
        )
        engine.listen(lambda _: self._on_change())
        if services.pod_files is None:
            # Before the engine, which at once takes up what was asked for meanwhile.
            await ensure_runner(services.client, services.default_namespace)
        await engine.start()
        upkeep: Any = await asyncio.to_thread(importlib.import_module, _COMPLETED_PODS)
        completed = upkeep.CompletedPods(
            services.client, services.database, services.clock, self._rules.completed_pods_hours
        )
        self._tasks.spawn(completed.run(), name="completed pods")
        self._tasks.spawn(self._start_controllers(services, engine), name="controllers")
        return engine

    def _loaded_engine(self) -> _Engine | None:
        """Without waiting for it."""
        engine = self._engine
        is_there = engine is not None and engine.done() and not engine.cancelled()
        return engine.result() if engine is not None and is_there and engine.exception() is None else None

    def _trouble(self, run_id: str) -> str:
        engine = self._loaded_engine()
        return engine.trouble(run_id) if engine is not None else ""

    async def _start_controllers(self, services: Services, engine: _Engine) -> None:
        """After the engine, which they are for; runs do not wait for them."""
        if not acts_on_workflows(self._settings, services.foreign_definitions):
            log.info("Workflow objects are left to another controller")
            return
        self._controllers = LateControllers(services, engine)
        await self._controllers.start()

    async def _run_starter(self, loop: Callable[[], Awaitable[None]]) -> None:
        await self._started_engine()
        await loop()

    def _on_change(self) -> None:
        """A run has changed: something may wait for that, or be told of it."""
        if self._firing is not None and self._sender is not None:
            self._firing.wake()
            self._sender.wake()

    def _wake_sender(self) -> None:
        if self._sender is not None:
            self._sender.wake()

    async def _send_test(self, notification: NotificationRow) -> None:
        assert self._sender is not None
        await self._sender.send_test(notification)

    async def _load_channels(self, client: Client) -> Channels:
        module = await asyncio.to_thread(importlib.import_module, _CHANNELS)
        channels: Channels = module.Channels(
            client, self._mail, allow_private=self._settings.allow_private_urls
        )
        return channels

    def _wake_triggers(self) -> None:
        if self._firing is not None and self._watcher is not None:
            self._firing.wake()
            self._watcher.wake()

    async def _fire_now(self, delivery_id: str) -> None:
        if self._firing is not None:
            await self._firing.fire(delivery_id)

    def _wake_schedules(self) -> None:
        if self._scheduler is not None:
            self._scheduler.wake()

    async def _started_engine(self) -> RunEngine:
        assert self._engine is not None
        # A request that gives up must not take the engine down with it.
        return await asyncio.shield(self._engine)


async def _load_prepare(template: GetTemplate | None = None) -> Prepare:
    """`template` gives the WorkflowTemplates that a Workflow refers to."""
    specification: Any = await asyncio.to_thread(importlib.import_module, _SPECIFICATION)
    prepare: Prepare = specification.preparer(template)
    return prepare
