"""What users' classes may derive from, and what they may answer and raise.

Imported by users' code through `stand_in`, so nothing here needs more than the standard library. Source: seldon-core
1.18.2 python/seldon_core/{user_model,flask_utils}.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class SeldonMicroserviceException(Exception):  # noqa: N818 - users catch and raise it by this name
    status_code = 400

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        payload: Any = None,
        reason: str = "MICROSERVICE_BAD_DATA",
    ) -> None:
        super().__init__(message)
        self.message, self.payload, self.reason = message, payload, reason
        if status_code is not None:
            self.status_code = status_code

    def to_dict(self) -> dict[str, Any]:
        return {"status": {"status": 1, "info": self.message, "code": -1, "reason": self.reason}}


class SeldonNotImplementedError(SeldonMicroserviceException):
    """Of a method that a class inherits and does not have."""


class SeldonResponse:
    """An answer with tags and metrics that are this request's own."""

    def __init__(
        self, data: Any, tags: Mapping[str, Any] | None = None, metrics: Sequence[Any] | None = None
    ) -> None:
        self.data = data
        self.tags = dict(tags or {})
        self.metrics = list(metrics or ())

    @classmethod
    def create(cls, data: Any) -> SeldonResponse:
        return data if isinstance(data, cls) else cls(data)


def _missing(name: str) -> Any:
    def method(_self: Any, *_given: Any, **_named: Any) -> Any:
        raise SeldonNotImplementedError(f"{name} is not implemented")

    method.__name__ = name
    return method


class SeldonComponent:
    """Every method may be left out: whoever calls one that is takes that for `not there`."""

    def __init__(self, **kwargs: Any) -> None: ...

    def load(self) -> None: ...

    tags, class_names, feature_names = _missing("tags"), _missing("class_names"), _missing("feature_names")
    metrics, metadata, init_metadata = _missing("metrics"), _missing("metadata"), _missing("init_metadata")
    predict, predict_raw = _missing("predict"), _missing("predict_raw")
    transform_input, transform_input_raw = _missing("transform_input"), _missing("transform_input_raw")
    transform_output, transform_output_raw = _missing("transform_output"), _missing("transform_output_raw")
    route, route_raw = _missing("route"), _missing("route_raw")
    aggregate, aggregate_raw = _missing("aggregate"), _missing("aggregate_raw")
    send_feedback, send_feedback_raw = _missing("send_feedback"), _missing("send_feedback_raw")
    health_status, health_status_raw = _missing("health_status"), _missing("health_status_raw")
