"""What is sent of a graph that has changed."""

from __future__ import annotations

from sampan.ui.graph.model import Edge, Graph, Node, changed, growth, is_same_shape

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


def _applied(old: Graph, new: Graph) -> Graph | None:
    """As the browser does it."""
    found = growth(old, new)
    if found is None:
        return None
    news = {node.id: node for node in found.changed}
    nodes = [news.get(node.id, node) for node in old.nodes if node.id not in found.removed]
    edges = [edge for edge in old.edges if edge not in found.lost]
    for at, node in found.added:
        nodes.insert(at, node)
    for at, edge in found.edges:
        edges.insert(at, edge)
    return Graph(nodes, edges, new.direction)


def test_what_comes_and_goes_is_said_in_few_words() -> None:
    old = Graph([Node(each, each) for each in "abcdef"], [Edge("a", "b"), Edge("b", "c"), Edge("e", "f")])
    new = Graph(
        [
            Node("x", "x"),
            Node("a", "a", state="Running"),
            Node("c", "c"),
            Node("d", "d"),
            Node("y", "y"),
            Node("f", "f"),
        ],
        [Edge("x", "a"), Edge("e", "f"), Edge("a", "y")],
    )
    assert _applied(old, new) == new
    found = growth(old, new)
    assert found is not None
    assert [node.id for _, node in found.added] == ["x", "y"]
    assert [node.id for node in found.changed] == ["a"]


def test_what_moves_or_is_mostly_new_is_said_anew() -> None:
    old = Graph([Node("a", "a"), Node("b", "b")])
    assert growth(Graph(), old) is None
    assert growth(old, Graph([Node("b", "b"), Node("a", "a")])) is None
    assert growth(old, Graph([Node("a", "a", holds="loop"), Node("b", "b")])) is None
    assert growth(old, Graph([Node(each, each) for each in "abcdef"])) is None
    assert growth(old, Graph(old.nodes, direction="right")) is None
