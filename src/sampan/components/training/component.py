"""The door to training: definitions of its kinds, and the controllers behind them.

The kinds are served as soon as the server is. The controllers load right after, in a thread.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from sampan.components import NO_CONVERTERS, Front, Services
from sampan.components.training.api import reporting
from sampan.components.training.api.definitions import DEFINITIONS
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES
from sampan.components.training.api.settings import TrainingSettings
from sampan.components.training.controller.admission import HOOKS
from sampan.components.training.controller.trainer.shipping import ship
from sampan.kube.admission import Hook
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.manager import Manager

log = get_logger(__name__)

_API = "sampan.components.training.rest.door"
_REPORTS = "sampan.components.training.rest.reports"
_PARTS = "sampan.components.training.controller.parts"
_REMEMBERING = "sampan.components.training.controller.remembering"
_PREFIX = "/training/v1"
_LOAD_DELAY_SECONDS = 0.1
"""After the server was ready: components are loaded one after the other, for what they load keeps a core busy."""


class TrainingComponent:
    """Implements `sampan.components.Component`."""

    name = "training"
    resources: Sequence[Resource] = ()
    definitions: Sequence[Object] = DEFINITIONS
    admission: Sequence[Hook] = HOOKS
    tables: Sequence[sa.MetaData] = ()
    fronts: Sequence[Front] = ()
    audiences: Sequence[str] = ()
    reviewed_paths: Sequence[str] = (_PREFIX,)
    proven_paths: Sequence[str] = (reporting.PATTERN,)
    interceptor = None
    converters = NO_CONVERTERS
    ui_module = "sampan.components.training.ui"

    def __init__(self, settings: TrainingSettings | None = None) -> None:
        self._settings = settings or TrainingSettings()
        if self._settings.operators == "off":
            # Whoever acts on the objects then knows what to refuse.
            self.admission = ()
        self._tasks = TaskSet("training")
        self._manager: Manager | None = None
        self._remembering: Any = None
        self._services: Services | None = None
        self._api: _LateApi | None = None
        self._reports: _LateReports | None = None

    async def start(self, services: Services) -> None:
        self._services = services
        if services.pod_files is None:
            self._tasks.spawn(self._remember(services), name="remembering")
        if self._settings.operators != "off":
            await self._ship(services)
            self._tasks.spawn(self._start_controllers(services), name="controllers")

    def routes(self) -> Sequence[BaseRoute]:
        assert self._services is not None, "routes() is called after start()"
        self._api = _LateApi(self._services)
        return [Mount(_PREFIX, app=self._api), self._reports_route(self._services)]

    def pod_routes(self) -> Sequence[BaseRoute]:
        assert self._services is not None, "pod_routes() is called after start()"
        return [self._reports_route(self._services)]

    def _reports_route(self, services: Services) -> BaseRoute:
        """Of Trainer's status endpoint. GET, PUT and PATCH of that path are the Kubernetes API's."""
        self._reports = self._reports or _LateReports(services)
        return Route(reporting.ROUTE, self._reports, methods=["POST"])

    async def grpc_handlers(self) -> Sequence[Any]:
        return ()

    async def stop(self) -> None:
        await self._tasks.close()
        if self._api is not None:
            self._api.close()
        if self._reports is not None:
            await self._reports.close()
        if self._remembering is not None:
            await self._remembering.stop()
        if self._manager is not None:
            await self._manager.stop()

    async def _ship(self, services: Services) -> None:
        """Where the cluster is ours, before the first client asks."""
        if services.pod_files is None:
            await ship(services.client, with_public=True)
        elif CLUSTER_TRAINING_RUNTIMES.key not in services.foreign_definitions:
            self._tasks.spawn(ship(services.client, with_public=False), name="shipping")

    async def _start_controllers(self, services: Services) -> None:
        await services.ready.wait()
        await asyncio.sleep(_LOAD_DELAY_SECONDS)
        parts: Any = await asyncio.to_thread(importlib.import_module, _PARTS)
        gang_scheduler = self._settings.gang_scheduler
        if gang_scheduler == "auto":
            gang_scheduler = "none" if services.pod_files is not None else "scheduler-plugins"
        around = parts.around(services, self._settings, gang_scheduler)
        self._manager = Manager(parts.controllers(around, services.foreign_definitions))
        await self._manager.start()

    async def _remember(self, services: Services) -> None:
        await services.ready.wait()
        await asyncio.sleep(_LOAD_DELAY_SECONDS)
        module: Any = await asyncio.to_thread(importlib.import_module, _REMEMBERING)
        self._remembering = module.Remembering(services.client, services.home, self._settings.keep_logs_days)
        self._remembering.start()


class _LateReports:
    """The status endpoint, loaded with the first report."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            module: Any = await asyncio.to_thread(importlib.import_module, _REPORTS)
            self._app = self._app or module.api_of(self._services)
        await self._app(scope, receive, send)

    async def close(self) -> None:
        if self._app is not None:
            await self._app.close()


class _LateApi:
    """The routes, loaded with the first request."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            module: Any = await asyncio.to_thread(importlib.import_module, _API)
            self._app = self._app or module.api_of(self._services)
        await self._app(scope, receive, send)

    def close(self) -> None:
        if self._app is not None:
            self._app.close()
