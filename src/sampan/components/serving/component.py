"""The door to serving: definitions of its kinds, the controllers behind them, and the gateway.

The kinds are served as soon as the server is. The controllers load right after, in a thread.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from starlette.routing import BaseRoute

from sampan.components import Converters, Front, Services
from sampan.components.serving.api import language_models
from sampan.components.serving.api.conversion import converted
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.kinds import (
    GROUP,
    KFSERVING_INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    LLM_INFERENCE_SERVICE_CONFIGS,
    LLM_INFERENCE_SERVICES,
)
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.controller.admission import hooks
from sampan.components.serving.controller.gateway.door import Door
from sampan.components.serving.controller.shipping import ship, ship_presets
from sampan.components.serving.rest import logs, statistics
from sampan.kube.admission import Hook
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.tasks import TaskSet
from sampan.reconcile.manager import Manager

_PARTS = "sampan.components.serving.controller.parts"
_GATEWAY = "sampan.components.serving.controller.gateway.parts"
_LOAD_DELAY_SECONDS = 0.3
"""After the server was ready: components are loaded one after the other, for what they load keeps a core busy."""


class ServingComponent:
    """Implements `sampan.components.Component`."""

    name = "serving"
    resources: Sequence[Resource] = (KNATIVE_SERVICES,)
    definitions: Sequence[Object] = DEFINITIONS
    tables: Sequence[sa.MetaData] = ()
    fronts: Sequence[Front] = ()
    audiences: Sequence[str] = ()
    reviewed_paths: Sequence[str] = (logs.PREFIX,)
    proven_paths: Sequence[str] = ()
    converters: Converters = MappingProxyType(
        {
            (KFSERVING_INFERENCE_SERVICES.group, KFSERVING_INFERENCE_SERVICES.kind): converted,
            (GROUP, LLM_INFERENCE_SERVICES.kind): language_models.converted,
            (GROUP, LLM_INFERENCE_SERVICE_CONFIGS.kind): language_models.converted,
        }
    )
    ui_module = "sampan.components.serving.ui"

    def __init__(self, settings: ServingSettings | None = None) -> None:
        self._settings = settings or ServingSettings()
        # Where nothing acts on the objects, whoever does knows what to refuse.
        is_off = self._settings.controllers == "off"
        self.admission: Sequence[Hook] = () if is_off else hooks(self._settings.deployment_mode)
        self.interceptor = Door(self._settings.domain)
        if is_off:
            self.interceptor.close()
        self._tasks = TaskSet("serving")
        self._managers: list[Manager] = []
        self._gateway: Any = None
        self._leave: Callable[[], None] = lambda: None
        self._services: Services | None = None

    async def start(self, services: Services) -> None:
        self._services = services
        if self._settings.controllers != "off":
            await self._ship(services)
            self._tasks.spawn(self._start_controllers(services), name="controllers")

    def routes(self) -> Sequence[BaseRoute]:
        found = statistics.routes(lambda: self._gateway.statistics if self._gateway is not None else None)
        services = self._services
        if services is None or services.pod_files is not None:
            return found
        return [*found, *logs.routes(services.client, services.home)]

    def pod_routes(self) -> Sequence[BaseRoute]:
        return ()

    async def grpc_handlers(self) -> Sequence[Any]:
        return await self.interceptor.named_handlers()

    async def stop(self) -> None:
        self._leave()
        await self._tasks.close()
        for manager in reversed(self._managers):
            await manager.stop()

    async def _ship(self, services: Services) -> None:
        """Where the cluster is ours, before the first client asks."""
        if services.pod_files is None:
            await ship(services.client, self._settings, is_embedded=True)
        else:
            foreign = services.foreign_definitions
            sending = ship(services.client, self._settings, is_embedded=False, foreign=foreign)
            self._tasks.spawn(sending, name="shipping")

    async def _start_controllers(self, services: Services) -> None:
        around, gateway = await self._start_gateway(services)
        is_embedded, foreign = services.pod_files is None, services.foreign_definitions
        await ship_presets(services.client, is_embedded=is_embedded, foreign=foreign)
        parts: Any = await asyncio.to_thread(importlib.import_module, _PARTS)
        controllers = parts.controllers(around, services.foreign_definitions)
        made = Manager([*parts.scaling(around, gateway), *controllers])
        self._managers.append(made)
        await made.start()

    async def _start_gateway(self, services: Services) -> tuple[Any, Any]:
        """Before the others: requests may be there already. Returns what the controllers are made of, and it."""
        await self.interceptor.asked(services.ready, _LOAD_DELAY_SECONDS)
        try:
            parts: Any = await asyncio.to_thread(importlib.import_module, _GATEWAY)
            around = parts.around(services, self._settings)
            gateway = parts.gateway(around, services)
            made = Manager([gateway])
            self._managers.append(made)
            await made.start()
        except BaseException:
            self.interceptor.close()
            raise
        self._gateway = gateway
        self.interceptor.open(gateway)
        if services.before_pods_end is not None:
            self._leave = services.before_pods_end(gateway.before_pod_ends)
        return around, gateway
