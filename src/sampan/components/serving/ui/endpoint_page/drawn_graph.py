"""InferenceGraphs and the graphs of SeldonDeployments as they are drawn. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sampan.components.serving.api.kinds import INFERENCE_GRAPHS
from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui.graph.model import Edge, Graph, Node

_ICONS = {
    "Sequence": "linear_scale",
    "Switch": "alt_route",
    "Ensemble": "hub",
    "Splitter": "call_split",
    "ROUTER": "alt_route",
    "COMBINER": "hub",
    "TRANSFORMER": "transform",
    "OUTPUT_TRANSFORMER": "transform",
}
_SERVICE = "service:"
_MOST = 400
"""Nodes that are drawn."""


def of(obj: Object) -> Graph:
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    found = _inference_graph(obj) if obj.get("kind") == INFERENCE_GRAPHS.kind else _seldon(obj)
    for each in found:
        if isinstance(each, Edge):
            edges.append(each)
        elif len(nodes) < _MOST:
            nodes.setdefault(each.id, each)
    kept = [each for each in edges if each.source in nodes and each.target in nodes]
    return Graph(list(nodes.values()), list(dict.fromkeys(kept)), direction="right")


def service_of(obj: Object, node: str) -> str:
    """The InferenceService that a node stands for; empty for none."""
    name = node.removeprefix(_SERVICE)
    return name if obj.get("kind") == INFERENCE_GRAPHS.kind and name != node else ""


def _inference_graph(obj: Object) -> Iterator[Node | Edge]:
    for name, given in mapping(meta.spec(obj).get("nodes")).items():
        router = mapping(given)
        kind = text(router.get("routerType"))
        yield Node(f"node:{name}", str(name), icon=_ICONS.get(kind, "route"), detail=kind)
        for place, step in enumerate(mappings(router.get("steps"))):
            target, label = _step(step)
            if not target:
                continue
            if target.startswith(_SERVICE):
                yield Node(target, label, icon="cell_tower", detail="InferenceService")
            elif target.startswith("url:"):
                yield Node(target, label, icon="link", detail="URL")
            yield Edge(f"node:{name}", target, label=_said(step, kind, place))


def _step(step: Object) -> tuple[str, str]:
    """The id of what a step leads to, and its label."""
    if name := text(step.get("nodeName")):
        return f"node:{name}", name
    if name := text(step.get("serviceName")):
        return f"{_SERVICE}{name}", name
    if url := text(step.get("serviceUrl")):
        return f"url:{url}", url
    return "", ""


def _said(step: Object, kind: str, place: int) -> str:
    weight = whole(step.get("weight"))
    parts = [
        f"step {place + 1}" if kind == "Sequence" else "",
        f"{weight}%" if weight is not None else "",
        text(step.get("condition")),
        text(step.get("data")),
    ]
    return ", ".join(each for each in parts if each)


def _seldon(obj: Object) -> Iterator[Node | Edge]:
    predictors = mappings(meta.spec(obj).get("predictors"))
    for number, predictor in enumerate(predictors):
        name = text(predictor.get("name")) or f"predictor {number + 1}"
        traffic = whole(predictor.get("traffic"))
        root = f"predictor:{name}"
        if len(predictors) > 1:
            detail = "shadow" if predictor.get("shadow") is True else f"{traffic or 0}% of the requests"
            yield Node(root, name, icon="call_split", detail=detail)
        yield from _unit(child(predictor, "graph"), root, name, is_single=len(predictors) == 1)


def _unit(unit: Object, parent: str, predictor: str, *, is_single: bool = False) -> Iterator[Node | Edge]:
    """Not by calling itself: users may nest as deeply as they like."""
    waiting = [(unit, "" if is_single else parent)]
    while waiting:
        each, above = waiting.pop(0)
        if not each:
            continue
        kind = text(each.get("implementation")) or text(each.get("type")) or "MODEL"
        own = f"{predictor}/{text(each.get('name'))}"
        icon = _ICONS.get(text(each.get("type")), "model_training")
        yield Node(own, text(each.get("name")), icon=icon, detail=kind, title=text(each.get("modelUri")))
        if above:
            yield Edge(above, own)
        waiting += [(below, own) for below in mappings(each.get("children"))]
