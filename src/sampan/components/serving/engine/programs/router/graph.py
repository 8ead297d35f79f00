"""An InferenceGraph's spec as the router is given it: JSON, read leniently, as its author has been told of faults.

Called by `main`. Source: kserve 0.20 pkg/apis/serving/v1alpha1/inference_graph.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROOT = "root"
SEQUENCE, SPLITTER, ENSEMBLE, SWITCH = "Sequence", "Splitter", "Ensemble", "Switch"
HARD = "Hard"
_SERVER_READ, _SERVER_WRITE, _SERVER_IDLE = 60, 60, 180


@dataclass(frozen=True, slots=True)
class Step:
    name: str = ""
    node: str = ""
    url: str = ""
    data: str = ""
    condition: str = ""
    weight: int = 0
    is_hard: bool = False
    maps_predictions: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    kind: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds; 0 for none."""

    server_read: float = _SERVER_READ
    server_write: float = _SERVER_WRITE
    server_idle: float = _SERVER_IDLE
    service_client: float = 0


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: Mapping[str, Node]
    timeouts: Timeouts = field(default_factory=Timeouts)


def read_graph(text: str) -> Graph:
    """Raises ValueError for what is no graph."""
    try:
        spec = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(spec, dict):
        raise ValueError("it is no object")
    nodes = spec.get("nodes") or {}
    if not isinstance(nodes, dict):
        raise ValueError("nodes: it is no object")
    return Graph({name: _node(node) for name, node in nodes.items()}, _timeouts(spec.get("routerTimeouts")))


def _node(node: Any) -> Node:
    if not isinstance(node, Mapping):
        return Node("")
    steps = node.get("steps")
    found = steps if isinstance(steps, Sequence) and not isinstance(steps, str) else ()
    return Node(str(node.get("routerType") or ""), tuple(_step(each) for each in found))


def _step(step: Any) -> Step:
    if not isinstance(step, Mapping):
        return Step()
    weight = step.get("weight")
    return Step(
        name=str(step.get("name") or ""),
        node=str(step.get("nodeName") or ""),
        url=str(step.get("serviceUrl") or ""),
        data=str(step.get("data") or ""),
        condition=str(step.get("condition") or ""),
        weight=weight if isinstance(weight, int) else 0,
        is_hard=step.get("dependency") == HARD,
        maps_predictions=step.get("mapPredictionsToInstances") is True,
    )


def _timeouts(found: Any) -> Timeouts:
    if not isinstance(found, Mapping):
        return Timeouts()

    def seconds(name: str, default: float) -> float:
        value = found.get(name)
        return max(float(value), 0.0) if isinstance(value, int) else default

    return Timeouts(
        seconds("serverRead", _SERVER_READ),
        seconds("serverWrite", _SERVER_WRITE),
        seconds("serverIdle", _SERVER_IDLE),
        seconds("serviceClient", 0),
    )
