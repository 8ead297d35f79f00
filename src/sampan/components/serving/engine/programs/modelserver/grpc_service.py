"""The Open Inference Protocol over gRPC, on a port of its own in the same loop: models, lanes and counts are the same.

Loaded by `serving`, by name: an environment may have no grpcio. Statuses are kserve's.
Source: kserve 0.20 python/kserve/kserve/protocol/grpc/{server,servicer,interceptors}.py; of ModelStreamInfer,
triton-inference-server/server docs/protocol/extension_statistics.md and src/grpc/stream_infer_handler.cc.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
import orjson

from sampan.components.serving.engine.programs.modelserver import grpc_inference
from sampan.components.serving.engine.programs.modelserver.application import (
    EXTENSIONS,
    NAME,
    VERSION,
    Answered,
    Application,
)
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.control import Control
from sampan.components.serving.engine.programs.modelserver.failures import answer_of, status_of
from sampan.components.serving.engine.programs.modelserver.grpc_messages import (
    HEALTH_SERVICE,
    SERVICE,
    message,
)
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.statistics import triton

_STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_SERVING, _NOT_SERVING = 1, 2


async def start(
    arguments: Arguments, application: Application, repository: Repository, control: Control
) -> Any:
    """The server, or None where its port is taken."""
    longest = arguments.grpc_message_bytes or arguments.max_body_bytes
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", longest),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(arguments.workers > 1)),
        )
    )
    service = Service(application, repository, control)
    server.add_generic_rpc_handlers((_handlers(SERVICE, service.methods(), service.stream),))
    server.add_generic_rpc_handlers((_handlers(HEALTH_SERVICE, {"Check": service.health}, None),))
    if repository.extension is not None:
        server.add_generic_rpc_handlers(tuple(repository.extension.services()))
    try:
        server.add_insecure_port(f"{arguments.host or '0.0.0.0'}:{arguments.grpc_port}")  # noqa: S104
        if socket := arguments.options.get("grpc_socket_path"):
            server.add_insecure_port(f"unix:{socket}")
        await server.start()
    except RuntimeError as error:
        print(f"gRPC is not served: {error}", file=sys.stderr, flush=True)
        return None
    return server


class Service:
    """For one event loop."""

    def __init__(self, application: Application, repository: Repository, control: Control) -> None:
        self._application = application
        self._repository = repository
        self._control = control

    def methods(self) -> Mapping[str, Callable[[Any, Any], Awaitable[Any]]]:
        return {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": self.infer,
            "RepositoryIndex": self.index,
            "RepositoryModelLoad": self.load,
            "RepositoryModelUnload": self.unload,
            "ModelStatistics": self.statistics,
        }

    async def health(self, request: Any, context: Any) -> Any:
        status = _SERVING if self._application.is_ready() else _NOT_SERVING
        return message("HealthCheckResponse")(status=status)

    async def server_live(self, request: Any, context: Any) -> Any:
        return message("ServerLiveResponse")(live=True)

    async def server_ready(self, request: Any, context: Any) -> Any:
        return message("ServerReadyResponse")(ready=self._application.is_ready())

    async def server_metadata(self, request: Any, context: Any) -> Any:
        return message("ServerMetadataResponse")(name=NAME, version=VERSION, extensions=EXTENSIONS)

    async def model_ready(self, request: Any, context: Any) -> Any:
        self._repository.known(request.name)
        states = {each["name"]: each["state"] for each in self._repository.index(only_ready=True)}
        return message("ModelReadyResponse")(ready=request.name in states)

    async def model_metadata(self, request: Any, context: Any) -> Any:
        metadata = self._repository.described(request.name).metadata
        response = message("ModelMetadataResponse")(
            name=request.name, versions=metadata.versions, platform=metadata.platform
        )
        for place, specs in ((response.inputs, metadata.inputs), (response.outputs, metadata.outputs)):
            for each in specs:
                place.add(name=each.name, datatype=each.datatype, shape=each.shape)
        return response

    async def infer(self, request: Any, context: Any) -> Any:
        begin = time.perf_counter()
        served = self._repository.ready(request.model_name)
        status = 200
        try:
            inference = grpc_inference.read(request)
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            read = time.perf_counter()
            self._application.submit(
                served,
                inference,
                headers,
                lambda outcome: None if future.done() else future.set_result(outcome),
            )
            outcome = await future
            ran = time.perf_counter()
            if isinstance(outcome, BaseException):
                raise outcome
            told: Mapping[str, Any] = {}
            if isinstance(outcome, Answered):
                outcome, told = outcome.value, outcome.parameters
            response = grpc_inference.write(
                served.name, request.model_version, inference, outcome, raw=bool(request.raw_input_contents)
            )
            for key, value in told.items():
                grpc_inference.set_parameter(response.parameters[key], value)
            served.statistics.observe("preprocess", read - begin)
            served.statistics.observe("predict", ran - read)
            end = time.perf_counter()
            served.statistics.observe("postprocess", end - ran)
            self._application.log.answered(headers, read - begin, ran - read, end - ran)
        except Exception as problem:
            status = status_of(problem)
            raise
        finally:
            served.statistics.answered(status, time.perf_counter() - begin)
        return response

    async def stream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Each is answered in its turn; a failure is an answer too, and the stream goes on."""
        made = message("ModelStreamInferResponse")
        async for request in requests:
            try:
                yield made(infer_response=await self.infer(request, context))
            except Exception as problem:
                response = made(error_message=_text_of(problem)[1])
                response.infer_response.id = request.id
                response.infer_response.model_name = request.model_name
                yield response

    async def index(self, request: Any, context: Any) -> Any:
        response = message("RepositoryIndexResponse")()
        for each in self._repository.index(only_ready=request.ready):
            response.models.add(**each)
        return response

    async def load(self, request: Any, context: Any) -> Any:
        name = request.triton_model_name or request.model_name
        await self._control.everywhere("load", name)
        return message("RepositoryModelLoadResponse")(model_name=name, isLoaded=True)

    async def unload(self, request: Any, context: Any) -> Any:
        name = request.triton_model_name or request.model_name
        await self._control.everywhere("unload", name)
        return message("RepositoryModelUnloadResponse")(model_name=name, isUnloaded=True)

    async def statistics(self, request: Any, context: Any) -> Any:
        if request.name:
            self._repository.known(request.name)
        response = message("ModelStatisticsResponse")()
        for name, found in (await self._control.statistics())[0].items():
            if request.name in ("", name):
                response.model_stats.append(
                    message("ModelStatistics")(**triton(name, request.version, found))
                )
        return response


def _handlers(service: str, methods: Mapping[str, Callable[[Any, Any], Awaitable[Any]]], stream: Any) -> Any:
    made: dict[str, Any] = {
        name: grpc.unary_unary_rpc_method_handler(
            _guarded(method),
            request_deserializer=_request_of(name).FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
        for name, method in methods.items()
    }
    if stream is not None:
        made["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(
            stream,
            request_deserializer=message("ModelInferRequest").FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
    return grpc.method_handlers_generic_handler(service, made)


def _request_of(method: str) -> Any:
    return message("HealthCheckRequest" if method == "Check" else f"{method}Request")


def _guarded(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        try:
            return await method(request, context)
        except Exception as problem:
            code, text = _text_of(problem)
            await context.abort(code, text)

    return call


def _text_of(problem: Exception) -> tuple[grpc.StatusCode, str]:
    answer = answer_of(problem)
    return _STATUSES.get(answer.status, grpc.StatusCode.INTERNAL), _message(answer.body)


def _message(body: bytes) -> str:
    """Of an answer of `application`."""
    return str(orjson.loads(body)["error"])
