"""The bodies of the V1 protocol, TensorFlow Serving's first, and CloudEvents around them. Pure.

Source: kserve 0.20 python/kserve/kserve/protocol/{dataplane.py,rest/v1_endpoints.py}, utils/utils.py (CloudEvents);
CloudEvents 1.0 bindings/http-protocol-binding.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from sampan.components.serving.engine.programs.modelserver import tensors
from sampan.components.serving.engine.programs.modelserver.errors import bad
from sampan.components.serving.engine.programs.modelserver.v2 import new_id

_STRUCTURED = "application/cloudevents+json"
_JSON = frozenset({"application/json", _STRUCTURED, "application/ld+json", "application/octet-stream"})
_FORM = "application/x-www-form-urlencoded"
"""What curl says of a body when it is told nothing."""
_REQUIRED = ("specversion", "id", "source", "type")
"""Of a request that has only some of them, it is none."""
_VERSIONS = ("1.0", "0.3")


@dataclass(slots=True)
class Event:
    """The CloudEvent that a request was."""

    attributes: dict[str, str]
    is_binary: bool


def read(body: bytes, headers: Mapping[str, str]) -> tuple[Any, Event | None]:
    """What the model gets: a document, or the bytes of a body that says it is none. Raises RequestError."""
    kind = headers.get("content-type", "")
    if all(headers.get(f"ce-{name}") for name in _REQUIRED):
        return _binary_event(body, headers, kind)
    if kind and kind not in _JSON:
        plain = kind.partition(";")[0].strip().lower()
        if plain not in _JSON and plain != _FORM:
            return body, None
    document = _loaded(body)
    if not isinstance(document, dict) or not all(name in document for name in (*_REQUIRED, "data")):
        return document, None
    attributes = {key: value for key, value in document.items() if key != "data"}
    event = Event(attributes, is_binary=False) if kind.startswith(_STRUCTURED) else None
    return document["data"], event


def instances(document: Any) -> Any:
    """What is to be predicted. Raises RequestError."""
    if not isinstance(document, dict):
        raise bad('Unrecognized request format: the body has to be an object with "instances"')
    found = document.get("instances", document.get("inputs"))
    if found is None:
        raise bad('Expected "instances" to be a list; the request has neither "instances" nor "inputs"')
    if "instances" in document and not isinstance(found, list):
        raise bad('Expected "instances" to be a list')
    return found


def write(document: Any) -> bytes:
    return orjson.dumps(document, default=_default, option=_OPTIONS)


def answered(event: Event, model: str, body: bytes) -> tuple[bytes, str, dict[str, str]]:
    """The answer as an event: body, content type, headers."""
    attributes: dict[str, str] = {}
    if os.environ.get("CE_MERGE", "false").lower() == "true":
        attributes = {key: value for key, value in event.attributes.items() if key != "datacontenttype"}
    attributes["specversion"] = "1.0"
    attributes["id"] = new_id()
    attributes["time"] = datetime.now(UTC).isoformat()
    attributes["type"] = os.environ.get("CE_TYPE", "io.kserve.inference.response")
    attributes["source"] = os.environ.get("CE_SOURCE", f"io.kserve.inference.{model}")
    if event.is_binary:
        headers = {f"ce-{key}": str(value) for key, value in attributes.items()}
        return body, "application/json", headers
    document = {**attributes, "data": orjson.Fragment(body)}
    return orjson.dumps(document), _STRUCTURED, {}


def _binary_event(body: bytes, headers: Mapping[str, str], kind: str) -> tuple[Any, Event]:
    attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    if attributes["specversion"] not in _VERSIONS:
        raise bad(f"Cloud Event Exceptions: Found invalid specversion {attributes['specversion']}")
    event = Event(attributes, is_binary=True)
    try:
        return orjson.loads(body.decode()), event
    except (orjson.JSONDecodeError, UnicodeDecodeError) as problem:
        # What the event says of itself goes before what the client says of every body it sends.
        if (attributes.get("content-type") or kind).startswith(("application/json", _STRUCTURED)):
            raise bad(f"Failed to decode or parse binary json cloudevent: {problem}") from None
        return body, event


def _loaded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise bad(f"Unrecognized request format: {problem}") from None


# NaN becomes null, as with kserve: JSON has none.
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def _default(value: Any) -> Any:
    """What orjson does not write by itself."""
    if isinstance(value, np.ndarray):
        return tensors.written(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (set, tuple)):
        return list(value)
    for name in ("to_dict", "tolist"):
        convert = getattr(value, name, None)
        if callable(convert):
            return convert()
    raise TypeError(f"the model answered a {type(value).__name__}, which JSON cannot hold")
