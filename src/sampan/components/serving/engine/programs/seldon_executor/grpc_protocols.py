"""A graph asked over gRPC in TensorFlow Serving's protocol, and in the Open Inference Protocol.

What a unit answers becomes the next one's request. Imports grpc, so it is loaded by way of `grpc_server`. Source:
seldon-core 1.18.2 executor/api/grpc/{tensorflow,kfserving}/{client,server}.go. Not so here: Regress goes through a
graph, tensors that come as raw bytes go on as such, and whether all is ready is answered; routers and combiners that
are containers have no call in these protocols, which is said (upstream's process ends).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import grpc

from sampan.components.serving.engine.programs.modelserver import grpc_messages
from sampan.components.serving.engine.programs.modelserver.tfserving import messages as tensorflow_messages
from sampan.components.serving.engine.programs.seldon_executor.execution import (
    PREDICT,
    SEND_FEEDBACK,
    TRANSFORM_INPUT,
    TRANSFORM_OUTPUT,
    CallError,
)
from sampan.components.serving.engine.programs.seldon_executor.graph import Unit
from sampan.components.serving.engine.programs.seldon_executor.grpc_calls import Call, Channels

_PREDICTS = (PREDICT, TRANSFORM_INPUT, TRANSFORM_OUTPUT)
_PREDICTION, _MODEL = (
    f"/{each}/" for each in (tensorflow_messages.PREDICTION_SERVICE, tensorflow_messages.MODEL_SERVICE)
)
_INFERENCE = f"/{grpc_messages.SERVICE}/"
_Method = tuple[str, str]
"""The classes of a method's request and answer, by their names."""


class Spoken(Protocol):
    """One of the protocols."""

    through: Mapping[str, _Method]
    """By their full names, the methods that go through the graph."""
    about: Mapping[str, _Method]
    """Those that ask one unit, by its name."""

    def message(self, name: str) -> Any: ...

    def model_of(self, request: Any) -> str:
        """The name that it asks for; empty for none."""
        ...

    def named(self, request: Any, name: str) -> Any:
        """The request, for the model of that name where it says none."""
        ...

    def chained(self, answer: Any, name: str) -> Any:
        """As a request to the model. Raises CallError."""
        ...


class Tensorflow:
    through: Mapping[str, _Method] = {
        f"{_PREDICTION}Predict": ("PredictRequest", "PredictResponse"),
        f"{_PREDICTION}Classify": ("ClassificationRequest", "ClassificationResponse"),
        f"{_PREDICTION}Regress": ("RegressionRequest", "RegressionResponse"),
        f"{_PREDICTION}MultiInference": ("MultiInferenceRequest", "MultiInferenceResponse"),
    }
    about: Mapping[str, _Method] = {
        f"{_PREDICTION}GetModelMetadata": ("GetModelMetadataRequest", "GetModelMetadataResponse"),
        f"{_MODEL}GetModelStatus": ("GetModelStatusRequest", "GetModelStatusResponse"),
    }

    def message(self, name: str) -> Any:
        return tensorflow_messages.message(name)

    def model_of(self, request: Any) -> str:
        # A request with several tasks has a model for each, and goes as it is.
        return str(request.model_spec.name) if "model_spec" in _fields(request) else ""

    def named(self, request: Any, name: str) -> Any:
        if "model_spec" in _fields(request) and not request.model_spec.name:
            request.model_spec.name = name
        return request

    def chained(self, answer: Any, name: str) -> Any:
        if _name(answer) != "PredictResponse":
            raise CallError(
                f"{_name(answer)} is no request: only what Predict answers goes on to another unit",
                payload=grpc.StatusCode.INVALID_ARGUMENT,
            )
        made = self.message("PredictRequest")()
        made.model_spec.name = name
        for key, tensor in answer.outputs.items():
            made.inputs[key].CopyFrom(tensor)
        return made


class Inference:
    through: Mapping[str, _Method] = {f"{_INFERENCE}ModelInfer": ("ModelInferRequest", "ModelInferResponse")}
    about: Mapping[str, _Method] = {
        f"{_INFERENCE}ModelReady": ("ModelReadyRequest", "ModelReadyResponse"),
        f"{_INFERENCE}ModelMetadata": ("ModelMetadataRequest", "ModelMetadataResponse"),
    }

    def message(self, name: str) -> Any:
        return grpc_messages.message(name)

    def model_of(self, request: Any) -> str:
        return str(request.model_name if "model_name" in _fields(request) else request.name)

    def named(self, request: Any, name: str) -> Any:
        request.model_name = request.model_name or name
        return request

    def chained(self, answer: Any, name: str) -> Any:
        made = self.message("ModelInferRequest")(
            model_name=name, id=answer.id, raw_input_contents=answer.raw_output_contents
        )
        for key, value in answer.parameters.items():
            made.parameters[key].CopyFrom(value)
        for tensor in answer.outputs:
            # Fields of the two are the same, by number.
            made.inputs.add().ParseFromString(tensor.SerializeToString())
        return made


def spoken(protocol: str) -> Spoken:
    return Tensorflow() if protocol == "tensorflow" else Inference()


class ProtocolCalls:
    """For one request: implements `execution.Caller`."""

    def __init__(
        self,
        spoken: Spoken,
        channels: Channels,
        metadata: Sequence[tuple[str, Any]],
        seconds: float | None,
        model: str,
    ) -> None:
        """`model` is the name that was asked for, which goes to every unit."""
        self._spoken, self._channels, self._model = spoken, channels, model
        self._metadata, self._seconds = metadata, seconds

    async def ask(self, unit: Unit, method: str, given: Any) -> Any:
        if method == SEND_FEEDBACK:
            return given
        if method not in _PREDICTS:
            raise _unknown(unit, method)
        asked = _name(given)
        path, (_, answer) = next(each for each in self._spoken.through.items() if each[1][0] == asked)
        return await self.call(unit, path, given, answer)

    async def call(self, unit: Unit, path: str, given: Any, answer: str) -> Any:
        """Raises CallError."""
        call = Call(given, self._spoken.message(answer), self._metadata, self._seconds)
        return await self._channels.ask(unit, path, call)

    async def combine(self, unit: Unit, given: Sequence[Any]) -> Any:
        raise _unknown(unit, "aggregate")

    def chained(self, given: Any, unit: Unit) -> Any:
        name = self._model or unit.name
        if any(_name(given) == each[0] for each in self._spoken.through.values()):
            return self._spoken.named(given, name)
        return self._spoken.chained(given, name)

    def to_json(self, given: Any) -> dict[str, Any]:
        raise CallError(
            "built-in units that read numbers are for the protocol seldon",
            payload=grpc.StatusCode.UNIMPLEMENTED,
        )

    def from_json(self, value: Mapping[str, Any]) -> Any:
        return self.to_json(value)

    def route_of(self, answer: Any) -> int:
        return -1

    def routing_of(self, feedback: Any, unit: str) -> int:
        return -1

    def with_routing(self, answer: Any, routing: Mapping[str, int]) -> Any:
        """There is no place for it in these protocols."""
        return answer


def _name(message: Any) -> str:
    return str(message.DESCRIPTOR.name)


def _fields(message: Any) -> Any:
    return message.DESCRIPTOR.fields_by_name


def _unknown(unit: Unit, method: str) -> CallError:
    return CallError(
        f"{unit.name}: this protocol has no call over gRPC to {method}: ask over HTTP, or use the protocol seldon",
        payload=grpc.StatusCode.UNIMPLEMENTED,
    )
