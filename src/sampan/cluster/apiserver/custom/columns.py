"""The columns that a definition gives `kubectl get`.

Source: apiextensions-apiserver/pkg/registry/customresource/tableconvertor/tableconvertor.go, v1.31.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.custom import jsonpath
from sampan.cluster.apiserver.strategy import Column
from sampan.cluster.apiserver.tables import AGE, NAME, human_duration
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339


def columns(declared: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The name first, then as declared; the age where nothing is."""
    found = tuple(_column(each) for each in declared)
    return (NAME, *(found or (AGE,)))


def _column(declared: Mapping[str, Any]) -> Column:
    type_ = declared.get("type") or "string"
    return Column(
        str(declared.get("name")),
        _reader(str(declared.get("jsonPath") or ""), type_),
        type=type_,
        format=declared.get("format") or "",
        description=declared.get("description")
        or f"Custom resource definition column (in JSONPath format): {declared.get('jsonPath')}",
        priority=declared.get("priority") or 0,
    )


def _reader(path: str, type_: str) -> Callable[[Object, datetime], Any]:
    def read(obj: Object, now: datetime) -> Any:
        found = jsonpath.find(path, obj)
        if not found:
            return None
        return cell(found, type_, now)

    return read


def cell(found: list[Any], type_: str, now: datetime) -> Any:
    """Of the first value only, also where a wildcard finds several; None: nothing of that type."""
    value = found[0]
    if type_ == "integer":
        return int(value) if _is_number(value) else None
    if type_ == "number":
        return float(value) if _is_number(value) else None
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    if type_ == "date":
        return _since(value, now)
    return _text(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _since(value: Any, now: datetime) -> str:
    try:
        return human_duration(now - parse_rfc3339(value))
    except (ValueError, TypeError, AttributeError):
        return "<invalid>" if value else "<unknown>"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
