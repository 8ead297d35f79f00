"""Nodes that are tried several times: a child for each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import substitute
from sampan.components.pipelines.engine.argo.beginning import Beginning, Control, node_type
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.node import ArgoNode, Given, Phase
from sampan.components.pipelines.engine.argo.retries import decide, last_of
from sampan.components.pipelines.engine.argo.tree import Tree


class Retrying:
    def __init__(self, tree: Tree, beginning: Beginning, leaves: Leaves, control: Control) -> None:
        self._tree = tree
        self._beginning = beginning
        self._leaves = leaves
        self._control = control

    def look(self, node: ArgoNode) -> None:
        """Something about an attempt has changed, or the time for the next one has come."""
        attempts = sorted(node.own_children, key=lambda child: child.index)
        last = attempts[-1] if attempts else None
        if last is None or len(attempts) <= int(node.kept.get("discount", 0)):
            # The first; or the first of a run that is retried, after those of its former try.
            self._attempt(node, last.index + 1 if last is not None else 0)
            return
        node.address = last.address
        if last.is_daemoned:
            if not node.is_daemoned:
                node.is_daemoned = True
                self._tree.touch(node)
                self._tree.complete(node)
            return
        if not last.is_complete:
            return
        if not last.phase.is_bad:
            node.outputs = last.outputs
            self._tree.finish(node, last.phase)
        else:
            self._after_failure(node, last, attempts)

    def _attempt(self, node: ArgoNode, index: int) -> None:
        given = Given(dict(node.inputs.parameters), dict(node.inputs.artifacts))
        name = f"{node.name}({index})"
        child = self._tree.add(node, name, node_type(node.called), node.called, given, index=index)
        child.kept["bound"] = True
        if node.is_daemoned:
            node.is_daemoned = False
        self._tree.say(node, "")

    def _after_failure(self, node: ArgoNode, last: ArgoNode, attempts: list[ArgoNode]) -> None:
        node.outputs.exit_code = last.outputs.exit_code
        if last.is_stopped or self._control.forbids(node):
            node.is_stopped = True
            self._tree.finish(node, last.phase, last.message)
            return
        now = self._tree.context.now()
        variables = self._beginning.variables(node)
        discount = int(node.kept.get("discount", 0))
        try:
            strategy = self._strategy(node)
            # The expression is evaluated with the last attempt among its variables, not replaced before.
            plain = {key: value for key, value in strategy.items() if key != "expression"}
            strategy = {**strategy, **substitute(plain, variables)}
            elapsed = (last.finished_at - attempts[discount].started_at) / 1e6
            decision = decide(strategy, last_of(last), len(attempts) - discount, elapsed, variables)
        except ArgoError as error:
            self._tree.finish(node, Phase.ERROR, error.message)
            return
        if decision.delay_seconds is None:
            node.outputs = last.outputs
            self._tree.finish(node, last.phase, decision.message)
            return
        due = last.finished_at / 1e6 + decision.delay_seconds
        if due <= now / 1e6:
            self._attempt(node, last.index + 1)
            return
        if node.fetched.get("due") != due:
            node.fetched["due"] = due
            self._leaves.set_timer(node, due)
        self._tree.say(node, f"Backoff for {decision.delay_seconds:g} seconds: {last.message}")

    def _strategy(self, node: ArgoNode) -> Mapping[str, Any]:
        assert node.called is not None
        own = node.called.template.get("retryStrategy")
        found: Mapping[str, Any] = (
            own if own is not None else self._tree.context.document.spec["retryStrategy"]
        )
        return found
