"""The executor's gRPC server: `seldon.protos.Seldon`, or the services of the protocols tensorflow and v2.

Source: seldon-core 1.18.2 executor/api/grpc/{server,seldon/server,kfserving/server,tensorflow/server}.go. Loaded by
`main`, by its name, as it imports grpc.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from sampan.components.serving.engine.programs.modelserver import grpc_messages
from sampan.components.serving.engine.programs.seldon_executor import grpc_protocols
from sampan.components.serving.engine.programs.seldon_executor.events import Event, Events, Sender
from sampan.components.serving.engine.programs.seldon_executor.execution import (
    METADATA,
    CallError,
    Execution,
    Tell,
    graph_metadata,
)
from sampan.components.serving.engine.programs.seldon_executor.graph import Predictor, Unit
from sampan.components.serving.engine.programs.seldon_executor.grpc_calls import (
    OPTIONS,
    Call,
    Channels,
    GrpcCalls,
    code_name,
)
from sampan.components.serving.engine.programs.seldon_executor.metrics import Metrics
from sampan.components.serving.engine.programs.seldon_microservice import messages
from sampan.components.serving.engine.programs.seldon_microservice.messages import PACKAGE, message

_PUID = "seldon-puid"
_PROTOBUF = "application/protobuf"
_OF_THE_CONNECTION = ("grpc-", ":", "user-agent", "te", "content-type", "accept-encoding", "host")
Answer = Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Limits:
    seconds: float = 0
    """Until a unit has to have answered; 0 for any time."""
    message_bytes: int = 0
    """What a request may have at most; 0 for anything."""


class GrpcServer:
    """For one event loop."""

    def __init__(
        self, predictor: Predictor, sender: Sender, events: Events, metrics: Metrics, limits: Limits
    ) -> None:
        self.predictor, self.sender = predictor, sender
        self._events, self.metrics = events, metrics
        self.seconds = limits.seconds or None
        self.channels = Channels(metrics)
        self.injects = bool(os.environ.get("SELDON_ENABLE_ROUTING_INJECTION"))
        self._logs_to = os.environ.get("REQUEST_LOGGER_DEFAULT_ENDPOINT", "")
        sizes = [
            (f"grpc.max_{way}_message_length", limits.message_bytes)
            for way in ("receive", "send")
            if limits.message_bytes
        ]
        options = (("grpc.so_reuseport", 0), *dict([*OPTIONS, *sizes]).items())
        self._server = grpc.aio.server(options=options)
        handler = _seldon(self) if sender.protocol == "seldon" else _Others(self)
        self._server.add_generic_rpc_handlers((handler,))

    async def start(self, port: int) -> int:
        """The port, which is one that is free for 0."""
        found: int = self._server.add_insecure_port(f"0.0.0.0:{port}")
        await self._server.start()
        return found

    async def stop(self) -> None:
        await self._server.stop(5)
        await self.channels.close()

    @property
    def graph(self) -> Unit:
        return self.predictor.graph

    async def begun(self, context: Any) -> tuple[list[tuple[str, Any]], Tell]:
        """What goes to the units with a request, and whom to tell of it."""
        metadata = dict(context.invocation_metadata() or ())
        puid = str(metadata.get(_PUID) or uuid.uuid4())
        await context.send_initial_metadata(((_PUID, puid),))
        given = [*(each for each in passed_on(context) if each[0] != _PUID), (_PUID, puid)]
        is_silent = str(metadata.get("seldon-skip-logging", "")).lower() in ("true", "on", "1")

        def tell(unit: Unit, kind: str, payload: Any) -> None:
            url = unit.logger.url or self._logs_to
            if url and not is_silent:
                told = payload.SerializeToString()
                self._events.put(Event(url, kind, unit.name, puid, told, _PROTOBUF))

        return given, tell

    def guarded(self, method: str, answer: Answer) -> Answer:
        """Counted, and with what fails as gRPC says it."""

        async def call(request: Any, context: Any) -> Any:
            began, code = time.monotonic(), grpc.StatusCode.OK
            try:
                return await answer(request, context)
            except CallError as error:
                told = error.payload if isinstance(error.payload, grpc.StatusCode) else None
                code = told or _CODES.get(error.status, grpc.StatusCode.UNKNOWN)
                await context.abort(code, str(error))
            finally:
                took = time.monotonic() - began
                self.metrics.answered(method, "unary", code_name(code), took)

        return call


class _Seldon:
    """The service of Seldon's own protocol."""

    def __init__(self, server: GrpcServer) -> None:
        self._server = server

    async def predict(self, request: Any, context: Any) -> Any:
        return await (await self._execution(context)).predict(self._server.graph, request)

    async def feedback(self, request: Any, context: Any) -> Any:
        answer = await (await self._execution(context)).feedback(self._server.graph, request)
        # A graph of units that take none answers with what it got.
        return answer if answer.DESCRIPTOR.name == "SeldonMessage" else message("SeldonMessage")()

    async def model_metadata(self, request: Any, context: Any) -> Any:
        unit = _found(self._server.graph, request.name)
        return await self._calls(context).ask(unit, METADATA, None)

    async def graph_metadata(self, request: Any, context: Any) -> Any:
        calls, found = self._calls(context), {}
        for unit in self._server.graph.all():
            if unit.host:
                found[unit.name] = messages.metadata_json(await calls.ask(unit, METADATA, None))
        predictor = self._server.predictor
        whole = graph_metadata(predictor.name, predictor.graph, found)
        return message("SeldonGraphMetadata")(
            name=whole["name"],
            models={name: messages.metadata_message(each) for name, each in found.items()},
            inputs=messages.metadata_message({"inputs": whole["graphinputs"] or []}).inputs,
            outputs=messages.metadata_message({"outputs": whole["graphoutputs"] or []}).outputs,
        )

    def _calls(self, context: Any) -> GrpcCalls:
        return GrpcCalls(self._server.channels, passed_on(context), self._server.seconds)

    async def _execution(self, context: Any) -> Execution[Any]:
        given, tell = await self._server.begun(context)
        calls = GrpcCalls(self._server.channels, given, self._server.seconds)
        return Execution(calls, tell, self._server.injects)


