"""What a trial of a neural architecture search builds, as a graph: for the pages and for the web API. Pure.

ENAS assigns `architecture` and `nn_config`: a list for each layer, of the operation's id and, for the input and each
layer before the last one, whether it is connected too. DARTS finds cells, which it prints as a genotype.
Source: kubeflow/katib 0.19 pkg/ui/v1beta1/util.go (generateNNImage),
examples/v1beta1/trial-images/enas-cnn-cifar10/ModelConstructor.py, darts-cnn-cifar10/search_space.py.

Upstream's labels name the filter's size where the number of filters is meant, and every reduction a 3x3 max pooling;
here they say what the trial was given.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_WORDS = {
    "convolution": "conv",
    "separable_convolution": "sep_conv",
    "depthwise_convolution": "depth_conv",
    "dilated_convolution": "dil_conv",
}
_MAX_LAYERS = 1000
"""More than anybody trains: what is larger is no architecture, and would hold the server up."""


@dataclass(frozen=True, slots=True)
class Node:
    id: int
    label: str
    """One or two lines."""
    type: str
    """The operation's, or `input`, `pooling`, `classifier` or `output`; `state` in a cell."""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    source: int
    target: int
    label: str = ""
    """The operation, where it is the edges that compute."""
    skip: bool = False
    """Whether it passes layers by."""


@dataclass(frozen=True, slots=True)
class NasGraph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def layers_graph(architecture: str, nn_config: str) -> NasGraph:
    """Of ENAS' assignments, in JSON with either quotation mark. ValueError says what is amiss in them."""
    layers, operations = _layers(architecture), _operations(nn_config)
    nodes, edges = [Node(0, "Input", "input")], []
    for index, layer in enumerate(layers):
        operation = operations.get(str(layer[0]))
        if operation is None:
            raise ValueError(f"architecture: nn_config has no operation {layer[0]} in its embedding")
        nodes.append(_operation(index + 1, operation))
        # The first entry after the operation is the network's input, and none is the layer before: it always counts.
        skipped = [source for source, connected in enumerate(layer[1:]) if connected]
        edges.append(Edge(index, index + 1))
        edges += [Edge(source, index + 1, skip=True) for source in skipped]
    last = len(layers)
    nodes += [
        Node(last + 1, "GlobalAvgPool", "pooling"),
        Node(last + 2, "FullConnect\nSoftmax", "classifier"),
        Node(last + 3, "Output", "output"),
    ]
    edges += [Edge(each, each + 1) for each in range(last, last + 3)]
    return NasGraph(tuple(nodes), tuple(edges))


def cell_graph(genotype: str, cell: str = "normal") -> NasGraph:
    """Of the `normal` or the `reduce` cell in what a trial of DARTS reports. ValueError if there is none such."""
    nodes = [Node(0, "c_{k-2}", "input"), Node(1, "c_{k-1}", "input")]
    edges: list[Edge] = []
    for index, inputs in enumerate(_cell(genotype, cell)):
        number = index + 2
        nodes.append(Node(number, str(index), "state"))
        for each in inputs:
            operation, source = _choice(each)
            if not 0 <= source < number:
                raise ValueError(f"genotype: node {index} of the {cell} cell takes its input from {source}")
            edges.append(Edge(source, number, label=operation))
    output = len(nodes)
    edges += [Edge(each, output) for each in range(2, output)]
    return NasGraph((*nodes, Node(output, "c_{k}", "output")), tuple(edges))


def dot(graph: NasGraph) -> str:
    """As Graphviz reads it, in the order and the form in which upstream's library writes it."""
    edges = sorted({(str(each.source), str(each.target), each.label) for each in graph.edges})
    lines = [
        f"\t{source}->{target}" + (f" [ label={json.dumps(label)} ]" if label else "")
        for source, target, label in edges
    ]
    lines += [
        f"\t{each.id} [ label={json.dumps(each.label)} ]"
        for each in sorted(graph.nodes, key=lambda node: str(node.id))
    ]
    return "digraph G {\n" + "".join(f"{line};\n" for line in lines) + "}\n"


def _layers(architecture: str) -> list[list[int]]:
    found = _json(architecture, "architecture")
    if not isinstance(found, list) or not found or len(found) > _MAX_LAYERS:
        raise ValueError(f"architecture: must be a list of at least one and at most {_MAX_LAYERS} layers")
    for index, layer in enumerate(found):
        if (
            not isinstance(layer, list)
            or not 1 <= len(layer) <= index + 1
            or not all(type(each) is int for each in layer)
        ):
            raise ValueError(
                f"architecture: layer {index} must be a list of at most {index + 1} whole numbers: "
                f"an operation, and one for each earlier layer but the last"
            )
    return found


def _operations(nn_config: str) -> Mapping[str, Any]:
    found = _json(nn_config, "nn_config")
    embedding = found.get("embedding") if isinstance(found, dict) else None
    if not isinstance(embedding, dict):
        raise ValueError("nn_config: has no embedding, which says what each operation is")
    return embedding


def _json(text: str, name: str) -> Any:
    # Assigned in single quotation marks, to fit between a command's double ones.
    try:
        return json.loads(text.strip().strip('"').replace("'", '"'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: is no JSON: {error}") from None


def _operation(number: int, found: Any) -> Node:
    kind = str(found.get("opt_type") or "") if isinstance(found, dict) else ""
    given = found.get("opt_params") if isinstance(found, dict) else None
    parameters = {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    return Node(number, _label(kind, parameters), kind, parameters)


def _label(kind: str, parameters: Mapping[str, str]) -> str:
    if kind == "reduction":
        pool = parameters.get("pool_size", "2")
        return f"{pool}x{pool} {parameters.get('reduction_type', 'max_pooling')}"
    word, size = _WORDS.get(kind, kind), parameters.get("filter_size", "")
    first = f"{size}x{size} {word}" if size else word
    filters = parameters.get("num_filter")
    return f"{first}\n{filters} channels" if filters else first


def _cell(genotype: str, cell: str) -> Sequence[Any]:
    try:
        call = ast.parse(genotype.strip(), mode="eval").body
        named = {each.arg: each.value for each in call.keywords} if isinstance(call, ast.Call) else {}
        found = ast.literal_eval(named[cell]) if cell in named else None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"genotype: cannot be read: {error}") from None
    if not isinstance(found, list) or not all(isinstance(each, list) for each in found):
        raise ValueError(f"genotype: has no {cell} cell, a list of what leads to each of its nodes")
    return found


def _choice(found: Any) -> tuple[str, int]:
    match found:
        case (str(operation), int(source)):
            return operation, source
    raise ValueError(f"genotype: {found!r} is no pair of an operation and the node it reads")
