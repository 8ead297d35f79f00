"""Steps: groups one after the other, the steps of a group at once.

Source: workflow/controller/steps.go, argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo import loops
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.engine.argo.binding import outputs
from sampan.components.pipelines.engine.argo.calling import Calling, Place, key_of
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType, Phase
from sampan.components.pipelines.engine.argo.tree import Tree


class Steps:
    def __init__(self, tree: Tree, calling: Calling, leaves: Leaves) -> None:
        self._tree = tree
        self._calling = calling
        self._leaves = leaves

    def look(self, node: ArgoNode) -> None:
        """Something below these steps has changed."""
        assert node.called is not None
        groups = node.called.template.get("steps") or []
        done = sum(child.type is NodeType.STEP_GROUP for child in node.children.values())
        last = node.children.get(f"[{done - 1}]")
        if last is not None and not last.is_complete:
            return
        if last is not None and last.phase.is_bad:
            self._end(node, last.phase, last.message)
        elif done < len(groups):
            self._tree.add(node, f"[{done}]", NodeType.STEP_GROUP)
        else:
            try:
                node.outputs = outputs(
                    node.called.template, self._calling.variables(node, "steps", node.called.template)
                )
            except ArgoError as error:
                self._end(node, Phase.ERROR, error.message)
                return
            self._end(node, Phase.SUCCEEDED)

    def look_at_group(self, group: ArgoNode) -> None:
        steps = self._of(group)
        if not group.has_begun:
            group.has_begun = True
            self._tree.run(group)
            for step in steps:
                self._begin(group, step)
        if group.open:
            return
        by_name = {str(step.get("name", "")): step for step in steps}
        bad = [
            child
            for child in group.own_children
            if child.phase.is_bad and not goes_on(by_name.get(child.step), child)
        ]
        if bad:
            self._tree.finish(group, Phase.FAILED, f"child '{bad[0].name}' failed: {bad[0].message}")
        else:
            self._tree.finish(group, Phase.SUCCEEDED)

    def step_of(self, node: ArgoNode) -> Mapping[str, Any]:
        """The step that a node in a group is of."""
        assert node.parent is not None
        return next((step for step in self._of(node.parent) if step.get("name") == node.step), {})

    def _of(self, group: ArgoNode) -> list[Mapping[str, Any]]:
        assert group.parent is not None
        assert group.parent.called is not None
        found = group.parent.called.template["steps"][int(group.key[1:-1])]
        return list(found) if isinstance(found, list) else [found]

    def _begin(self, group: ArgoNode, step: Mapping[str, Any]) -> None:
        scope = group.parent
        assert scope is not None
        assert scope.called is not None
        name = str(step.get("name", ""))
        variables = self._calling.variables(scope, "steps", step)
        if not loops.is_loop(step):
            self._calling.call(Place(group, name, name), step, scope.called, variables)
            return
        try:
            items = self._calling.expand(step, variables)
        except ArgoError as error:
            self._calling.wrong(Place(group, name, name), error.message)
            return
        if isinstance(items, str) or not items:
            why = items if isinstance(items, str) else "Skipped, empty params"
            self._calling.skip(Place(group, name, name), step, scope.called, why)
            return
        for index, item in enumerate(items):
            place = Place(group, key_of(name, index, item), name, index=index, item=item)
            inner = variables.with_layer(loops.variables_of(item))
            self._calling.call(place, step, scope.called, inner)

    def _end(self, node: ArgoNode, phase: Phase, message: str = "") -> None:
        self._leaves.end_daemons(node)
        self._tree.finish(node, phase, message)


def goes_on(step: Mapping[str, Any] | None, node: ArgoNode) -> bool:
    """Whether the failure of the node is none for what holds it: `continueOn`."""
    on = (step or {}).get("continueOn") or {}
    return bool(on.get("failed" if node.phase is Phase.FAILED else "error"))
