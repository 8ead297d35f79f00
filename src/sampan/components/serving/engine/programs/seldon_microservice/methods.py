"""A user's class asked: each method of Seldon's API, for messages as JSON. Called from a thread.

A class need not have a method: then `predict` answers nothing, and what transforms hands on what it got. `…_raw` takes
and gives whole messages. Source: seldon-core 1.18.2 python/seldon_core/{seldon_methods,user_model}.py.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonMicroserviceException,
    SeldonNotImplementedError,
    SeldonResponse,
)
from sampan.components.serving.engine.programs.seldon_microservice.metrics import Metrics, are_valid
from sampan.components.serving.engine.programs.seldon_microservice.payloads import (
    Parts,
    Told,
    answer,
    features_of,
    merged,
    parts_of,
)

PREDICT, TRANSFORM_INPUT, TRANSFORM_OUTPUT = "predict", "transform_input", "transform_output"
_METHOD_TAGS = {
    PREDICT: "predict",
    TRANSFORM_INPUT: "inputtransform",
    TRANSFORM_OUTPUT: "outputtransform",
    "route": "router",
    "aggregate": "aggregate",
    "send_feedback": "feedback",
}
_NONE = object()


class Methods:
    def __init__(self, model: Any, metrics: Metrics, unit: str = "") -> None:
        """`unit` is the name by which a router's own choice stands in feedback."""
        self.model, self.metrics = model, metrics
        self._unit = unit or os.environ.get("PREDICTIVE_UNIT_ID", "0")
        told = os.environ.get("INCLUDE_METRICS_IN_CLIENT_RESPONSE", "true").lower()
        self._tells_metrics = told in ("1", "true", "t")

    def has_own(self, *names: str) -> bool:
        """Whether the class has one of the methods itself, rather than from SeldonComponent."""
        return any(callable(getattr(self.model, name, None)) for name in names)

    def transform(self, method: str, request: Any) -> Any:
        """`method` is PREDICT, TRANSFORM_INPUT or TRANSFORM_OUTPUT. Raises SeldonMicroserviceException."""
        raw = self._raw(method, request)
        if raw is not _NONE:
            return raw
        parts = parts_of(request)
        without = [] if method == PREDICT else parts.features
        response = self._asked(method, parts, without)
        metrics = self._counted(_METHOD_TAGS[method], response)
        return answer(self.model, request, response.data, Told(parts.meta, metrics, response.tags))

    def route(self, request: Any) -> Any:
        raw = self._raw("route", request)
        if raw is not _NONE:
            return raw
        parts = parts_of(request)
        response = self._asked("route", parts, _NONE)
        if not isinstance(response.data, int | np.integer) or isinstance(response.data, bool):
            raise SeldonMicroserviceException(f"Routing response must be int but got {response.data}")
        metrics = self._counted("router", response)
        told = Told(None, metrics, response.tags)
        return answer(self.model, request, np.array([[int(response.data)]]), told)

    def aggregate(self, request: Any) -> Any:
        raw = self._raw("aggregate", request)
        if raw is not _NONE:
            return raw
        messages = request.get("seldonMessages") if isinstance(request, Mapping) else request
        if not isinstance(messages, list) or not messages:
            raise SeldonMicroserviceException(f"Invalid request data type: {request}")
        parts = [parts_of(each) for each in messages]
        if not self.has_own("aggregate"):
            raise SeldonNotImplementedError("Aggregate not defined")
        given = self.model.aggregate([each.features for each in parts], [each.names for each in parts])
        response = SeldonResponse.create(given)
        metrics = self._counted("aggregate", response)
        told = Told(merged([each.meta for each in parts]), metrics, response.tags)
        return answer(self.model, messages[0], response.data, told)

    def send_feedback(self, request: Any) -> Any:
        if not isinstance(request, Mapping):
            raise SeldonMicroserviceException("Invalid JSON: feedback is an object")
        reward = float(request.get("reward") or 0)
        self.metrics.reward(reward)
        raw = self._raw("send_feedback", request)
        if raw is not _NONE:
            return raw
        asked, truth = _object(request, "request"), _object(request, "truth")
        routing = _object(_object(_object(request, "response"), "meta"), "routing").get(self._unit)
        data = _object(asked, "data")
        response = self._told(features_of(data), list(data.get("names") or ()), reward, truth, routing)
        if response.data is None:
            response.data = np.array([])
        metrics = self._counted("feedback", response)
        return answer(self.model, asked, response.data, Told(None, metrics, response.tags))

    def health_status(self) -> Any:
        if self.has_own("health_status_raw"):
            try:
                return self.model.health_status_raw()
            except SeldonNotImplementedError:
                pass
        found: Any = "healthy"
        if self.has_own("health_status"):
            try:
                found = self.model.health_status()
            except SeldonNotImplementedError:
                found = "not implemented - assuming healthy"
        return answer(self.model, {}, found, Told(None, self._counted("health", SeldonResponse(None))))

    def _told(self, features: Any, names: Any, reward: float, truth: Any, routing: Any) -> SeldonResponse:
        if not self.has_own("send_feedback"):
            return SeldonResponse(None)
        of_truth = features_of(_object(truth, "data"))
        method = self.model.send_feedback
        named = {"routing": routing} if _takes(method, "routing") else {}
        rest: tuple[Any, ...] = (reward, of_truth)
        if _has(method, "reward") and _has(method, "truth"):
            # Classes have them in several orders.
            rest, named = (), {**named, "reward": reward, "truth": of_truth}
        try:
            return SeldonResponse.create(method(features, names, *rest, **named))
        except SeldonNotImplementedError:
            return SeldonResponse(None)

    def count_raw(self, metrics: list[Any], method: str) -> bool:
        """Those that a class wrote into a whole message itself; whether they stay in it."""
        known = [{"type": "COUNTER", **each} for each in metrics if isinstance(each, Mapping)]
        if are_valid(known):
            self.metrics.update(known, _METHOD_TAGS[method])
        return self._tells_metrics

    def _raw(self, method: str, request: Any) -> Any:
        """What the class's own way with whole messages gives; _NONE where it has none."""
        for name in (f"{method}_rest", f"{method}_raw"):
            if not self.has_own(name):
                continue
            try:
                found = getattr(self.model, name)(request)
            except SeldonNotImplementedError:
                continue
            meta = found.get("meta") if isinstance(found, Mapping) else None
            metrics = meta.get("metrics") if isinstance(meta, Mapping) else None
            if isinstance(metrics, list) and metrics and not self.count_raw(metrics, method):
                del found["meta"]["metrics"]
            return found
        return _NONE

    def _asked(self, name: str, parts: Parts, without: Any) -> SeldonResponse:
        if self.has_own(name):
            method = getattr(self.model, name)
            named = {"meta": parts.meta} if _takes(method, "meta") else {}
            try:
                return SeldonResponse.create(method(parts.features, parts.names, **named))
            except SeldonNotImplementedError:
                pass
        if without is _NONE:
            raise SeldonNotImplementedError(f"{name.capitalize()} not defined")
        return SeldonResponse(without)

    def _counted(self, tag: str, response: SeldonResponse) -> list[Any]:
        """The metrics of a request, for its answer."""
        self._check(response.metrics)
        self.metrics.update(response.metrics, tag)
        found: list[Any] = []
        if self.has_own("metrics"):
            try:
                found = self.model.metrics()
                self._check(found)
                self.metrics.update(found, tag)
            except SeldonNotImplementedError:
                found = []
        return [*found, *response.metrics] if self._tells_metrics else []

    def _check(self, metrics: Any) -> None:
        if not are_valid(metrics):
            raise SeldonMicroserviceException(
                f"Bad metric created during request: {json.dumps(metrics, default=str)}",
                status_code=500,
                reason="MICROSERVICE_BAD_METRIC",
            )


def _has(method: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(method).parameters
    except (TypeError, ValueError):
        return False


def _takes(method: Callable[..., Any], name: str) -> bool:
    """Whether a method has the parameter, or takes any."""
    try:
        parameters = inspect.signature(method).parameters
    except (TypeError, ValueError):
        return False
    kinds = [each.kind for each in parameters.values()]
    return name in parameters or inspect.Parameter.VAR_KEYWORD in kinds


def _object(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}
