"""`Model`, to be subclassed: what runs when it is called, and what it asks when it has a predictor.

Source: kserve 0.20 python/kserve/kserve/model.py.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import inspect
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver import v1, v2
from sampan.components.serving.engine.programs.modelserver.custom.inference import (
    InferOutput,
    InferRequest,
    InferResponse,
)
from sampan.components.serving.engine.programs.modelserver.custom.predictor import (
    FORWARDED,
    GRPC,
    V2,
    Predictor,
    PredictorConfig,
)
from sampan.components.serving.engine.programs.modelserver.custom.problems import InvalidInput

_QUICK_SECONDS = 0.003
"""What the event loop can be kept for by a function that is not async."""


class InferenceVerb(enum.Enum):
    EXPLAIN = 1
    PREDICT = 2


class PredictorProtocol(enum.Enum):
    REST_V1 = "v1"
    REST_V2 = "v2"
    GRPC_V2 = "grpc-v2"


class BaseKServeModel:
    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = False
        self.engine = False

    async def healthy(self) -> bool:
        return bool(self.ready)

    def load(self) -> bool:
        self.ready = True
        return True

    def start(self) -> None:
        self.ready = True

    def stop(self) -> None:
        self.ready = False


class Model(BaseKServeModel):
    """Its functions may be async or not. One that is not, and takes its time, runs in a thread of the model's own."""

    default_predictor: PredictorConfig | None = None
    """Of the program's arguments; set by whoever starts it."""

    def __init__(
        self,
        name: str,
        return_response_headers: bool = False,
        predictor_config: PredictorConfig | None = None,
    ) -> None:
        super().__init__(name)
        self.required_response_headers = return_response_headers
        self.enable_latency_logging = False
        self.explainer_host: str | None = None
        self.predictor_host: str | None = None
        self.protocol: str = ""
        self.timeout: float = 0
        self._config = predictor_config
        self._predictor: Predictor | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._costs: dict[str, float] = {}
        self._observe: Callable[[str, float], None] = lambda phase, seconds: None

    @property
    def predictor_config(self) -> PredictorConfig | None:
        if self._config is not None:
            return self._config
        if self.predictor_host:
            # As models before kserve 0.11 had it: attributes of the model.
            return PredictorConfig(self.predictor_host, self.protocol or "v1", False, self.timeout or 600)
        return self.default_predictor

    async def __call__(
        self, body: Any, headers: dict[str, str] | None = None, verb: Any = InferenceVerb.PREDICT
    ) -> tuple[Any, dict[str, str]]:
        more: dict[str, str] = {}
        extra = (more,) if self.required_response_headers else ()
        payload = self.validate(await self._phase("preprocess", self.preprocess, body, headers))
        if verb.name == "EXPLAIN":
            response = await self._phase("explain", self.explain, payload, headers)
        else:
            response = await self._phase("predict", self.predict, payload, headers, *extra)
        response = await self._phase("postprocess", self.postprocess, response, headers, *extra)
        return response, more

    def validate(self, payload: Any) -> Any:
        """Raises InvalidInput."""
        if isinstance(payload, dict):
            for name in ("instances", "inputs"):
                if name in payload and not isinstance(payload[name], list) and self._wants(name):
                    raise InvalidInput(f'Expected "{name}" to be a list')
        return payload

    def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        return payload

    def postprocess(
        self,
        result: Any,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> Any:
        return result

    async def predict(
        self,
        payload: Any,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> Any:
        """Asks the predictor; a model that has none is to have a `predict` of its own."""
        predictor, config = self._asked()
        passed = {key: value for key, value in (headers or {}).items() if key.lower() in FORWARDED}
        if config.protocol == GRPC:
            inference = _request(payload, self.name).to_inference()
            outputs = await predictor.rpc(self.name, inference, passed)
            return InferResponse(
                inference.id, self.name, [InferOutput.of(each) for each in outputs], from_grpc=True
            )
        if config.protocol == V2:
            document, length = payload.to_rest() if hasattr(payload, "to_rest") else (payload, None)
            body = (
                document
                if isinstance(document, bytes)
                else orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
            )
            answer, found = await predictor.inference(self.name, body, length, passed)
            _keep(found, response_headers)
            return InferResponse.from_bytes(answer, int(found.get(v2.HEAD_LENGTH, len(answer))))
        answer, found = await predictor.document("predict", self.name, v1.write(_document(payload)), passed)
        _keep(found, response_headers)
        return orjson.loads(answer)

    async def explain(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        """Asks the host of the explainer, where there is one."""
        if self.explainer_host is None:
            raise NotImplementedError(f"Model with name {self.name} explains nothing.")
        predictor = Predictor(PredictorConfig(self.explainer_host))
        passed = {key: value for key, value in (headers or {}).items() if key.lower() in FORWARDED}
        try:
            answer, _ = await predictor.document("explain", self.name, v1.write(payload), passed)
        finally:
            await predictor.close()
        return orjson.loads(answer)

    def get_input_types(self) -> list[dict[str, Any]]:
        return []

    def get_output_types(self) -> list[dict[str, Any]]:
        return []

    async def is_predictor_ready(self) -> bool:
        config = self.predictor_config
        if config is None or not config.predictor_host or not config.predictor_health_check:
            return True
        return await self._asked()[0].is_ready(self.name)

    def _asked(self) -> tuple[Predictor, PredictorConfig]:
        config = self.predictor_config
        if config is None or not config.predictor_host:
            raise NotImplementedError(
                f"Model with name {self.name} has neither a predict of its own nor a --predictor_host."
            )
        if self._predictor is None:
            self._predictor = Predictor(config)
        return self._predictor, config

    def _wants(self, name: str) -> bool:
        config = self.predictor_config
        return name == ("inputs" if config is not None and config.protocol != "v1" else "instances")

    async def _phase(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        begin = time.perf_counter()
        if inspect.iscoroutinefunction(function):
            result = await function(*given)
        elif self._costs.get(name, 0.0) <= _QUICK_SECONDS:
            result = function(*given)
        else:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"model {self.name}")
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._thread, functools.partial(function, *given))
        if inspect.isawaitable(result):
            result = await result
        took = time.perf_counter() - begin
        before = self._costs.get(name)
        self._costs[name] = took if before is None or took < before else before + 0.2 * (took - before)
        self._observe(name, took)
        return result


def _keep(found: Mapping[str, str], response_headers: dict[str, str] | None) -> None:
    if response_headers is not None:
        response_headers.update({k: v for k, v in found.items() if k not in _OF_THE_HOP})


_OF_THE_HOP = frozenset({"connection", "date", "server", v2.HEAD_LENGTH, "content-length", "content-type"})


def _request(payload: Any, name: str) -> InferRequest:
    """Raises InvalidInput."""
    if isinstance(payload, InferRequest):
        return payload
    if isinstance(payload, dict) and isinstance(payload.get("inputs"), list):
        return InferRequest.of(name, v2.read(v1.write(payload), None))
    raise InvalidInput("what is sent to the predictor over V2 has to be an InferRequest")


def _document(payload: Any) -> Any:
    if isinstance(payload, InferRequest):
        return {"instances": payload.inputs[0].as_numpy()}
    return payload
