"""The door to training: definitions of its kinds, and the controllers behind them.

The kinds are served as soon as the server is. The controllers load right after, in a thread.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from starlette.routing import BaseRoute

from sampan.components import Front, Services
from sampan.components.training.api.definitions import DEFINITIONS
from sampan.components.training.api.settings import TrainingSettings
from sampan.kube.admission import MutatingHook
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.manager import Manager

log = get_logger(__name__)

_PARTS = "sampan.components.training.controller.parts"
_LOAD_DELAY_SECONDS = 0.3
"""Long enough for the server to say that it is ready before two cores are busy with imports."""


class TrainingComponent:
    """Implements `sampan.components.Component`."""

    name = "training"
    resources: Sequence[Resource] = ()
    definitions: Sequence[Object] = DEFINITIONS
    admission: Sequence[MutatingHook] = ()
    tables: Sequence[sa.MetaData] = ()
    fronts: Sequence[Front] = ()
    audiences: Sequence[str] = ()
    reviewed_paths: Sequence[str] = ()
    proven_paths: Sequence[str] = ()
    ui_module = "sampan.components.training.ui"

    def __init__(self, settings: TrainingSettings | None = None) -> None:
        self._settings = settings or TrainingSettings()
        self._tasks = TaskSet("training")
        self._manager: Manager | None = None

    async def start(self, services: Services) -> None:
        if self._settings.operators != "off":
            self._tasks.spawn(self._start_controllers(services), name="controllers")

    def routes(self) -> Sequence[BaseRoute]:
        return []

    def pod_routes(self) -> Sequence[BaseRoute]:
        return []

    async def stop(self) -> None:
        await self._tasks.close()
        if self._manager is not None:
            await self._manager.stop()

    async def _start_controllers(self, services: Services) -> None:
        await asyncio.sleep(_LOAD_DELAY_SECONDS)
        parts: Any = await asyncio.to_thread(importlib.import_module, _PARTS)
        gang_scheduler = self._settings.gang_scheduler
        if gang_scheduler == "auto":
            gang_scheduler = "none" if services.pod_files is not None else "scheduler-plugins"
        around = parts.around(services.client, services.clock, self._settings, gang_scheduler, services.url)
        self._manager = Manager(parts.controllers(around, services.foreign_definitions))
        await self._manager.start()
