"""The door to tuning: definitions of its kinds, and the controllers behind them.

The kinds are served as soon as the server is. The controllers load right after, in a thread; the algorithms' libraries
only in a process of their own, with the first experiment.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from sampan.components import NO_CONVERTERS, Front, Services
from sampan.components.tuning.api.definitions import DEFINITIONS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.controller.admission import HOOKS
from sampan.components.tuning.controller.collecting.admission import HOOKS as POD_HOOKS
from sampan.components.tuning.store import tables
from sampan.kube.admission import Hook
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.manager import Manager

log = get_logger(__name__)

_PARTS = "sampan.components.tuning.controller.parts"
_API = "sampan.components.tuning.rest.door"
_GRPC = "sampan.components.tuning.rest.grpc_door"
_SOURCES = "sampan.components.tuning.rest.sources"
_REMEMBERING = "sampan.components.tuning.controller.remembering"
_BUILT_IN = "sampan.components.tuning.engine.builtin"
_SHIPPING = "sampan.components.tuning.controller.shipping"
_KATIB = "sampan.components.tuning.rest.katib"
_PREFIX, _KATIB_PREFIX = "/tuning/v1", "/katib"
_LOAD_DELAY_SECONDS = 0.2
"""After the server was ready: components are loaded one after the other, for what they load keeps a core busy."""


class TuningComponent:
    """Implements `sampan.components.Component`."""

    name = "tuning"
    resources: Sequence[Resource] = ()
    definitions: Sequence[Object] = DEFINITIONS
    admission: Sequence[Hook] = (*HOOKS, *POD_HOOKS)
    tables: Sequence[sa.MetaData] = (tables.metadata,)
    fronts: Sequence[Front] = (Front("katib-db-manager", "kubeflow", 6789, speaks="grpc"),)
    audiences: Sequence[str] = ()
    reviewed_paths: Sequence[str] = (_PREFIX, _KATIB_PREFIX)
    proven_paths: Sequence[str] = ()
    interceptor = None
    converters = NO_CONVERTERS
    ui_module = "sampan.components.tuning.ui"

    def __init__(self, settings: TuningSettings | None = None) -> None:
        self._settings = settings or TuningSettings()
        if self._settings.controllers == "off":
            # Whoever acts on the objects then knows what to refuse.
            self.admission = ()
        self._tasks = TaskSet("tuning")
        self._manager: Manager | None = None
        self._services: Services | None = None
        self._around: Any = None
        self._built_in: Any = None
        self._remembering: Any = None

    async def start(self, services: Services) -> None:
        self._services = services
        if services.pod_files is None:
            self._tasks.spawn(self._remember(services), name="remembering")
        if self._settings.controllers != "off":
            self._tasks.spawn(self._start_controllers(services), name="controllers")

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Mount(_PREFIX, app=_Late(self._sources, _API, "Api")),
            Mount(_KATIB_PREFIX, app=_Late(self._sources, _KATIB, "KatibApi")),
        ]

    def pod_routes(self) -> Sequence[BaseRoute]:
        return ()

    async def grpc_handlers(self) -> Sequence[Any]:
        assert self._services is not None, "grpc_handlers() is called after start()"
        door: Any = await asyncio.to_thread(importlib.import_module, _GRPC)
        handlers: Sequence[Any] = door.handlers_of(self._sources())
        return handlers

    async def stop(self) -> None:
        await self._tasks.close()
        if self._remembering is not None:
            await self._remembering.stop()
        if self._manager is not None:
            await self._manager.stop()
        for algorithms in (self._built_in, self._around and self._around.algorithms):
            if algorithms is not None:
                await algorithms.close()

    def _sources(self) -> Any:
        """What `rest` reads. Its modules are loaded by then."""
        sources: Any = importlib.import_module(_SOURCES)
        return sources.sources_of(
            self._services,
            self._algorithms,
            lambda: self._around.caches if self._around is not None else None,
            lambda: self._around.totals if self._around is not None else None,
        )

    def _algorithms(self) -> Any:
        """The controllers' `BuiltIn`; one of its own where nobody acts on experiments here."""
        if self._around is not None:
            return self._around.algorithms
        if self._built_in is None:
            self._built_in = importlib.import_module(_BUILT_IN).BuiltIn()
        return self._built_in

    async def _start_controllers(self, services: Services) -> None:
        await services.ready.wait()
        await asyncio.sleep(_LOAD_DELAY_SECONDS)
        parts: Any = await asyncio.to_thread(importlib.import_module, _PARTS)
        if services.pod_files is None:
            # On a cluster its administrator decides what stands in that namespace.
            shipping: Any = importlib.import_module(_SHIPPING)
            await shipping.ship(services.client)
        self._around = parts.around(services, self._settings)
        self._manager = Manager(parts.controllers(self._around, services.foreign_definitions))
        await self._manager.start()

    async def _remember(self, services: Services) -> None:
        await services.ready.wait()
        await asyncio.sleep(_LOAD_DELAY_SECONDS)
        module: Any = await asyncio.to_thread(importlib.import_module, _REMEMBERING)
        self._remembering = module.remembering(services, self._settings.keep_logs_days)
        self._remembering.start()


class _Late:
    """Routes that are loaded with the first request. `name` is their application's in the module."""

    def __init__(self, sources: Callable[[], Any], module: str, name: str) -> None:
        self._sources = sources
        self._module = module
        self._name = name
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            module: Any = await asyncio.to_thread(importlib.import_module, self._module)
            self._app = self._app or getattr(module, self._name)(self._sources())
        await self._app(scope, receive, send)
