"""Lifecycle hooks and exit handlers: of the workflow, and of steps and tasks.

A hook without an expression named `exit` runs when what it watches has ended; others once their expression holds. Only
an exit handler of the workflow may make it fail.

Source: docs/lifecyclehook.md, argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo.document import LOCAL, Called, hooks
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo.beginning import Control
from sampan.components.pipelines.engine.argo.calling import Calling, Place
from sampan.components.pipelines.engine.argo.dags import Dags
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType
from sampan.components.pipelines.engine.argo.scoping import Globals
from sampan.components.pipelines.engine.argo.steps import Steps
from sampan.components.pipelines.engine.argo.tree import Tree

_EXIT = "exit"


class Hooks:
    def __init__(self, tree: Tree, values: Globals, calling: Calling, steps: Steps, dags: Dags) -> None:
        self._tree = tree
        self._globals = values
        self._calling = calling
        self._steps = steps
        self._dags = dags
        self._of_workflow = hooks(tree.context.document.spec)

    def look(self, node: ArgoNode, control: Control) -> None:
        """The node's phase may have changed: hooks of its step or task begin."""
        if not node.step or node.hook or node.index >= 0 or control.forbids(node):
            # Of a loop, it is the group that has the hooks; in steps, where there is none, each repetition.
            in_group = node.parent is not None and node.parent.type is NodeType.STEP_GROUP
            if not (node.step and node.index >= 0 and in_group) or node.hook or control.forbids(node):
                return
        holder = self._holder(node)
        wanted = hooks(holder)
        if not wanted:
            return
        scope = _scope(node)
        assert scope is not None
        assert scope.called is not None
        kind = "tasks" if scope.type is NodeType.DAG else "steps"
        for name, hook in wanted.items():
            if f"hooks.{name}" in node.children or not self._is_due(name, hook, node):
                continue
            variables = self._calling.variables(scope, kind, hook, {"name": f"{{{{{kind}.{node.step}.x}}}}"})
            self._begin(node, name, hook, scope.called, variables)

    def look_at_workflow(self, root: ArgoNode, *, is_over: bool) -> None:
        """Hooks of the workflow whose time has come."""
        caller = Called(LOCAL, "", {})
        for name, hook in self._of_workflow.items():
            if f"hooks.{name}" in root.children or (name == _EXIT and not is_over):
                continue
            self._begin(root, name, hook, caller, self._globals.variables(root))

    @property
    def has_workflow_hooks(self) -> bool:
        return bool(self._of_workflow)

    def _is_due(self, name: str, hook: Mapping[str, Any], node: ArgoNode) -> bool:
        if name == _EXIT:
            return node.phase.is_completed
        return bool(hook.get("expression"))

    def _begin(
        self, node: ArgoNode, name: str, hook: Mapping[str, Any], caller: Called, variables: Variables
    ) -> None:
        place = Place(node, f"hooks.{name}", hook=name)
        if expression := hook.get("expression"):
            try:
                if variables.evaluate(str(substitute(expression, variables))) is not True:
                    return
            except ArgoError as error:
                if node.phase.is_final:
                    self._calling.wrong(place, error.message)
                return
        self._calling.call(place, hook, caller, variables)

    def _holder(self, node: ArgoNode) -> Mapping[str, Any]:
        scope = _scope(node)
        if scope is None:
            return {}
        return self._dags.task_of(node) if scope.type is NodeType.DAG else self._steps.step_of(node)


def _scope(node: ArgoNode) -> ArgoNode | None:
    """The steps or DAG that a step's or task's node stands in directly."""
    parent = node.parent
    if parent is not None and parent.type is NodeType.STEP_GROUP:
        return parent.parent
    return parent if parent is not None and parent.type is NodeType.DAG else None
