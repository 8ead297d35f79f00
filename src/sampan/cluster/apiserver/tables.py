"""Objects as `kubectl get` wants them: the Table and PartialObjectMetadata transformations.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go (Table), kubernetes/pkg/printers/internalversion, v1.31.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339

KINDS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


def age(text: Any, now: datetime) -> str:
    """`text` is a timestamp; as kubectl writes a duration since then."""
    try:
        return human_duration(now - parse_rfc3339(text))
    except (ValueError, TypeError, AttributeError):
        return "<unknown>"


def human_duration(duration: timedelta) -> str:
    """Two units at most, fewer the longer it is. Source: k8s.io/apimachinery/pkg/util/duration, v1.31."""
    seconds = int(duration.total_seconds())
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _pair(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _pair(first: int, unit: str, second: int, second_unit: str) -> str:
    return f"{first}{unit}{second}{second_unit}" if second else f"{first}{unit}"


NAME = Column("Name", lambda obj, _: meta.name(obj), format="name", description="Name of the object")
AGE = Column(
    "Age",
    lambda obj, now: age(meta.metadata(obj).get("creationTimestamp"), now),
    description="Time since the object was created",
)


def table(
    strategy: Strategy, objects: Iterable[Object], list_metadata: Object, now: datetime, include: str
) -> Object:
    """`include` is the request's includeObject: Metadata (the default), Object or None."""
    columns = strategy.columns or (NAME, AGE)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata,
        "columnDefinitions": [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description or column.name,
                "priority": column.priority,
            }
            for column in columns
        ],
        "rows": [_row(columns, obj, now, include) for obj in objects],
    }


def _row(columns: tuple[Column, ...], obj: Object, now: datetime, include: str) -> Object:
    row: Object = {"cells": [_cell(column, obj, now) for column in columns]}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial_metadata(obj)
    return row


def _cell(column: Column, obj: Object, now: datetime) -> Any:
    try:
        return column.value(obj, now)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError):
        # One malformed object must not take the list of all with it.
        return "<unknown>"


def partial_metadata(obj: Object) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta.metadata(obj),
    }
