"""Units asked over gRPC. Imports grpc, so `main` loads it by way of `grpc_server`, by name.

Source: seldon-core 1.18.2 executor/api/grpc/{client,seldon/client}.go.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from sampan.components.serving.engine.programs.seldon_executor.execution import (
    AGGREGATE,
    METADATA,
    PREDICT,
    ROUTE,
    SEND_FEEDBACK,
    TRANSFORM_INPUT,
    TRANSFORM_OUTPUT,
    CallError,
)
from sampan.components.serving.engine.programs.seldon_executor.graph import Unit
from sampan.components.serving.engine.programs.seldon_executor.metrics import Metrics
from sampan.components.serving.engine.programs.seldon_microservice import messages
from sampan.components.serving.engine.programs.seldon_microservice.messages import PACKAGE, message

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_METHODS = {
    PREDICT: ("Model", "Predict", "SeldonMessage"),
    TRANSFORM_INPUT: ("Transformer", "TransformInput", "SeldonMessage"),
    TRANSFORM_OUTPUT: ("OutputTransformer", "TransformOutput", "SeldonMessage"),
    ROUTE: ("Router", "Route", "SeldonMessage"),
    AGGREGATE: ("Combiner", "Aggregate", "SeldonMessage"),
    SEND_FEEDBACK: ("Model", "SendFeedback", "SeldonMessage"),
    METADATA: ("Model", "Metadata", "SeldonModelMetadata"),
}
_OTHER_NAMES = {"OK": "OK", "CANCELLED": "Canceled"}


def code_name(code: Any) -> str:
    """As Go's clients of gRPC write it, and so upstream's metrics."""
    return _OTHER_NAMES.get(code.name) or "".join(each.capitalize() for each in code.name.split("_"))


class Channels:
    """For one event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._made: dict[tuple[str, int], Any] = {}

    async def ask(self, unit: Unit, method: str, call: Call) -> Any:
        """`method` is the full name, with a slash before it. Raises CallError."""
        if not unit.host or not unit.grpc_port:
            raise CallError(f"{unit.name} has no container to ask")
        asked = self._of(unit).unary_unary(
            method, request_serializer=call.write, response_deserializer=call.read
        )
        began, code = time.monotonic(), grpc.StatusCode.OK
        try:
            return await asked(call.given, metadata=call.metadata, timeout=call.seconds, wait_for_ready=False)
        except grpc.aio.AioRpcError as error:
            code, told = error.code(), error.details() or ""
            # What a unit says itself stays as it is.
            is_ours = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            raise CallError(f"{unit.name}: {told}" if is_ours else told, 500, code) from error
        finally:
            self._metrics.asked(unit, method, "unary", code_name(code), time.monotonic() - began)

    def _of(self, unit: Unit) -> Any:
        where = unit.host, unit.grpc_port
        if where not in self._made:
            self._made[where] = grpc.aio.insecure_channel(f"{where[0]}:{where[1]}", options=OPTIONS)
        return self._made[where]

    async def close(self) -> None:
        for channel in self._made.values():
            await channel.close(None)


class Call:
    """A request to a unit: what it says, and how it is written and its answer read."""

    def __init__(
        self, given: Any, answer: Any, metadata: Sequence[tuple[str, Any]], seconds: float | None
    ) -> None:
        """`answer` is a class of messages; None for bytes that go as they are."""
        self.given, self.metadata, self.seconds = given, metadata, seconds
        self.write = None if answer is None else _written
        self.read = None if answer is None else answer.FromString


def _written(made: Any) -> bytes:
    found: bytes = made.SerializeToString()
    return found


class GrpcCalls:
    """For one request: implements `execution.Caller`; messages are those of `seldon.protos`."""

    def __init__(
        self, channels: Channels, metadata: Sequence[tuple[str, Any]], seconds: float | None
    ) -> None:
        self._channels, self._metadata, self._seconds = channels, metadata, seconds

    async def ask(self, unit: Unit, method: str, given: Any) -> Any:
        service, name, answer = _METHODS[method]
        asked = messages.EMPTY() if given is None else given
        call = Call(asked, message(answer), self._metadata, self._seconds)
        return await self._channels.ask(unit, f"/{PACKAGE}.{service}/{name}", call)

    async def combine(self, unit: Unit, given: Sequence[Any]) -> Any:
        return await self.ask(unit, AGGREGATE, message("SeldonMessageList")(seldonMessages=given))

    def chained(self, given: Any, _unit: Unit) -> Any:
        return given

    def to_json(self, given: Any) -> dict[str, Any]:
        return messages.to_json(given)

    def from_json(self, value: Mapping[str, Any]) -> Any:
        try:
            return messages.from_json(value)
        except ValueError as error:
            raise CallError(str(error)) from error

    def route_of(self, answer: Any) -> int:
        data = messages.to_json(answer).get("data") or {}
        found: Any = data["tensor"]["values"] if "tensor" in data else data.get("ndarray")
        while isinstance(found, list) and found:
            found = found[0]
        return int(found) if isinstance(found, int | float) else -1

    def routing_of(self, feedback: Any, unit: str) -> int:
        routing = feedback.response.meta.routing
        return int(routing[unit]) if unit in routing else -1

    def with_routing(self, answer: Any, routing: Mapping[str, int]) -> Any:
        answer.meta.routing.update(routing)
        return answer
