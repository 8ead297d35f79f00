"""The door to tuning: definitions of its kinds, and the controllers behind them.

The kinds are served as soon as the server is. The controllers load right after, in a thread; the algorithms' libraries
only in a process of their own, with the first experiment.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from starlette.routing import BaseRoute

from sampan.components import Front, Services
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
_GRPC = "sampan.components.tuning.rest.grpc_door"
_BUILT_IN = "sampan.components.tuning.engine.builtin"
_LOAD_DELAY_SECONDS = 0.4
"""Long enough for the server to say that it is ready before two cores are busy with imports."""


class TuningComponent:
    """Implements `sampan.components.Component`."""

    name = "tuning"
    resources: Sequence[Resource] = ()
    definitions: Sequence[Object] = DEFINITIONS
    admission: Sequence[Hook] = (*HOOKS, *POD_HOOKS)
    tables: Sequence[sa.MetaData] = (tables.metadata,)
    fronts: Sequence[Front] = (Front("katib-db-manager", "kubeflow", 6789, speaks="grpc"),)
    audiences: Sequence[str] = ()
    reviewed_paths: Sequence[str] = ()
    proven_paths: Sequence[str] = ()
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

    async def start(self, services: Services) -> None:
        self._services = services
        if self._settings.controllers != "off":
            self._tasks.spawn(self._start_controllers(services), name="controllers")

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def pod_routes(self) -> Sequence[BaseRoute]:
        return ()

    async def grpc_handlers(self) -> Sequence[Any]:
        assert self._services is not None, "grpc_handlers() is called after start()"
        door: Any = await asyncio.to_thread(importlib.import_module, _GRPC)
        handlers: Sequence[Any] = door.handlers_of(self._services, self._algorithms)
        return handlers

    async def stop(self) -> None:
        await self._tasks.close()
        if self._manager is not None:
            await self._manager.stop()
        if self._built_in is not None:
            await self._built_in.close()

    def _algorithms(self) -> Any:
        """The controllers' `BuiltIn`; one of its own where nobody acts on experiments here."""
        if (shared := getattr(self._around, "built_in", None)) is not None:
            return shared
        if self._built_in is None:
            self._built_in = importlib.import_module(_BUILT_IN).BuiltIn()
        return self._built_in

    async def _start_controllers(self, services: Services) -> None:
        await asyncio.sleep(_LOAD_DELAY_SECONDS)
        parts: Any = await asyncio.to_thread(importlib.import_module, _PARTS)
        self._around = parts.around(services, self._settings)
        self._manager = Manager(parts.controllers(self._around, services.foreign_definitions))
        await self._manager.start()
