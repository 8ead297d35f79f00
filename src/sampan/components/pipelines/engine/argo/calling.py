"""A step, task or hook calls a template: whether it does (`when`), with what, how often (loops)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.argo import conditions, loops
from sampan.components.pipelines.api.argo.document import Called
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, as_text, has_tags, substitute
from sampan.components.pipelines.engine.argo import scoping
from sampan.components.pipelines.engine.argo.beginning import node_type
from sampan.components.pipelines.engine.argo.binding import arguments
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType, Phase
from sampan.components.pipelines.engine.argo.scoping import Globals
from sampan.components.pipelines.engine.argo.tree import Tree

_CALL_FIELDS = ("template", "templateRef", "inline", "name")
_LONGEST_KEY = 200
MOST_DEEP = 100
"""Templates within templates. Upstream's limit (maxDepth)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new node comes to be."""

    parent: ArgoNode
    key: str
    step: str = ""
    hook: str = ""
    index: int = -1
    item: Any = None


class Calling:
    def __init__(self, tree: Tree, values: Globals) -> None:
        self._tree = tree
        self._globals = values
        self._document = tree.context.document

    def variables(self, scope: ArgoNode, kind: str, *holders: Mapping[str, Any]) -> Variables:
        """What the fields of `holders`, steps or tasks of the node `scope`, may name. `kind` is `steps` or `tasks`."""
        variables = self._globals.variables(self._tree.root)
        outer = scope.boundary
        if scope.called is not None and "~" in scope.called.name and outer is not None:
            variables = variables.with_layer(scoping.inputs_of(outer))
        results = scoping.results_of(scope, kind, sorted(scoping.named(*holders)))
        return variables.with_layer({**scoping.inputs_of(scope), **results})

    def expand(self, step: Mapping[str, Any], variables: Variables) -> list[Any] | str:
        """The items of a loop; or why there is none of them to run. Raises ArgoError."""
        when = step.get("when")
        if when is not None and "item" not in str(when) and (skipped := _skips(when, variables)):
            return skipped
        return loops.items(step, variables)

    def call(self, place: Place, holder: Mapping[str, Any], caller: Called, variables: Variables) -> ArgoNode:
        """A node for what the holder calls: one that begins, or one that is skipped, or wrong."""
        called: Called | None = None
        try:
            if (skipped := _skips(holder.get("when"), variables)) and not place.hook:
                called = self._called(holder, caller, variables, strict=False)
                node = self._add(place, NodeType.SKIPPED, called)
                self._tree.finish(node, Phase.SKIPPED, skipped)
                return node
            called = self._called(holder, caller, variables)
            assert called is not None
            if _depth(place.parent) > MOST_DEEP:
                raise ArgoError(f"Maximum recursion depth exceeded ({MOST_DEEP} templates within each other)")
            node = self._add(place, node_type(called), called)
            node.inputs = arguments(holder, variables, called.template)
            return node
        except ArgoError as error:
            return self.wrong(place, error.message, called)

    def skip(self, place: Place, holder: Mapping[str, Any], caller: Called, message: str) -> ArgoNode:
        called = self._called(holder, caller, Variables(), strict=False)
        node = self._add(place, NodeType.SKIPPED, called)
        self._tree.finish(node, Phase.SKIPPED, message)
        return node

    def omit(self, place: Place, holder: Mapping[str, Any], caller: Called) -> ArgoNode:
        called = self._called(holder, caller, Variables(), strict=False)
        node = self._add(place, NodeType.SKIPPED, called)
        self._tree.finish(node, Phase.OMITTED, "omitted: depends condition not met")
        return node

    def wrong(self, place: Place, message: str, called: Called | None = None) -> ArgoNode:
        node = place.parent.children.get(place.key)
        if node is None:
            node = self._add(place, node_type(called), called)
        self._tree.finish(node, Phase.ERROR, message)
        return node

    def _add(self, place: Place, type_: NodeType, called: Called | None) -> ArgoNode:
        name = place.key
        if place.hook:
            name = f"{place.parent.name}.{'onExit' if place.hook == 'exit' else place.key}"
        node = self._tree.add(
            place.parent,
            place.key,
            type_,
            called,
            name=name,
            step=place.step,
            hook=place.hook,
            index=place.index,
        )
        if place.item is not None and called is not None and "~" in called.name:
            # What stands in an inline template may name the item of the loop around it.
            node.kept["item"] = place.item
        return node

    def _called(
        self, holder: Mapping[str, Any], caller: Called, variables: Variables, *, strict: bool = True
    ) -> Called | None:
        named = {key: holder[key] for key in _CALL_FIELDS if key in holder}
        if has_tags(named.get("template")) or named.get("templateRef"):
            named |= substitute(
                {key: named[key] for key in ("template", "templateRef") if key in named}, variables
            )
        found = self._document.called(caller.scope, caller.name, named)
        if found is None and strict:
            ref = named.get("templateRef")
            wanted = f"{ref.get('name')}/{ref.get('template')}" if ref else named.get("template")
            raise ArgoError(f'there is no template "{wanted}"')
        return found


def key_of(step: str, index: int, item: Any) -> str:
    """Of one repetition of a step."""
    key = loops.name_of(step, index, item)
    return key if len(key) <= _LONGEST_KEY else f"{key[: _LONGEST_KEY - 4]}...)"


def _skips(when: Any, variables: Variables) -> str:
    """Why the condition keeps the step from running; empty where it does not. Raises ArgoError."""
    if when is None:
        return ""
    text = as_text(substitute(when, variables))
    return "" if conditions.holds(text) else f"when '{text}' evaluated false"


def _depth(node: ArgoNode) -> int:
    depth, at = 0, node.parent
    while at is not None:
        depth += at.type in (NodeType.STEPS, NodeType.DAG)
        at = at.parent
    return depth
