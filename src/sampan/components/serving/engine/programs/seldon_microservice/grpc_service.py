"""The microservice's gRPC server. Source: seldon-core 1.18.2 python/seldon_core/wrapper.py (SeldonModelGRPC).

A user's `…_raw` is given the message itself; everything else goes by way of JSON. Imports grpc, so `main` loads it by
its name.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import grpc
import grpc.aio

from sampan.components.serving.engine.programs.seldon_microservice import messages
from sampan.components.serving.engine.programs.seldon_microservice import methods as known
from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonMicroserviceException,
    SeldonNotImplementedError,
)
from sampan.components.serving.engine.programs.seldon_microservice.messages import PACKAGE, message
from sampan.components.serving.engine.programs.seldon_microservice.methods import Methods

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)
_SERVICES: Mapping[str, tuple[str, ...]] = {
    "Generic": ("TransformInput", "TransformOutput", "Route", "Aggregate", "SendFeedback"),
    "Model": ("Predict", "SendFeedback", "Metadata"),
    "Router": ("Route", "SendFeedback"),
    "Transformer": ("TransformInput",),
    "OutputTransformer": ("TransformOutput",),
    "Combiner": ("Aggregate",),
    "Seldon": ("Predict", "SendFeedback", "ModelMetadata"),
}
Call = Callable[[Any], Any]


def server(methods: Methods, metadata: Mapping[str, Any] | None, threads: Executor) -> Any:
    """One that has its services, and is not started."""
    made = grpc.aio.server(options=OPTIONS)
    calls = _calls(methods, metadata)
    for service, names in _SERVICES.items():
        handlers: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(
                _in_thread(calls[name][1], threads),
                request_deserializer=calls[name][0].FromString,
                response_serializer=lambda response: response.SerializeToString(),
            )
            for name in names
        }
        made.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(f"{PACKAGE}.{service}", handlers),)
        )
    return made


def _calls(methods: Methods, metadata: Mapping[str, Any] | None) -> dict[str, tuple[Any, Call]]:
    """By the method's name: what it gets, and what is done."""
    one, listed = message("SeldonMessage"), message("SeldonMessageList")

    def transform(method: str) -> Call:
        return _raw_first(methods, method, lambda given: methods.transform(method, messages.to_json(given)))

    def aggregate(given: Any) -> Any:
        return methods.aggregate([messages.to_json(each) for each in given.seldonMessages])

    def told(_given: Any) -> Any:
        if metadata is None:
            raise SeldonMicroserviceException("Model metadata unavailable", 500)
        return messages.metadata_message(metadata)

    return {
        "Predict": (one, transform(known.PREDICT)),
        "TransformInput": (one, transform(known.TRANSFORM_INPUT)),
        "TransformOutput": (one, transform(known.TRANSFORM_OUTPUT)),
        "Route": (one, _raw_first(methods, "route", lambda given: methods.route(messages.to_json(given)))),
        "Aggregate": (listed, _raw_first(methods, "aggregate", aggregate)),
        "SendFeedback": (
            message("Feedback"),
            _raw_first(
                methods,
                "send_feedback",
                lambda given: methods.send_feedback(messages.feedback_json(given)),
            ),
        ),
        "Metadata": (messages.EMPTY, told),
        "ModelMetadata": (message("SeldonModelMetadataRequest"), told),
    }


def _raw_first(methods: Methods, method: str, otherwise: Call) -> Call:
    def call(given: Any) -> Any:
        for name in (f"{method}_grpc", f"{method}_raw"):
            if not methods.has_own(name):
                continue
            try:
                found = getattr(methods.model, name)(given)
            except SeldonNotImplementedError:
                continue
            answer = messages.from_json(found) if isinstance(found, Mapping) else found
            return _counted(methods, method, answer)
        return messages.from_json(otherwise(given))

    return call


def _counted(methods: Methods, method: str, answer: Any) -> Any:
    """With the metrics that a class wrote into its answer itself."""
    if getattr(answer, "meta", None) is None or not answer.meta.metrics:
        return answer
    if not methods.count_raw(messages.plain_json(answer.meta).get("metrics") or [], method):
        del answer.meta.metrics[:]
    return answer


def _in_thread(call: Call, threads: Executor) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, call, request)
        except SeldonMicroserviceException as error:
            await context.abort(_CODES.get(error.status_code, grpc.StatusCode.INTERNAL), error.message)
        except Exception as error:
            traceback.print_exc()
            await context.abort(grpc.StatusCode.UNKNOWN, f"Exception calling application: {error}")

    return answer


_CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND}
