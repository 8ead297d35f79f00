"""TensorFlow Serving's gRPC: PredictionService and ModelService. Loaded by `start`, where gRPC is served.

Source: tensorflow/serving 2.19 tensorflow_serving/apis/{prediction,model}_service.proto,
model_servers/{prediction,model}_service_impl.cc, servables/tensorflow/{predict_util,multi_inference}.cc.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc

from sampan.components.serving.engine.programs.modelserver.tfserving import asking, configuration, examples
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import (
    StatusError,
    code_of,
    invalid,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import (
    MODEL_SERVICE,
    PREDICTION_SERVICE,
    message,
    number_of,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.signatures import DEFAULT
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import from_proto, to_proto
from sampan.components.serving.engine.programs.modelserver.tfserving.versions import Version, Versions

_SIGNATURES = "signature_def"
Method = Callable[[Any], Awaitable[Any]]


class Rpc:
    """For one event loop."""

    def __init__(self, versions: Versions, *, as_content: bool) -> None:
        self._versions = versions
        self._as_content = as_content

    def services(self) -> Sequence[Any]:
        prediction = {
            "Predict": (self.predict, "PredictRequest"),
            "Classify": (self.classify, "ClassificationRequest"),
            "Regress": (self.regress, "RegressionRequest"),
            "MultiInference": (self.multi_inference, "MultiInferenceRequest"),
            "GetModelMetadata": (self.metadata, "GetModelMetadataRequest"),
        }
        model = {
            "GetModelStatus": (self.status, "GetModelStatusRequest"),
            "HandleReloadConfigRequest": (self.reload, "ReloadConfigRequest"),
        }
        return (_handlers(PREDICTION_SERVICE, prediction), _handlers(MODEL_SERVICE, model))

    async def predict(self, request: Any) -> Any:
        version = self._version(request)
        name = request.model_spec.signature_name
        signature = version.signature(name)
        if signature is None:
            raise StatusError("FAILED_PRECONDITION", f'Serving signature key "{name or DEFAULT}" not found.')
        inputs = {alias: from_proto(alias, each) for alias, each in request.inputs.items()}
        asking.check_inputs(signature, inputs)
        for alias, each in signature.defaults.items():
            inputs.setdefault(alias, from_proto(alias, each))
        wanted = list(request.output_filter)
        asking.check_filter(signature, wanted)
        outputs = await asking.run(version, name, inputs)
        response = message("PredictResponse")()
        _tell(response.model_spec, request.model_spec.name, version, name or DEFAULT)
        for each in outputs:
            if not wanted or each.name in wanted:
                response.outputs[each.name].CopyFrom(to_proto(each.data, as_content=self._as_content))
        return response

    async def classify(self, request: Any) -> Any:
        version = self._version(request)
        spec = request.model_spec
        result = await asking.classify(version, spec.signature_name, request.input)
        response = message("ClassificationResponse")(result=result)
        _tell(response.model_spec, spec.name, version, spec.signature_name)
        return response

    async def regress(self, request: Any) -> Any:
        version = self._version(request)
        spec = request.model_spec
        result = await asking.regress(version, spec.signature_name, request.input)
        response = message("RegressionResponse")(result=result)
        _tell(response.model_spec, spec.name, version, spec.signature_name)
        return response

    async def multi_inference(self, request: Any) -> Any:
        tasks = list(request.tasks)
        _check_tasks(tasks)
        version = self._versions.serving(*_asked(tasks[0].model_spec))
        for task in tasks:
            signature = version.signature(task.model_spec.signature_name)
            if signature is None:
                name = task.model_spec.signature_name or DEFAULT
                raise invalid(f"Requested signature not found in model graph: {name}")
            if task.method_name == examples.CLASSIFY:
                examples.check_classify(signature)
            elif task.method_name == examples.REGRESS:
                examples.check_regress(signature)
            else:
                raise StatusError("UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}")
        asked = [
            (asking.classify if task.method_name == examples.CLASSIFY else asking.regress)(
                version, task.model_spec.signature_name, request.input
            )
            for task in tasks
        ]
        response = message("MultiInferenceResponse")()
        for task, result in zip(tasks, await asyncio.gather(*asked), strict=True):
            added = response.results.add()
            is_class = task.method_name == examples.CLASSIFY
            (added.classification_result if is_class else added.regression_result).CopyFrom(result)
            _tell(added.model_spec, task.model_spec.name, version, task.model_spec.signature_name)
        return response

    async def metadata(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for each in request.metadata_field:
            if each != _SIGNATURES:
                raise invalid(f"Metadata field {each} is not supported")
        version = self._version(request)
        response = message("GetModelMetadataResponse")()
        _tell(response.model_spec, request.model_spec.name, version, "")
        response.metadata[_SIGNATURES].Pack(asking.signature_map(version))
        return response

    async def status(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        number = spec.version.value if spec.HasField("version") else None
        return asking.status_response(self._versions, spec.name, number)

    async def reload(self, request: Any) -> Any:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        await self._versions.apply(configuration.models_of(request.config))
        response = message("ReloadConfigResponse")()
        response.status.error_code = number_of("Code", "OK")
        return response

    def _version(self, request: Any) -> Version:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return self._versions.serving(*_asked(request.model_spec))


def _asked(spec: Any) -> tuple[str, int | None, str]:
    choice = spec.WhichOneof("version_choice")
    number = spec.version.value if choice == "version" else None
    return spec.name, number, spec.version_label if choice == "version_label" else ""


def _tell(place: Any, name: str, version: Version, signature: str) -> None:
    place.name, place.signature_name = name, signature
    place.version.value = version.number


def _check_tasks(tasks: Sequence[Any]) -> None:
    if not tasks:
        raise invalid("Inference request must have at least one task.")
    names = [each.model_spec.name for each in tasks]
    if not all(names):
        raise invalid("Found ModelSpec with an empty model name.")
    if len(set(names)) > 1:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    signatures = [each.model_spec.signature_name or DEFAULT for each in tasks]
    for each in signatures:
        if signatures.count(each) > 1:
            raise invalid(f"Duplicate evaluation of signature: {each}")


def _handlers(service: str, methods: Mapping[str, tuple[Method, str]]) -> Any:
    made: dict[str, Any] = {
        name: grpc.unary_unary_rpc_method_handler(
            _guarded(method),
            request_deserializer=message(request).FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
        for name, (method, request) in methods.items()
    }
    return grpc.method_handlers_generic_handler(service, made)


def _guarded(method: Method) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        try:
            return await method(request)
        except Exception as problem:
            code, words = code_of(problem)
            if code == "INTERNAL":
                traceback.print_exception(problem, file=sys.stderr)
            await context.abort(getattr(grpc.StatusCode, code), words)

    return call
