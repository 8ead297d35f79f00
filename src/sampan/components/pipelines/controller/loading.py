"""What of the controllers the component's door needs at once: the hook, and a handle on what loads late.

Light to import. The readers of Argo's language and the reconcilers load when the first Workflow is written, or after
the engine, by name.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from sampan.components import Services
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.api.workflow_kinds import WORKFLOWS
from sampan.components.pipelines.controller.admission import Check, hook
from sampan.components.pipelines.controller.ports import WorkflowEngine
from sampan.kube.admission import MutatingHook

__all__ = ["LateControllers", "WorkflowEngine", "acts_on_workflows", "argo_hook"]

_PARTS = "sampan.components.pipelines.controller.parts"
_CHECKS = "sampan.components.pipelines.controller.checks"


class _Controllers(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class LateControllers:
    """The controllers of one process. For one event loop."""

    def __init__(self, services: Services, engine: WorkflowEngine) -> None:
        self._services = services
        self._engine = engine
        self._controllers: _Controllers | None = None

    async def start(self) -> None:
        parts: Any = await asyncio.to_thread(importlib.import_module, _PARTS)
        self._controllers = parts.controllers(self._services, self._engine)
        await self._controllers.start()

    async def stop(self) -> None:
        if self._controllers is not None:
            await self._controllers.stop()


def acts_on_workflows(settings: PipelineSettings, foreign: frozenset[str]) -> bool:
    if settings.workflows == "auto":
        return WORKFLOWS.key not in foreign
    return settings.workflows == "on"


def argo_hook() -> MutatingHook:
    return hook(_checks)


def _checks() -> Mapping[str, Check]:
    checks: Mapping[str, Check] = importlib.import_module(_CHECKS).CHECKS
    return checks
