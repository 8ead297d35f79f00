"""The executor's gRPC server: `seldon.protos.Seldon`; other protocols' calls are passed on, in a graph of one unit.

Source: seldon-core 1.18.2 executor/api/grpc/{server,seldon/server,kfserving/server,tensorflow/server}.go. Loaded by
`main`, by its name, as it imports grpc.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from sampan.components.serving.engine.programs.seldon_executor.events import Event, Events, Sender
from sampan.components.serving.engine.programs.seldon_executor.execution import (
    METADATA,
    CallError,
    Execution,
    graph_metadata,
)
from sampan.components.serving.engine.programs.seldon_executor.graph import Predictor, Unit
from sampan.components.serving.engine.programs.seldon_executor.grpc_calls import OPTIONS, Channels, GrpcCalls
from sampan.components.serving.engine.programs.seldon_microservice import messages
from sampan.components.serving.engine.programs.seldon_microservice.messages import PACKAGE, message

_PUID = "seldon-puid"
_OF_THE_CONNECTION = ("grpc-", ":", "user-agent", "te", "content-type", "accept-encoding", "host")
Answer = Callable[[Any, Any], Awaitable[Any]]


class GrpcServer:
    """For one event loop."""

    def __init__(self, predictor: Predictor, sender: Sender, events: Events, seconds: float) -> None:
        self._predictor, self._sender, self._events = predictor, sender, events
        self._seconds = seconds or None
        self._channels = Channels()
        self._injects = bool(os.environ.get("SELDON_ENABLE_ROUTING_INJECTION"))
        self._logs_to = os.environ.get("REQUEST_LOGGER_DEFAULT_ENDPOINT", "")
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0), *OPTIONS))
        handler = self._seldon() if sender.protocol == "seldon" else _Passing(self)
        self._server.add_generic_rpc_handlers((handler,))

    async def start(self, port: int) -> None:
        self._server.add_insecure_port(f"0.0.0.0:{port}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(5)
        await self._channels.close()

    @property
    def graph(self) -> Unit:
        return self._predictor.graph

    def channel(self, unit: Unit) -> Any:
        return self._channels.of(unit)

    def _seldon(self) -> Any:
        told: dict[str, tuple[Any, Answer]] = {
            "Predict": (message("SeldonMessage"), self._predict),
            "SendFeedback": (message("Feedback"), self._feedback),
            "ModelMetadata": (message("SeldonModelMetadataRequest"), self._model_metadata),
            "GraphMetadata": (messages.EMPTY, self._graph_metadata),
        }
        handlers: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(
                _guarded(answer),
                request_deserializer=request.FromString,
                response_serializer=lambda response: response.SerializeToString(),
            )
            for name, (request, answer) in told.items()
        }
        return grpc.method_handlers_generic_handler(f"{PACKAGE}.Seldon", handlers)

    async def _predict(self, request: Any, context: Any) -> Any:
        return await (await self._execution(context)).predict(self.graph, request)

    async def _feedback(self, request: Any, context: Any) -> Any:
        answer = await (await self._execution(context)).feedback(self.graph, request)
        # A graph of units that take none answers with what it got.
        return answer if answer.DESCRIPTOR.name == "SeldonMessage" else message("SeldonMessage")()

    async def _model_metadata(self, request: Any, context: Any) -> Any:
        unit = self.graph.find(request.name)
        if unit is None:
            raise CallError(f"Failed to find model {request.name}", 404)
        return await GrpcCalls(self._channels, passed_on(context), self._seconds).ask(unit, METADATA, None)

    async def _graph_metadata(self, request: Any, context: Any) -> Any:
        calls, found = GrpcCalls(self._channels, passed_on(context), self._seconds), {}
        for unit in self.graph.all():
            if unit.host:
                found[unit.name] = messages.metadata_json(await calls.ask(unit, METADATA, None))
        whole = graph_metadata(self._predictor.name, self.graph, found)
        return message("SeldonGraphMetadata")(
            name=whole["name"],
            models={name: messages.metadata_message(each) for name, each in found.items()},
            inputs=messages.metadata_message({"inputs": whole["graphinputs"] or []}).inputs,
            outputs=messages.metadata_message({"outputs": whole["graphoutputs"] or []}).outputs,
        )

    async def _execution(self, context: Any) -> Execution[Any]:
        metadata = dict(context.invocation_metadata() or ())
        puid = str(metadata.get(_PUID) or uuid.uuid4())
        await context.send_initial_metadata(((_PUID, puid),))
        given = [*(each for each in passed_on(context) if each[0] != _PUID), (_PUID, puid)]
        is_silent = str(metadata.get("seldon-skip-logging", "")).lower() in ("true", "on", "1")

        def tell(unit: Unit, kind: str, payload: Any) -> None:
            url = unit.logger.url or self._logs_to
            if url and not is_silent:
                is_feedback = payload.DESCRIPTOR.name == "Feedback"
                body = messages.feedback_json(payload) if is_feedback else messages.to_json(payload)
                told = json.dumps(body, default=str).encode()
                self._events.put(Event(url, kind, unit.name, puid, told, "application/json"))

        return Execution(GrpcCalls(self._channels, given, self._seconds), tell, self._injects)


class _Passing(grpc.GenericRpcHandler):
    """Calls of TensorFlow Serving's and of the Open Inference Protocol: bytes in, bytes out."""

    def __init__(self, server: GrpcServer) -> None:
        self._server = server

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method

        async def passed(request: bytes, context: Any) -> bytes:
            unit = self._server.graph
            if unit.children or not unit.host:
                await context.abort(
                    grpc.StatusCode.UNIMPLEMENTED,
                    "gRPC of this protocol is for graphs of one model: ask over HTTP, or use the protocol seldon",
                )
            call = self._server.channel(unit).unary_unary(method)
            try:
                found: bytes = await call(
                    request, metadata=passed_on(context), timeout=context.time_remaining()
                )
                return found
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
                raise

        return grpc.unary_unary_rpc_method_handler(passed)


def passed_on(context: Any) -> list[tuple[str, Any]]:
    metadata = context.invocation_metadata() or ()
    return [(key, value) for key, value in metadata if not key.startswith(_OF_THE_CONNECTION)]


def _guarded(answer: Answer) -> Answer:
    async def call(request: Any, context: Any) -> Any:
        try:
            return await answer(request, context)
        except CallError as error:
            code = error.payload if isinstance(error.payload, grpc.StatusCode) else _CODES.get(error.status)
            await context.abort(code or grpc.StatusCode.UNKNOWN, str(error))

    return call


_CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND}
