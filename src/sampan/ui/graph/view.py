"""The graph on a page.

    view = GraphView(label="Steps of the run", on_select=open_step)
    view.show(graph)            # at first and after each change; what the user looks at stays where it is
    view.select(task_id)        # from outside: an address, a list beside it

State, progress and badges of nodes that stay are sent by themselves, without a new layout. What the user folds, looks
for or moves is the browser's own affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from nicegui.element import Element

from sampan.ui.graph.model import Graph, changed, growth, is_same_shape

_EMPTY = Graph()


class GraphView(Element, component="graph.js", esm={"sampan-graph": "modules"}):
    """Fills the width; its height is `height` at most, and less for a small graph."""

    def __init__(
        self,
        *,
        label: str,
        on_select: Callable[[str], Any] | None = None,
        on_toggle: Callable[[str, bool], Any] | None = None,
        height: str = "min(68vh, 760px)",
    ) -> None:
        """`label` names the graph for whoever hears it.

        `on_select` gets the id of the node that the user chose, empty when none is chosen any more; `on_toggle` a
        group's id and whether it is open now.
        """
        super().__init__()
        self._graph = _EMPTY
        self.selected = ""
        self._props.update(label=label, height=height, selected="", graph="")
        if on_select is not None:
            self.on("select", lambda event: self._choose(str(event.args), on_select))
        if on_toggle is not None:
            self.on("toggle", lambda event: on_toggle(str(event.args["id"]), bool(event.args["open"])))

    @property
    def graph(self) -> Graph:
        return self._graph

    def show(self, graph: Graph) -> None:
        """All of it. Only what differs from the last is sent."""
        former, self._graph = self._graph, graph
        # One text rather than lists: a tab on the server costs a copy of it, not thousands of objects.
        dict.__setitem__(self._props, "graph", msgspec.json.encode(graph).decode())
        if is_same_shape(former, graph):
            if nodes := changed(former, graph):
                self.run_method("patch", msgspec.json.encode(nodes).decode())
        elif (grown := growth(former, graph)) is not None:
            self.run_method("grow", msgspec.json.encode(grown).decode())
        else:
            self.update()

    def select(self, node_id: str, *, reveal: bool = True) -> None:
        """Marks a node; `reveal` unfolds what holds it and brings it into sight. Empty for none."""
        self.selected = node_id
        dict.__setitem__(self._props, "selected", node_id)
        self.run_method("choose", node_id, reveal)

    def _choose(self, node_id: str, on_select: Callable[[str], Any]) -> Any:
        self.selected = node_id
        dict.__setitem__(self._props, "selected", node_id)
        return on_select(node_id)
