"""Filters of v1 as filters of v2: the operation is called `op`, and states have other names. Pure.

Sources: kubeflow/pipelines 2.17, backend/api/v1beta1/filter.proto; backend/src/apiserver/model/run.go (ToV1, ToV2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.states import PredicateOperation
from sampan.components.pipelines.api.wire import decode
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.rest.v1.render import STATUSES
from sampan.components.pipelines.store.listing import ListRequest

_VALUES = ("string_value", "stringValue")
_LISTS = ("string_values", "stringValues")
_EQUALS = (PredicateOperation.EQUALS.value, PredicateOperation.EQUALS.name)
_DIFFERS = (PredicateOperation.NOT_EQUALS.value, PredicateOperation.NOT_EQUALS.name)


def list_request(call: Call) -> ListRequest:
    """The paging parameters of the query. Raises InvalidArgumentError."""
    request = call.list_request()
    return replace(request, filter=as_v2(request.filter))


def as_v2(text: str) -> str:
    """The filter in v2's words, still to be checked. Raises InvalidArgumentError."""
    if not text.strip():
        return ""
    if not text.lstrip().startswith("{"):
        text = unquote(text)
    document = decode(text.encode(), "filter")
    given = document.get("predicates") if isinstance(document, dict) else None
    if not isinstance(given, list):
        return text
    document["predicates"] = [
        predicate
        for index, each in enumerate(given)
        for predicate in (
            _predicates(each, f"filter.predicates[{index}]") if isinstance(each, dict) else [each]
        )
    ]
    return json.dumps(document)


def narrowed(text: str, key: str, value: str) -> str:
    """The filter, of v2's words, and that `key` equals `value`."""
    document = decode(text.encode(), "filter") if text else {}
    predicate = {"operation": PredicateOperation.EQUALS.name, "key": key, "string_value": value}
    if isinstance(document, dict):
        given = document.get("predicates")
        document["predicates"] = [*given, predicate] if isinstance(given, list) else [predicate]
    return json.dumps(document)


def _predicates(given: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    if "operation" in given:
        raise InvalidArgumentError(f"{path}: unknown field 'operation' in Predicate; v1beta1 calls it op")
    predicate = {("operation" if name == "op" else name): value for name, value in given.items()}
    if predicate.get("operation") == "UNKNOWN":
        del predicate["operation"]
    key = predicate.get("key")
    if key == "status":
        return _of_status(predicate)
    if key == "storage_state":
        for name in (*_VALUES, *_LISTS):
            if name in predicate:
                predicate[name] = _without_prefix(predicate[name])
    return [predicate]


def _without_prefix(value: Any) -> Any:
    if isinstance(value, str):
        return value.removeprefix("STORAGESTATE_")
    if isinstance(value, dict) and isinstance(value.get("values"), list):
        return {"values": [_without_prefix(each) for each in value["values"]]}
    return value


def _of_status(predicate: dict[str, Any]) -> list[dict[str, Any]]:
    """One of v1's words may stand for several states: any of them equals it, and what differs from it, from all."""
    operation = predicate.get("operation")
    for name in _LISTS:
        value = predicate.get(name)
        if isinstance(value, dict) and isinstance(value.get("values"), list):
            predicate[name] = {"values": [state for each in value["values"] for state in _states(str(each))]}
    for name in _VALUES:
        if isinstance(predicate.get(name), str):
            states = _states(predicate.pop(name))
            if operation in _EQUALS and len(states) > 1:
                return [predicate | {"operation": "IN", "string_values": {"values": states}}]
            return [predicate | {name: state} for state in (states if operation in _DIFFERS else states[:1])]
    return [predicate]


def _states(word: str) -> list[str]:
    found = [state.value for state, shown in STATUSES.items() if shown.lower() == word.lower()]
    return found or [word.upper()]
