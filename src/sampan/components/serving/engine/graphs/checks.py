"""Why a graph cannot be served, whoever has let it in: clusters of others have no hooks of ours.

Called by the reconciler. Source: kserve/kserve v0.20.0 pkg/apis/serving/v1alpha1/inference_graph_validation.go; the
limits are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api.reading import mapping, mappings, text, whole
from sampan.kube import meta
from sampan.kube.meta import Object

ROOT = "root"
MOST_NODES, MOST_STEPS, MOST_DEPTH = 1000, 10_000, 64
MOST_CALLS = 10_000
"""That one request may become."""
_CHOOSES_ONE = ("Splitter", "Switch")
_TARGETS = ("nodeName", "serviceName", "serviceUrl")


def problem_of(graph: Object) -> str:
    """What is wrong with it and what to do; empty when nothing is."""
    nodes = mapping(meta.spec(graph).get("nodes"))
    if ROOT not in nodes:
        return (
            "spec.nodes: root node not found, InferenceGraph needs a node with name 'root' as the root node"
        )
    steps = {name: mappings(mapping(node).get("steps")) for name, node in nodes.items()}
    if len(nodes) > MOST_NODES or sum(map(len, steps.values())) > MOST_STEPS:
        return f"spec.nodes: a graph has at most {MOST_NODES} nodes and {MOST_STEPS} steps"
    for name, node in nodes.items():
        if wrong := _of_node(name, mapping(node), steps):
            return f"spec.nodes[{name}]: {wrong}"
    return _of_ways({name: _following(each) for name, each in steps.items()}) or _of_calls(nodes, steps)


def _of_node(name: str, node: Mapping[str, Any], steps: Mapping[str, list[Object]]) -> str:
    if node.get("routerType") not in ("Sequence", "Splitter", "Ensemble", "Switch"):
        return f"routerType {node.get('routerType')!r} is none of Sequence, Splitter, Ensemble, Switch"
    for number, step in enumerate(steps[name]):
        targets = [each for each in _TARGETS if text(step.get(each))]
        if len(targets) != 1:
            return f"steps[{number}] needs exactly one of {', '.join(_TARGETS)}"
        target = text(step.get("nodeName"))
        if target and target not in steps:
            return f"steps[{number}].nodeName: there is no node {target!r}"
    if node.get("routerType") == "Splitter":
        weights = [whole(step.get("weight")) for step in steps[name]]
        if None in weights or sum(each or 0 for each in weights) != 100:
            return "steps of a Splitter need a weight each, and weights add up to 100"
    return ""


def _following(steps: list[Object]) -> list[str]:
    return list(dict.fromkeys(name for step in steps if (name := text(step.get("nodeName")))))


def _of_ways(following: Mapping[str, list[str]]) -> str:
    """Nodes that lead back to themselves would be asked without end; the router follows no more than 64 deep."""
    depths: dict[str, int] = {}
    way: dict[str, None] = {}
    left = [(ROOT, iter(following[ROOT]))]
    way[ROOT] = None
    while left:
        name, rest = left[-1]
        target = next(rest, None)
        if target is None:
            left.pop()
            del way[name]
            depths[name] = 1 + max((depths[each] for each in following[name]), default=0)
        elif target in way:
            return f"spec.nodes: nodes lead back to themselves: {' -> '.join([*way, target][-MOST_DEPTH:])}"
        elif target not in depths:
            way[target] = None
            left.append((target, iter(following[target])))
    if depths[ROOT] > MOST_DEPTH:
        return f"spec.nodes: nodes lead to nodes more than {MOST_DEPTH} deep"
    return ""


def _of_calls(nodes: Mapping[str, Any], steps: Mapping[str, list[Object]]) -> str:
    """Twenty nodes that lead twice to the next are a million calls. For ways that end."""
    counts: dict[str, int] = {}

    def count(name: str) -> int:
        if name not in counts:
            each = [count(target) if (target := text(step.get("nodeName"))) else 1 for step in steps[name]]
            chooses = mapping(nodes[name]).get("routerType") in _CHOOSES_ONE
            counts[name] = min(max(each, default=0) if chooses else sum(each), MOST_CALLS + 1)
        return counts[name]

    if count(ROOT) > MOST_CALLS:
        return f"spec.nodes: one request would become more than {MOST_CALLS} calls"
    return ""