def _seldon(server: GrpcServer) -> Any:
    own = _Seldon(server)
    told: dict[str, tuple[Any, Answer]] = {
        "Predict": (message("SeldonMessage"), own.predict),
        "SendFeedback": (message("Feedback"), own.feedback),
        "ModelMetadata": (message("SeldonModelMetadataRequest"), own.model_metadata),
        "GraphMetadata": (messages.EMPTY, own.graph_metadata),
    }
    handlers: dict[str, Any] = {
        name: grpc.unary_unary_rpc_method_handler(
            server.guarded(f"/{PACKAGE}.Seldon/{name}", answer),
            request_deserializer=request.FromString,
            response_serializer=_written,
        )
        for name, (request, answer) in told.items()
    }
    return grpc.method_handlers_generic_handler(f"{PACKAGE}.Seldon", handlers)


class _Others(grpc.GenericRpcHandler):
    """The protocols tensorflow and v2."""

    def __init__(self, server: GrpcServer) -> None:
        self._server = server
        self._spoken = grpc_protocols.spoken(server.sender.protocol)

    def service(self, handler_call_details: Any) -> Any:
        method, spoken = handler_call_details.method, self._spoken
        if method in spoken.through:
            asked, answer = spoken.through[method]
            return self._handler(method, self._predicted(answer), asked)
        if method in spoken.about:
            asked, answer = spoken.about[method]
            return self._handler(method, self._told(method, answer), asked)
        if not self._server.graph.children and self._server.graph.host:
            return grpc.unary_unary_rpc_method_handler(self._server.guarded(method, self._passing(method)))
        if method.endswith(("/ServerLive", "/ServerReady")):
            name = method.rpartition("/")[2]
            return self._handler(method, self._health(name), f"{name}Request")
        return None

    def _handler(self, method: str, answer: Answer, asked: str) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            self._server.guarded(method, answer),
            request_deserializer=self._spoken.message(asked).FromString,
            response_serializer=_written,
        )

    def _predicted(self, answer: str) -> Answer:
        async def call(request: Any, context: Any) -> Any:
            given, tell = await self._server.begun(context)
            calls = self._calls(given, self._spoken.model_of(request))
            found = await Execution(calls, tell).predict(self._server.graph, request)
            if found.DESCRIPTOR.name != answer:
                raise CallError(f"the graph ends with a {found.DESCRIPTOR.name}: it needs a model")
            return found

        return call

    def _told(self, method: str, answer: str) -> Answer:
        async def call(request: Any, context: Any) -> Any:
            graph, name = self._server.graph, self._spoken.model_of(request)
            # The only one there is may have another name in its server.
            unit = _found(graph, name) if graph.children or not graph.host else graph
            return await self._calls(passed_on(context), name).call(unit, method, request, answer)

        return call

    def _passing(self, method: str) -> Answer:
        async def call(request: bytes, context: Any) -> Any:
            asked = Call(request, None, passed_on(context), self._server.seconds)
            return await self._server.channels.ask(self._server.graph, method, asked)

        return call

    def _health(self, name: str) -> Answer:
        method = f"/{grpc_messages.SERVICE}/ServerReady"

        async def call(request: Any, _context: Any) -> Any:
            if name == "ServerLive":
                return self._spoken.message("ServerLiveResponse")(live=True)
            asked = [
                self._calls([], "").call(each, method, request, "ServerReadyResponse")
                for each in self._server.graph.all()
                if each.host
            ]
            found = await asyncio.gather(*asked, return_exceptions=True)
            is_ready = all(not isinstance(each, BaseException) and each.ready for each in found)
            return self._spoken.message("ServerReadyResponse")(ready=is_ready)

        return call

    def _calls(self, metadata: list[tuple[str, Any]], model: str) -> grpc_protocols.ProtocolCalls:
        server = self._server
        return grpc_protocols.ProtocolCalls(self._spoken, server.channels, metadata, server.seconds, model)


def passed_on(context: Any) -> list[tuple[str, Any]]:
    metadata = context.invocation_metadata() or ()
    return [(key, value) for key, value in metadata if not key.startswith(_OF_THE_CONNECTION)]


def _found(graph: Unit, name: str) -> Unit:
    unit = graph.find(name)
    if unit is None:
        raise CallError(f"Failed to find model {name}", 404)
    return unit


def _written(made: Any) -> bytes:
    found: bytes = made.SerializeToString()
    return found


_CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND}
