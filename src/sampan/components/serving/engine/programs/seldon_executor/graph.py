"""The predictor's graph as the executor is given it: the base64 of its JSON, read leniently. Pure.

Source: seldon-core 1.18.2 executor/predictor/utils.go.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MODEL, ROUTER, COMBINER = "MODEL", "ROUTER", "COMBINER"
TRANSFORMER, OUTPUT_TRANSFORMER = "TRANSFORMER", "OUTPUT_TRANSFORMER"
_MOST_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Logger:
    url: str = ""
    mode: str = ""

    @property
    def tells_requests(self) -> bool:
        return self.mode in ("all", "request")

    @property
    def tells_responses(self) -> bool:
        return self.mode in ("all", "response")


@dataclass(frozen=True, slots=True)
class Unit:
    name: str
    kind: str = ""
    implementation: str = ""
    methods: frozenset[str] = frozenset()
    host: str = ""
    http_port: int = 0
    grpc_port: int = 0
    port: int = 0
    """By which it is seen to be there: of its own protocol."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Unit, ...] = ()
    logger: Logger = Logger()
    image: str = ""
    """Of its container."""

    def does(self, method: str, *kinds: str) -> bool:
        return self.kind in kinds or method in self.methods

    def all(self) -> Iterator[Unit]:
        yield self
        for child in self.children:
            yield from child.all()

    def find(self, name: str) -> Unit | None:
        return next((unit for unit in self.all() if unit.name == name), None)


@dataclass(frozen=True, slots=True)
class Predictor:
    name: str
    graph: Unit
    annotations: Mapping[str, str] = field(default_factory=dict)


def read(text: str) -> Predictor:
    """Raises ValueError for what is no predictor."""
    try:
        found = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(f"ENGINE_PREDICTOR is no JSON in base64: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("graph"), dict):
        raise ValueError("ENGINE_PREDICTOR has no graph")
    annotations = {key: str(value) for key, value in _object(found.get("annotations")).items()}
    graph = _unit(found["graph"], _images(found.get("componentSpecs")), 0)
    return Predictor(str(found.get("name") or ""), graph, annotations)


def _images(pods: Any) -> dict[str, str]:
    """By the name of the container."""
    return {
        str(each.get("name")): str(each.get("image") or "")
        for pod in pods or ()
        for each in _object(_object(pod).get("spec")).get("containers") or ()
        if isinstance(each, dict)
    }


def _unit(told: Mapping[str, Any], images: Mapping[str, str], depth: int) -> Unit:
    if depth > _MOST_DEPTH:
        raise ValueError(f"the graph is more than {_MOST_DEPTH} units deep")
    endpoint, logger = _object(told.get("endpoint")), _object(told.get("logger"))
    port = _number(endpoint.get("service_port"))
    return Unit(
        name=str(told.get("name") or ""),
        kind=str(told.get("type") or ""),
        implementation=str(told.get("implementation") or ""),
        methods=frozenset(str(each) for each in told.get("methods") or ()),
        host=str(endpoint.get("service_host") or ""),
        http_port=_number(endpoint.get("httpPort")) or port,
        grpc_port=_number(endpoint.get("grpcPort")) or port,
        port=port or _number(endpoint.get("httpPort")),
        parameters={
            str(each.get("name")): str(each.get("value"))
            for each in told.get("parameters") or ()
            if isinstance(each, dict)
        },
        children=tuple(
            _unit(each, images, depth + 1) for each in told.get("children") or () if isinstance(each, dict)
        ),
        logger=Logger(str(logger.get("url") or ""), str(logger.get("mode") or "")),
        image=images.get(str(told.get("name") or ""), ""),
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
