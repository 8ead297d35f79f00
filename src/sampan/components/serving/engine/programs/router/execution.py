"""One request's way through a graph.

Called by `main` for each request. Source: kserve 0.20 cmd/router/main.go (routeStep, handleSplitterORSwitchNode): the
codes and texts are its. A step that cannot be reached fails the whole graph with 500, be it soft or hard; a step that
answers with an error counts by its dependency. Not so here: steps of an ensemble that nobody waits for any more are
given up, and nodes that lead to themselves end.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sampan.components.serving.engine.programs.router.conditions import INVALID, document, holds
from sampan.components.serving.engine.programs.router.graph import (
    ENSEMBLE,
    SEQUENCE,
    SPLITTER,
    SWITCH,
    Graph,
    Node,
    Step,
)
from sampan.components.serving.engine.programs.wire.heads import Headers

_MOST_DEPTH = 64
"""Of nodes within nodes."""
RESPONSE = "$response"


class GraphError(Exception):
    """The graph has no answer. `status` counts at the root alone: within a node it is 500."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Outcome:
    body: bytes
    status: int
    content_type: str = "application/json"

    @property
    def is_success(self) -> bool:
        return 200 <= self.status <= 299


class Caller(Protocol):
    async def call(self, url: str, body: bytes, headers: Headers) -> tuple[bytes, int, str]:
        """Raises CallError."""
        ...


class Execution:
    """Of one request. `headers` are those that every step gets."""

    def __init__(self, graph: Graph, services: Caller, headers: Headers) -> None:
        self._graph, self._services, self._headers = graph, services, headers

    async def node(self, name: str, data: bytes, depth: int = 0) -> Outcome:
        """Raises GraphError, CallError."""
        node = self._graph.nodes.get(name, Node(""))
        if depth >= _MOST_DEPTH:
            raise GraphError(f"nodes lead to nodes more than {_MOST_DEPTH} deep")
        if node.kind == SPLITTER:
            return await self._step(picked_by_weight(node.steps, secrets.randbelow(100)), data, depth)
        if node.kind == SWITCH:
            return await self._step(picked_by_condition(node.steps, data), data, depth)
        if node.kind == ENSEMBLE:
            return await self._ensemble(node.steps, data, depth)
        if node.kind == SEQUENCE:
            return await self._sequence(node.steps, data, depth)
        raise GraphError(f"invalid route type: {node.kind}")

    async def _step(self, step: Step, data: bytes, depth: int) -> Outcome:
        if step.node:
            try:
                return await self.node(step.node, data, depth + 1)
            except GraphError as error:
                raise GraphError(str(error)) from error
        return Outcome(*await self._services.call(step.url, data, self._headers))

    async def _sequence(self, steps: Sequence[Step], data: bytes, depth: int) -> Outcome:
        outcome = Outcome(b"", 0)
        for number, step in enumerate(steps):
            request = outcome.body if step.data == RESPONSE and number else data
            if step.maps_predictions:
                request = with_instances(request)
            if step.condition:
                found = document(outcome.body)
                if found is INVALID:
                    raise GraphError("invalid response")
                if not holds(found, step.condition):
                    return Outcome(outcome.body, 200, outcome.content_type)
            outcome = await self._step(step, request, depth)
            if step.is_hard and not outcome.is_success:
                break
        return outcome

    async def _ensemble(self, steps: Sequence[Step], data: bytes, depth: int) -> Outcome:
        tasks = [asyncio.ensure_future(self._member(step, data, depth)) for step in steps]
        try:
            merged: dict[str, Any] = {}
            for number, (step, task) in enumerate(zip(steps, tasks, strict=True)):
                await _first_of(task, tasks)
                outcome, value = task.result()
                if step.is_hard and not outcome.is_success:
                    return Outcome(_written(value), outcome.status)
                merged[step.name or str(number)] = value
            return Outcome(_written(merged), 200)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _member(self, step: Step, data: bytes, depth: int) -> tuple[Outcome, Any]:
        outcome = await self._step(step, data, depth)
        value = document(outcome.body)
        if value is INVALID:
            raise GraphError("unexpected end of JSON input" if not outcome.body else "the answer is no JSON")
        if value is not None and not isinstance(value, dict):
            kind = "array" if isinstance(value, list) else type(value).__name__
            raise GraphError(f"json: cannot unmarshal {kind} into a value of type object")
        return outcome, value


async def _first_of(task: asyncio.Task[Any], tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Until `task` is done. Whichever of them fails before fails it: raises what that raised."""
    while not task.done():
        await asyncio.wait([each for each in tasks if not each.done()], return_when=asyncio.FIRST_COMPLETED)
        for each in tasks:
            if each.done() and (error := each.exception()) is not None:
                raise error


def picked_by_weight(steps: Sequence[Step], point: int) -> Step:
    """`point` is one of a hundred. Raises GraphError."""
    end = 0
    for step in steps:
        end += step.weight
        if point < end:
            return step
    raise GraphError("no route was selected by the splitter")


def picked_by_condition(steps: Sequence[Step], data: bytes) -> Step:
    """The first whose condition finds something. Raises GraphError with 404."""
    value = document(data)
    if value is not INVALID:
        for step in steps:
            if holds(value, step.condition):
                return step
    raise GraphError("None of the routes matched with the switch condition", 404)


def with_instances(data: bytes) -> bytes:
    """A request whose instances are the predictions of an answer; anything else as it is."""
    value = document(data)
    if not isinstance(value, dict):
        return data
    predictions, instances = value.get("predictions"), value.get("instances")
    if not isinstance(predictions, list) or not predictions or not isinstance(instances, list | None):
        return data
    return _written({"instances": predictions})


def _written(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")
