"""Whether an InferenceGraph may be.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha1/inference_graph_validation.go. Beyond it: a node that a step names
must be there, and nodes must not lead back to themselves, which would be asked without end.
"""

from __future__ import annotations

import re

from sampan.components.serving.api.reading import mapping, mappings, text, whole
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 63
ROOT = "root"
_TARGETS = ("nodeName", "serviceName", "serviceUrl")


def check(graph: Object, _old: Object | None, _around: Surroundings, errors: FieldErrors) -> None:
    name, nodes = meta.name(graph), mapping(meta.spec(graph).get("nodes"))
    if not _NAME.fullmatch(name):
        errors.invalid(
            "metadata.name",
            name,
            "a InferenceGraph name must consist of lower case alphanumeric characters or '-', and must start with"
            ' alphabetical character. (e.g. "my-name" or "abc-123", regex used for validation is'
            f" '{_NAME.pattern}')",
        )
    elif len(name) > _LONGEST_NAME:
        errors.too_long("metadata.name", _LONGEST_NAME)
    if ROOT not in nodes:
        errors.required(
            f"spec.nodes[{ROOT}]",
            "root node not found, InferenceGraph needs a node with name 'root' as the root node of the graph",
        )
    for node, each in nodes.items():
        _check_node(name, node, mapping(each), nodes, errors)
    if loop := _loop(nodes):
        errors.invalid("spec.nodes", loop[0], f"nodes lead back to themselves: {' -> '.join(loop)}")
    _check_replicas(meta.spec(graph), errors)


def _check_node(graph: str, node: str, its: Object, nodes: Object, errors: FieldErrors) -> None:
    at = f"spec.nodes[{node}].steps"
    steps = mappings(its.get("steps"))
    names: set[str] = set()
    for index, step in enumerate(steps):
        here, name = f"{at}[{index}]", text(step.get("name"))
        if name and name in names:
            errors.invalid(
                f"{here}.name",
                name,
                f'Node "{node}" of InferenceGraph "{graph}" contains more than one step with name "{name}"',
            )
        names.add(name)
        targets = [key for key in _TARGETS if text(step.get(key))]
        where = f'Step {index} ("{name}") in node "{node}" of InferenceGraph "{graph}"'
        if not targets:
            errors.required(here, f"{where} does not specify an inference target: {', '.join(_TARGETS)}")
        elif len(targets) > 1:
            errors.forbidden(here, f"{where} specifies more than one of nodeName, serviceName, serviceUrl")
        target = text(step.get("nodeName"))
        if target and target not in nodes:
            errors.not_found(f"{here}.nodeName", target)
    if its.get("routerType") == "Splitter":
        _check_weights(graph, node, steps, at, errors)


def _check_weights(graph: str, node: str, steps: list[Object], at: str, errors: FieldErrors) -> None:
    weights = [whole(each.get("weight")) for each in steps]
    for index, weight in enumerate(weights):
        if weight is None:
            service = text(steps[index].get("serviceName"))
            errors.required(
                f"{at}[{index}].weight",
                f"InferenceGraph[{graph}] Node[{node}] Route[{service}] missing the 'Weight'",
            )
        elif weight < 0:
            errors.invalid(f"{at}[{index}].weight", weight, "must be greater than or equal to 0")
    if None not in weights and sum(each or 0 for each in weights) != 100:
        errors.invalid(
            at,
            sum(each or 0 for each in weights),
            f"InferenceGraph[{graph}] Node[{node}] splitter node: the sum of traffic weights for all routing targets"
            " should be 100",
        )


def _loop(nodes: Object) -> list[str]:
    """Names of nodes that lead from one to the next and back to the first; empty where there are none."""
    following = {
        name: [text(step.get("nodeName")) for step in mappings(mapping(each).get("steps"))]
        for name, each in nodes.items()
    }
    done: set[str] = set()
    for start in following:
        way: dict[str, None] = {}
        # A walk that remembers its way: the number of steps is the user's, so it does not recurse.
        left = [iter((start,))]
        while left:
            name = next(left[-1], None)
            if name is None:
                left.pop()
                if way:
                    done.add(way.popitem()[0])
            elif name in way:
                names = list(way)
                return [*names[names.index(name) :], name]
            elif name in following and name not in done:
                way[name] = None
                left.append(iter(following[name]))
    return []


def _check_replicas(spec: Object, errors: FieldErrors) -> None:
    least, most = whole(spec.get("minReplicas")), whole(spec.get("maxReplicas")) or 0
    if least is not None and least < 0:
        errors.invalid("spec.minReplicas", least, "'MinReplicas' cannot be less than 0")
    if most < 0:
        errors.invalid("spec.maxReplicas", most, "'MaxReplicas' cannot be less than 0")
    if 0 < most < (1 if least is None else least):
        errors.invalid("spec.minReplicas", least, "'MinReplicas' cannot be greater than MaxReplicas")
    for field in ("timeout", "scaleTarget"):
        value = whole(spec.get(field))
        if value is not None and value < 0:
            errors.invalid(f"spec.{field}", value, "must be greater than or equal to 0")
