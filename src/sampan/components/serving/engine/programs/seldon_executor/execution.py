"""One message's way through a graph, whatever it is written in. Called for each request.

A unit transforms the message or predicts, its children get what came of it, and what they answer goes back through it:
combined, then transformed. Source: seldon-core 1.18.2 executor/predictor/predictor_process.go. Not so here: a route to
a child that there is not is an error of the graph's, not a crash; children that nobody waits for any more are given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from sampan.components.serving.engine.programs.seldon_executor import units
from sampan.components.serving.engine.programs.seldon_executor.graph import (
    COMBINER,
    MODEL,
    OUTPUT_TRANSFORMER,
    ROUTER,
    TRANSFORMER,
    Unit,
)

P = TypeVar("P")
PREDICT, TRANSFORM_INPUT, TRANSFORM_OUTPUT = "predict", "transform-input", "transform-output"
ROUTE, AGGREGATE, SEND_FEEDBACK = "route", "aggregate", "send-feedback"
STATUS, METADATA = "status", "metadata"
ALL, NONE = -1, -2
"""Routes: to every child, and to none."""
REQUEST, RESPONSE, FEEDBACK = "request", "response", "feedback"


class CallError(Exception):
    """A unit has no answer. `payload` is what it said instead, where it said something."""

    def __init__(self, message: str, status: int = 500, payload: Any = None) -> None:
        super().__init__(message)
        self.status, self.payload = status, payload


class Caller(Protocol[P]):
    async def ask(self, unit: Unit, method: str, given: P | None) -> P:
        """Raises CallError."""
        ...

    async def combine(self, unit: Unit, given: Sequence[P]) -> P: ...

    def chained(self, given: P, unit: Unit) -> P:
        """An answer as the request of the next unit. Raises CallError."""
        ...

    def to_json(self, given: P) -> dict[str, Any]: ...

    def from_json(self, value: Mapping[str, Any]) -> P: ...

    def route_of(self, answer: P) -> int: ...

    def routing_of(self, feedback: P, unit: str) -> int: ...

    def with_routing(self, answer: P, routing: Mapping[str, int]) -> P: ...


Tell = Callable[[Unit, str, Any], None]
"""(unit, REQUEST or RESPONSE or FEEDBACK, payload)."""


@dataclass(slots=True)
class Execution(Generic[P]):
    caller: Caller[P]
    tell: Tell
    injects_routing: bool = False
    routing: dict[str, int] = field(default_factory=dict)

    async def predict(self, unit: Unit, given: P) -> P:
        """Raises CallError."""
        answer = await self._predict(unit, given)
        return self.caller.with_routing(answer, self.routing) if self.injects_routing else answer

    async def feedback(self, unit: Unit, given: P) -> P:
        """Raises CallError."""
        if unit.logger.tells_responses:
            self.tell(unit, FEEDBACK, given)
        if unit.children:
            route = self.caller.routing_of(given, unit.name)
            chosen = unit.children if route in (ALL, NONE) else (self._child(unit, route),)
            await _together([self.feedback(child, given) for child in chosen])
        is_built_in = unit.implementation in units.BUILT_IN
        if not is_built_in and unit.does("SEND_FEEDBACK", MODEL, ROUTER):
            return await self.caller.ask(unit, SEND_FEEDBACK, given)
        return given

    async def _predict(self, unit: Unit, given: P) -> P:
        transformed = await self._into(unit, given)
        return await self._out_of(unit, await self._children(unit, transformed))

    async def _into(self, unit: Unit, given: P) -> P:
        if unit.implementation == units.SIMPLE_MODEL:
            return self.caller.from_json(units.predicted(self.caller.to_json(given)))
        if unit.implementation in units.BUILT_IN:
            return given
        transforms = unit.does("TRANSFORM_INPUT", TRANSFORMER)
        if not transforms and unit.kind != MODEL:
            return given
        given = self.caller.chained(given, unit)
        self.routing[unit.name] = ALL
        return await self._told(
            unit, given, self.caller.ask(unit, TRANSFORM_INPUT if transforms else PREDICT, given)
        )

    async def _out_of(self, unit: Unit, given: P) -> P:
        if not unit.does("TRANSFORM_OUTPUT", OUTPUT_TRANSFORMER) or unit.implementation in units.BUILT_IN:
            return given
        given = self.caller.chained(given, unit)
        return await self._told(unit, given, self.caller.ask(unit, TRANSFORM_OUTPUT, given))

    async def _children(self, unit: Unit, given: P) -> P:
        if not unit.children:
            return given
        if unit.logger.tells_requests:
            self.tell(unit, REQUEST, given)
        route = await self._route(unit, given)
        self.routing[unit.name] = route
        if route == NONE:
            return given
        chosen = unit.children if route == ALL else (self._child(unit, route),)
        answers = await _together([self._predict(child, given) for child in chosen])
        answer = await self._combined(unit, answers)
        if unit.logger.tells_responses:
            self.tell(unit, RESPONSE, answer)
        return answer

    async def _route(self, unit: Unit, given: P) -> int:
        if unit.implementation == units.RANDOM_ABTEST:
            try:
                return units.chosen(unit, units.point())
            except units.UnitError as error:
                raise CallError(str(error)) from error
        if unit.implementation == units.SIMPLE_ROUTER:
            return 0
        if unit.implementation not in units.BUILT_IN and unit.does("ROUTE", ROUTER):
            return self.caller.route_of(await self.caller.ask(unit, ROUTE, given))
        return ALL

    async def _combined(self, unit: Unit, answers: Sequence[P]) -> P:
        if unit.implementation == units.AVERAGE_COMBINER:
            try:
                return self.caller.from_json(
                    units.averaged(unit, [self.caller.to_json(each) for each in answers])
                )
            except units.UnitError as error:
                raise CallError(str(error), 400) from error
        if unit.implementation not in units.BUILT_IN and unit.does("AGGREGATE", COMBINER):
            self.routing[unit.name] = ALL
            return await self.caller.combine(unit, answers)
        return answers[0]

    async def _told(self, unit: Unit, given: P, asked: Any) -> P:
        if unit.logger.tells_requests:
            self.tell(unit, REQUEST, given)
        answer: P = await asked
        if unit.logger.tells_responses:
            self.tell(unit, RESPONSE, answer)
        return answer

    def _child(self, unit: Unit, route: int) -> Unit:
        if not 0 <= route < len(unit.children):
            raise CallError(f"{unit.name} routes to child {route}, and has {len(unit.children)} of them")
        return unit.children[route]


async def _together(calls: Sequence[Any]) -> list[Any]:
    """What they give, in order; the first that fails, fails all."""
    if len(calls) == 1:
        return [await calls[0]]
    tasks = [asyncio.ensure_future(each) for each in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def graph_metadata(name: str, graph: Unit, models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a whole predictor says of itself, from what its units say. Source: executor/predictor/metadata.go."""
    first, last = _edges(graph, models)
    return {
        "name": name,
        "models": dict(models),
        "graphinputs": first.get("inputs"),
        "graphoutputs": last.get("outputs"),
    }


def _edges(
    unit: Unit, models: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    own = models.get(unit.name, {})
    if not unit.children:
        return own, own
    first, last = _edges(unit.children[0], models)
    if unit.kind in (MODEL, TRANSFORMER):
        return own, last
    if unit.kind in (OUTPUT_TRANSFORMER, COMBINER):
        return first, own
    return first, last
