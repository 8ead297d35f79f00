"""What a run runs, read once for all tabs that look at it: its graph, and what each of its steps does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.blueprint import Blueprint
from sampan.components.pipelines.ui.graph_model import blueprint_of
from sampan.components.pipelines.ui.spec import reading
from sampan.components.pipelines.ui.spec.step import Step
from sampan.components.pipelines.ui.spec.steps import steps as steps_of
from sampan.ui.context import PageContext


class _Answer(msgspec.Struct):
    pipeline_spec: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(frozen=True, slots=True)
class Plan:
    spec: Mapping[str, Any]
    """As the API answers it."""
    blueprint: Blueprint
    steps: Mapping[str, Step]
    """By path, without the numbers of iterations: `for-loop-1/train`."""

    def step(self, place: str) -> Step | None:
        """`place` is a node's id or a task's path."""
        return self.steps.get("/".join(part for part in place.split("/") if not part.isdigit()))


async def load(page: PageContext, run_id: str) -> Plan:
    """Raises ApiFailureError."""
    reply = await page.api.request("GET", run_actions.path(run_id), query={"view": "SPEC"})
    text = bytes(msgspec.json.decode(reply.body, type=_Answer).pipeline_spec)
    return await asyncio.to_thread(_read, text)


@lru_cache(maxsize=8)
def _read(text: bytes) -> Plan:
    spec: Mapping[str, Any] = msgspec.json.decode(text)
    try:
        known = steps_of(reading.read(spec))
    except PipelinesError:
        # Of an older version of the language: its tasks say enough.
        known = {}
    return Plan(spec, blueprint_of(spec), known)
