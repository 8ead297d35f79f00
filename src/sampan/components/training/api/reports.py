"""What a trainer tells of its progress, read and checked. Pure.

For the endpoint. As upstream's decoder and the TrainJob's definition have it: unknown fields are dropped, a field of
another type makes the whole payload invalid, and values out of range are named. Source: kubeflow/trainer
pkg/statusserver/server.go, pkg/apis/trainer/v1alpha1/trainjob_types.go (TrainerStatus, Metric), v2.3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.lib.clock import parse_rfc3339, rfc3339

_NUMBERS = {"progressPercentage": 100, "estimatedRemainingSeconds": 2**31 - 1}
"""With the most that each may be; the least is 0."""
_MOST_METRICS, _LONGEST = 256, 64
_INT32 = 2**31


class PayloadError(Exception):
    """Why it is refused, in the words that the trainer is told."""


def read_report(body: bytes) -> dict[str, Any] | None:
    """The `trainerStatus`; None where there is none. Raises PayloadError."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PayloadError("Invalid payload") from error
    status = _mapping(payload).get("trainerStatus")
    if status is None:
        return None
    given = _mapping(status)
    found: dict[str, Any] = {}
    for key in _NUMBERS:
        if given.get(key) is not None:
            found[key] = _whole(given[key])
    metrics = given.get("metrics")
    if metrics:
        found["metrics"] = [_metric(each) for each in _listed(metrics)]
    updated = given.get("lastUpdatedTime")
    if updated is not None:
        found["lastUpdatedTime"] = _time(updated)
    _check(found)
    return found


def _check(found: Mapping[str, Any]) -> None:
    for key, most in _NUMBERS.items():
        number = found.get(key, 0)
        if number < 0:
            raise _out_of_range(key, number, "greater than or equal to 0")
        if number > most:
            raise _out_of_range(key, number, f"less than or equal to {most}")
    metrics = found.get("metrics") or []
    if len(metrics) > _MOST_METRICS:
        raise PayloadError(
            f"status.trainerStatus.metrics: Too many: {len(metrics)}: must have at most {_MOST_METRICS} items"
        )
    for at, metric in enumerate(metrics):
        for key in ("name", "value"):
            where = f"status.trainerStatus.metrics[{at}].{key}"
            if not metric[key]:
                raise PayloadError(
                    f'{where}: Invalid value: "": {where} in body should be at least 1 chars long'
                )
            if len(metric[key]) > _LONGEST:
                raise PayloadError(f"{where}: Too long: may not be more than {_LONGEST} bytes")
    if "lastUpdatedTime" not in found:
        raise PayloadError(
            "status.trainerStatus: Invalid value: lastUpdatedTime is required when trainerStatus is present"
        )


def _out_of_range(key: str, number: int, wanted: str) -> PayloadError:
    where = f"status.trainerStatus.{key}"
    return PayloadError(f"{where}: Invalid value: {number}: {where} in body should be {wanted}")


def _metric(value: Any) -> dict[str, str]:
    metric = _mapping(value)
    return {key: _text(metric.get(key)) for key in ("name", "value")}


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PayloadError("Invalid payload")
    return value


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PayloadError("Invalid payload")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT32 <= value < _INT32:
        raise PayloadError("Invalid payload")
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PayloadError("Invalid payload")
    return value


def _time(value: Any) -> str:
    """In whole seconds of UTC, as Kubernetes keeps times."""
    try:
        return rfc3339(parse_rfc3339(_text(value)))
    except ValueError as error:
        raise PayloadError("Invalid payload") from error
