"""What a graph is made of. Pure data, made by whoever shows one and drawn by the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """One box; or a group, which holds others and can be folded into one box."""

    id: str
    """Unique in the graph, and the same for the same thing from one `show` to the next."""
    label: str
    group: str = ""
    """The id of the group that holds it; empty for the outermost."""
    kind: str = "step"
    """How it looks: `step`, or `artifact` (small and rounded: a thing rather than a doing)."""
    icon: str = ""
    """A Material icon for what it is. Its state has an icon of its own."""
    detail: str = ""
    """A second line, in small, where there is no state to show."""
    state: str = ""
    """A word: Running."""
    tone: str = ""
    """Of the state: `ok`, `bad`, `busy`, `warn`, `idle`; empty for what has not begun or has no state."""
    badge: str = ""
    """Something short beside the state: `attempt 2`, `3/10`."""
    progress: float = -1.0
    """From 0 to 1; below 0 for none."""
    title: str = ""
    """Shown on pointing at it: the whole name, the error."""
    holds: str = ""
    """For a group, what kind of things it holds, in a word: `pipeline`, `condition`, `loop`, `iterations`, …. Children
    of a group of `iterations` are the same thing again and again, and are shown a page at a time. Empty: no group."""
    open: bool = False
    """Whether a group is unfolded at first; after that it is as the user left it."""
    counts: Mapping[str, int] = {}
    """Of a group: by tone, how many of what it holds."""


class Edge(msgspec.Struct, frozen=True, omit_defaults=True):
    source: str
    target: str
    kind: str = "order"
    """`artifact`, `parameter`, or `order` where nothing but time goes along it."""
    label: str = ""
    """Shown while one of its ends is pointed at or chosen."""


class Graph(msgspec.Struct, frozen=True, omit_defaults=True):
    """Edges from one group into another are drawn between those that stand side by side; to nowhere, not at all."""

    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()
    direction: str = "down"
    """`down` or `right`: where the edges lead."""


def is_same_shape(one: Graph, other: Graph) -> bool:
    """Whether they differ at most in what the nodes say of themselves, so that nothing has to be laid out again."""
    return (
        one.direction == other.direction
        and len(one.nodes) == len(other.nodes)
        and one.edges == other.edges
        and all(_place(a) == _place(b) for a, b in zip(one.nodes, other.nodes, strict=True))
    )


def changed(old: Graph, new: Graph) -> list[Node]:
    """Of two of the same shape: the nodes that differ, as they are in `new`."""
    return [b for a, b in zip(old.nodes, new.nodes, strict=True) if a != b]


class Growth(msgspec.Struct, frozen=True, omit_defaults=True):
    """From one graph to another in few words: what goes, then what comes, each with its place in the whole."""

    removed: Sequence[str] = ()
    added: Sequence[tuple[int, Node]] = ()
    changed: Sequence[Node] = ()
    lost: Sequence[Edge] = ()
    edges: Sequence[tuple[int, Edge]] = ()


def growth(old: Graph, new: Graph) -> Growth | None:
    """None where all of `new` is said as quickly: after other changes than that something came or went."""
    if old.direction != new.direction or not old.nodes:
        return None
    before = {node.id: node for node in old.nodes}
    after = {node.id: node for node in new.nodes}
    known = set(old.edges)
    wanted = set(new.edges)
    added = [(at, node) for at, node in enumerate(new.nodes) if node.id not in before]
    kept = [node for node in new.nodes if node.id in before]
    if (
        [node.id for node in kept] != [node.id for node in old.nodes if node.id in after]
        or any(_place(before[node.id]) != _place(node) for node in kept)
        or [edge for edge in new.edges if edge in known] != [edge for edge in old.edges if edge in wanted]
        or 2 * len(added) > len(new.nodes)
    ):
        return None
    return Growth(
        [node.id for node in old.nodes if node.id not in after],
        added,
        [node for node in kept if before[node.id] != node],
        [edge for edge in old.edges if edge not in wanted],
        [(at, edge) for at, edge in enumerate(new.edges) if edge not in known],
    )


def _place(node: Node) -> tuple[str, str, str, str]:
    return node.id, node.group, node.kind, node.holds
