"""A model of a user's class as the server sees it: an Opaque. The class may be ours or the official package's."""

from __future__ import annotations

import importlib
import inspect
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver.application import Answered
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    ModelError,
    Tensor,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.custom import stand_in
from sampan.components.serving.engine.programs.modelserver.custom.inference import InferRequest, tensors_of
from sampan.components.serving.engine.programs.modelserver.custom.model import InferenceVerb, Model
from sampan.components.serving.engine.programs.modelserver.custom.predictor import PredictorConfig
from sampan.components.serving.engine.programs.modelserver.custom.problems import converted
from sampan.components.serving.engine.programs.modelserver.loaders import of_class
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.v2 import Inference


class Adapter:
    """Implements `contract.Opaque`."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._is_ours = isinstance(model, Model)
        self._observe: Callable[[str, float], None] = lambda phase, seconds: None
        self.metadata = Metadata(
            model.name, "", _specs(model, "get_input_types"), _specs(model, "get_output_types")
        )

    @property
    def ready(self) -> bool:
        return bool(getattr(self._model, "ready", True))

    async def is_ready(self) -> bool:
        """With what it asks, where it is told to look."""
        return self.ready and (await self._model.is_predictor_ready() if self._is_ours else True)

    def observed_by(self, observe: Callable[[str, float], None]) -> None:
        self._observe = observe
        if self._is_ours:
            self._model._observe = observe

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        response, more = await self._call(body, headers, verb)
        to_rest = getattr(response, "to_rest", None)
        if to_rest is not None:
            response = to_rest()
            response = response[0] if isinstance(response, tuple) else response
        return Answered(response, more)

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]:
        answered = await self.infer(Inference("", list(inputs), dict(parameters)), headers)
        found: Sequence[Tensor] = answered.value
        return found

    async def infer(self, inference: Inference, headers: Mapping[str, str]) -> Answered:
        """V2 whole: with the id and the outputs that were asked for."""
        request = self._request(inference)
        response, more = await self._call(request, headers, "predict")
        try:
            parameters = response.get("parameters") if isinstance(response, dict) else response.parameters
            return Answered(tensors_of(response), more, _plain(parameters))
        except Exception as problem:
            raise converted(problem) from problem

    async def openai(self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        raise ModelError(f"Model with name {self._model.name} is no language model.")

    def close(self) -> None:
        stop = getattr(self._model, "stop", None)
        if callable(stop):
            stop()

    async def _call(self, body: Any, headers: Mapping[str, str], verb: str) -> tuple[Any, dict[str, str]]:
        verbs = InferenceVerb
        if not self._is_ours:
            verbs = importlib.import_module("kserve.model").InferenceVerb
        begin = time.perf_counter()
        try:
            # A copy, for models leave notes to themselves in it.
            found = await self._model(body, headers=dict(headers), verb=verbs[verb.upper()])
        except Exception as problem:
            changed = converted(problem)
            if changed is problem:
                raise
            raise changed from problem
        if not self._is_ours:
            self._observe(verb, time.perf_counter() - begin)
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict):
            return found[0], {str(key): str(value) for key, value in found[1].items()}
        return found, {}

    def _request(self, inference: Inference) -> Any:
        ours = InferRequest.of(self._model.name, inference)
        if self._is_ours:
            return ours
        types: Any = importlib.import_module("kserve.protocol.infer_type")
        inputs = []
        for each in ours.inputs:
            made = types.InferInput(each.name, each.shape, each.datatype, each.data, each.parameters or {})
            inputs.append(made)
        asked = [types.RequestedOutput(each.name, each.parameters) for each in ours.request_outputs or ()]
        return types.InferRequest(
            ours.model_name,
            inputs,
            ours.id,
            from_grpc=ours.from_grpc,
            parameters=ours.parameters,
            request_outputs=asked or None,
        )


def _plain(parameters: Any) -> dict[str, Any]:
    """Parameters of an answer; a model may have passed on those of a request as gRPC has them."""
    found = {}
    for key, value in dict(parameters or {}).items():
        choice = value.WhichOneof("parameter_choice") if hasattr(value, "WhichOneof") else None
        found[str(key)] = getattr(value, choice) if choice else value
    return found


def repository(given: Arguments) -> Repository:
    """With the one model that `--model_class` names. Raises LoadError."""
    is_official = stand_in.install()
    config = predictor_config(given)
    Model.default_predictor = config
    if is_official and given.predictor_host:
        _tell_official(given)
    made = of_class(given.model_class)
    model = made(**_wanted(made, given, config))
    if not getattr(model, "ready", True) and callable(getattr(model, "load", None)):
        model.load()
    return of_models([model])


def of_models(models: Sequence[Any]) -> Repository:
    """Raises LoadError."""
    found = Repository(None)
    for model in models:
        if not callable(model):
            raise LoadError(f"{type(model).__name__} is no model: it has to be a subclass of Model")
        if not getattr(model, "name", ""):
            raise LoadError(f"the model of class {type(model).__name__} has no name")
        adapter = Adapter(model)
        served = found.add(model.name, adapter)
        adapter.observed_by(served.statistics.observe)
    return found


def predictor_config(given: Arguments) -> PredictorConfig:
    return PredictorConfig(
        given.predictor_host or None,
        given.predictor_protocol,
        given.predictor_use_ssl,
        given.predictor_timeout,
        given.predictor_retries,
        given.predictor_health_check,
    )


def _tell_official(given: Arguments) -> None:
    package: Any = importlib.import_module("kserve")
    context: Any = importlib.import_module("kserve.context")
    context.set_predictor_config(
        package.PredictorConfig(
            predictor_host=given.predictor_host,
            predictor_protocol=given.predictor_protocol,
            predictor_use_ssl=given.predictor_use_ssl,
            predictor_request_timeout_seconds=int(given.predictor_timeout),
            predictor_request_retries=given.predictor_retries,
            predictor_health_check=given.predictor_health_check,
        )
    )


def _wanted(made: type, given: Arguments, config: PredictorConfig) -> dict[str, Any]:
    """What the class's constructor takes, by the names of its parameters. Raises LoadError."""
    known = {
        "name": given.model_name,
        "model_name": given.model_name,
        "model_dir": given.model_dir,
        "predictor_host": given.predictor_host,
        "protocol": given.predictor_protocol,
        "predictor_protocol": given.predictor_protocol,
        "predictor_config": config,
        **given.options,
    }
    wanted = {}
    for name, parameter in inspect.signature(made).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name in known:
            wanted[name] = known[name]
        elif parameter.default is parameter.empty:
            raise LoadError(f"{made.__name__} wants {name!r}: give it as --{name}")
    return wanted


def _specs(model: Any, function: str) -> tuple[TensorSpec, ...]:
    described = getattr(model, function, None)
    if not callable(described):
        return ()
    try:
        found = described()
    except Exception as problem:
        print(f"{function} of model {model.name} failed: {problem}", file=sys.stderr, flush=True)
        return ()
    if not isinstance(found, list):
        return ()
    return tuple(TensorSpec(each["name"], each["datatype"], tuple(each["shape"])) for each in found)
