"""What is sent of a graph that has changed."""

from __future__ import annotations

from sampan.ui.graph.model import Edge, Graph, Node, changed, is_same_shape

_ONE = Graph(
    [Node("a", "one"), Node("b", "two", group="g"), Node("g", "group", holds="loop")], [Edge("a", "g")]
)


def test_states_and_labels_change_without_another_shape() -> None:
    other = Graph(
        [Node("a", "one", state="Running", tone="busy", progress=0.5), *_ONE.nodes[1:]], [Edge("a", "g")]
    )
    assert is_same_shape(_ONE, other)
    assert [node.id for node in changed(_ONE, other)] == ["a"]
    assert changed(_ONE, _ONE) == []


def test_nodes_groups_edges_and_the_direction_make_the_shape() -> None:
    nodes = list(_ONE.nodes)
    for other in (
        Graph(nodes[:2], _ONE.edges),
        Graph([*nodes[:1], Node("b", "two"), nodes[2]], _ONE.edges),
        Graph([*nodes[:2], Node("g", "group")], _ONE.edges),
        Graph(nodes, [Edge("a", "b")]),
        Graph(nodes, _ONE.edges, direction="right"),
    ):
        assert not is_same_shape(_ONE, other)
