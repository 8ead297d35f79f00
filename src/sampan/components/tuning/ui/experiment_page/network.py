"""What Katib's web API says of a searched architecture, as a graph for the page. Pure.

Of `/katib/fetch_nas_job_info`: an architecture is a text that Graphviz reads, a statement on each line.
Source: kubeflow/katib 0.19 pkg/ui/v1beta1/nas.go, util.go (generateNNImage).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.ui import states
from sampan.ui.graph.model import Edge, Graph, Node

_STATEMENT = re.compile(
    r'\s*(\w+)\s*(?:->\s*(\w+)\s*)?(?:\[\s*label\s*=\s*("(?:[^"\\]|\\.)*")\s*\])?\s*;?\s*$'
)
_KINDS = (
    (re.compile("^input|^c_", re.I), "login"),
    (re.compile("^output", re.I), "logout"),
    (re.compile("pool", re.I), "compress"),
    (re.compile("conv", re.I), "filter_alt"),
)


@dataclass(frozen=True, slots=True)
class Architecture:
    trial: str
    graph: Graph
    measured: dict[str, str]


def architectures(answer: Sequence[Any]) -> list[Architecture]:
    """Of each trial that has one, in the order in which they came."""
    found = []
    for each in answer:
        names, values = each.get("MetricsName") or (), each.get("MetricsValue") or ()
        # The last of each name: what was reported last.
        measured = {str(name): states.value(str(value)) for name, value in zip(names, values, strict=False)}
        graph = read(str(each.get("Architecture") or ""))
        if graph.nodes:
            found.append(Architecture(str(each.get("TrialName") or each.get("Name") or ""), graph, measured))
    return found


def read(dot: str) -> Graph:
    """What is no statement of a node or an edge is left out."""
    labels: dict[str, str] = {}
    edges: list[Edge] = []
    for line in dot.splitlines():
        match = _STATEMENT.match(line)
        if match is None:
            continue
        source, target, quoted = match.groups()
        label = _text(quoted)
        if target is None:
            labels[source] = label or source
        else:
            labels.setdefault(source, source)
            labels.setdefault(target, target)
            edges.append(Edge(source, target, "artifact", label))
    return Graph([_node(key, label) for key, label in labels.items()], edges)


def _node(key: str, label: str) -> Node:
    first, _, rest = label.partition("\n")
    icon = next((icon for pattern, icon in _KINDS if pattern.search(first)), "functions")
    return Node(key, first, icon=icon, detail=rest.replace("\n", " "), title=label)


def _text(quoted: str | None) -> str:
    try:
        return str(json.loads(quoted)) if quoted else ""
    except ValueError:
        return (quoted or "").strip('"')
