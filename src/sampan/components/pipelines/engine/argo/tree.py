"""The nodes of one workflow, their phases, and what must be looked at again. Collects the turn, as `recorder` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.components.pipelines.api.argo.document import Called
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.node import ArgoNode, Given, NodeType, Phase
from sampan.components.pipelines.engine.argo.rows import state_of, to_row
from sampan.components.pipelines.engine.turn import RunChange, Turn
from sampan.components.pipelines.store.tasks import StateRow
from sampan.lib.clock import from_micros, rfc3339

Ended = Callable[[ArgoNode], None]


class Tree:
    def __init__(self, context: ArgoContext) -> None:
        self.context = context
        self.nodes: dict[str, ArgoNode] = {}
        self.root: ArgoNode | None = None
        self.turn = Turn()
        self._changed: dict[str, ArgoNode] = {}
        self._dirty: dict[str, ArgoNode] = {}
        self._on_end: list[Ended] = []

    def on_end(self, call: Ended) -> None:
        """`call` is told of every node that ends, once."""
        self._on_end.append(call)

    # What must be looked at

    def mark(self, node: ArgoNode | None) -> None:
        if node is not None:
            self._dirty[node.id] = node

    def next_dirty(self) -> ArgoNode | None:
        if not self._dirty:
            return None
        return self._dirty.pop(next(iter(self._dirty)))

    # Nodes

    def add(
        self,
        parent: ArgoNode | None,
        key: str,
        type_: NodeType,
        called: Called | None = None,
        inputs: Given | None = None,
        **more: Any,
    ) -> ArgoNode:
        """A new node, which begins when it is looked at. `more` are fields of it."""
        more.setdefault("name", key)
        node = ArgoNode(
            id=self.context.new_id(),
            parent=parent,
            key=key,
            path=f"{parent.path}/{key}" if parent else "root",
            type=type_,
            created_at=self.context.now(),
            called=called,
            inputs=inputs or Given(),
            **more,
        )
        self.adopt(node)
        if parent is not None and not node.hook:
            parent.open += 1
        self._set(node, Phase.PENDING)
        self.mark(node)
        return node

    def adopt(self, node: ArgoNode) -> None:
        """Takes a node in, new or restored."""
        self.nodes[node.id] = node
        if node.parent is None:
            self.root = node
        else:
            node.parent.children[node.key] = node

    def touch(self, node: ArgoNode) -> None:
        self._changed[node.id] = node

    def say(self, node: ArgoNode, message: str) -> None:
        if node.message != message:
            node.message = message
            self.touch(node)

    def run(self, node: ArgoNode) -> None:
        """The node is RUNNING."""
        node.message = ""
        self._set(node, Phase.RUNNING)
        if not node.started_at:
            node.started_at = self.context.now()
        self.mark(node)

    def finish(self, node: ArgoNode, phase: Phase, message: str = "") -> None:
        """The node has ended. What waited for it is looked at."""
        if node.phase.is_final:
            return
        node.message = message
        node.is_daemoned = False
        self._set(node, phase)
        now = self.context.now()
        node.started_at = node.started_at or now
        node.finished_at = now
        self.mark(node)
        for call in self._on_end:
            call(node)

    def complete(self, node: ArgoNode) -> None:
        """The node and its hooks are over: tells its parent, once."""
        if node.is_counted:
            return
        node.is_counted = True
        parent = node.parent
        if parent is not None:
            if not node.hook:
                parent.open -= 1
                parent.completed.append(node.key)
            self.mark(parent)

    def recount(self) -> None:
        """After all nodes were restored."""
        for node in self.nodes.values():
            node.is_counted = node.is_complete
        for node in self.nodes.values():
            node.open = sum(not child.is_counted for child in node.own_children)

    def reopen(self, node: ArgoNode) -> None:
        """A node that had ended goes on: for a run that is retried."""
        node.finished_at = 0
        self._set(node, Phase.RUNNING)

    def _set(self, node: ArgoNode, phase: Phase) -> None:
        node.phase = phase
        state = state_of(node)
        if not node.history or node.history[-1].state is not state:
            moment = rfc3339(from_micros(self.context.now()), micro=True)
            node.history.append(StateRow(moment, state))
        self.touch(node)

    # The turn

    def set_run(self, state: RuntimeState, error: str = "") -> None:
        self.turn.run.append(RunChange(state, self.context.now(), error))

    def take(self) -> Turn:
        turn, self.turn = self.turn, Turn()
        for node in self._changed.values():
            row = to_row(node, self.context.run_id)
            (turn.updated if node.is_stored else turn.inserted).append(row)
            node.is_stored = True
        self._changed.clear()
        return turn
