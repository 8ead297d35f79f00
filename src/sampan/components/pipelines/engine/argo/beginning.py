"""A node begins: its inputs, its gates one after the other, then what its template is.

The gates are the shutdown and the suspension of the workflow, the parallelism of what holds it, memoization, and locks.
A node that one of them keeps back is looked at again when that may have changed.

Source: workflow/controller/operator.go (executeTemplate), argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.argo.document import Called, type_of
from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo import scoping
from sampan.components.pipelines.engine.argo.binding import bind
from sampan.components.pipelines.engine.argo.configmaps import ReadConfigMap, value_of
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.locking import Locking
from sampan.components.pipelines.engine.argo.memos import Memos
from sampan.components.pipelines.engine.argo.node import ArgoNode, Given, NodeType, Phase
from sampan.components.pipelines.engine.argo.scoping import Globals
from sampan.components.pipelines.engine.argo.tree import Tree

_TYPES = {
    "container": NodeType.POD,
    "script": NodeType.POD,
    "containerSet": NodeType.POD,
    "resource": NodeType.POD,
    "data": NodeType.POD,
    "steps": NodeType.STEPS,
    "dag": NodeType.DAG,
    "suspend": NodeType.SUSPEND,
    "http": NodeType.HTTP,
}


@dataclass(slots=True)
class Control:
    """What the user has asked of the workflow as a whole."""

    shutdown: str = ""
    """`Stop` lets exit handlers run, `Terminate` does not."""
    why: str = ""
    is_suspended: bool = False

    def forbids(self, node: ArgoNode) -> bool:
        return self.shutdown == "Terminate" or (self.shutdown == "Stop" and not node.is_of_exit_handler)


def node_type(called: Called | None) -> NodeType:
    return _TYPES.get(type_of(called.template), NodeType.SKIPPED) if called is not None else NodeType.SKIPPED


class Beginning:
    def __init__(self, tree: Tree, values: Globals, leaves: Leaves, control: Control) -> None:
        self._tree = tree
        self._globals = values
        self._leaves = leaves
        self._control = control
        self._memos = Memos(tree, leaves)
        self._locking = Locking(tree, leaves)
        self._spec = tree.context.document.spec

    def begin(self, node: ArgoNode) -> None:
        """Passes the node's gates, as far as they are open."""
        assert node.called is not None
        if self._control.forbids(node):
            node.is_stopped = True
            self._tree.finish(node, Phase.FAILED, self._control.why)
            return
        if self._control.is_suspended:
            return
        try:
            if node.parent is not None and node.parent.type is NodeType.RETRY:
                # Its inputs and locks are those of the node that tries again and again.
                self._start(node)
                return
            if not self._may_begin(node):
                return
            template = node.called.template
            variables = self.variables(node)
            memoize = substitute(template.get("memoize"), variables)
            if memoize and not self._memos.look(node, memoize):
                return
            wanted = substitute(template.get("synchronization"), variables)
            if not node.phase.is_final and self._locking.has_locks(node, wanted):
                self._start(node)
        except ArgoError as error:
            self._tree.finish(node, Phase.ERROR, error.message)

    def variables(self, node: ArgoNode) -> Variables:
        """What the fields of the node's template may name."""
        variables = self._globals.variables(self._tree.root)
        if node.called is not None and "~" in node.called.name:
            variables = variables.with_layer(scoping.around(node))
        return variables.with_layer(scoping.inputs_of(node))

    def _may_begin(self, node: ArgoNode) -> bool:
        if not self._has_room(node):
            return False
        if node.kept.get("bound"):
            return True
        assert node.called is not None
        template = node.called.template
        given = self._with_config_maps(node, template)
        if given is None:
            return False
        node.inputs = bind(template, given, self._globals.variables(self._tree.root))
        node.kept["bound"] = True
        return True

    # Inputs

    def _with_config_maps(self, node: ArgoNode, template: Mapping[str, Any]) -> Given | None:
        """The arguments, and the inputs that come from ConfigMaps; None while those are being read."""
        given = Given(dict(node.inputs.parameters), dict(node.inputs.artifacts))
        for item in (template.get("inputs") or {}).get("parameters") or ():
            name = str(item.get("name"))
            source = item.get("valueFrom") or {}
            reference = source.get("configMapKeyRef")
            if reference is None or name in given.parameters or item.get("value") is not None:
                continue
            wanted = substitute(
                reference, self._globals.variables(self._tree.root).with_layer(_parameters(given))
            )
            found = self._leaves.ask(node, ReadConfigMap(node.id, str(wanted.get("name", ""))))
            if found is None:
                return None
            value = value_of(
                found, wanted, source.get("default", item.get("default")), f"inputs.parameters.{name}"
            )
            if value is not None:
                given.parameters[name] = value
        return given

    # Parallelism

    def _has_room(self, node: ArgoNode) -> bool:
        """Whether the steps or DAG that holds the node lets one more of its own run."""
        holder = node.boundary
        if holder is None or holder.called is None or node.hook:
            return True
        template = holder.called.template
        if template.get("failFast") and any(child.phase.is_bad for child in _within(holder)):
            self._tree.finish(
                node, Phase.SKIPPED, "template has failed or errored children and failFast enabled"
            )
            return False
        limit = template.get("parallelism")
        if limit is None:
            return True
        limit = int(substitute(str(limit), self.variables(holder)))
        active = sum(child.has_begun and not child.is_over for child in _within(holder))
        # kfp 1.8 writes 0 where there is no limit.
        if limit <= 0 or active < limit:
            return True
        self._tree.say(node, f"waits: {active} of at most {limit} run (parallelism)")
        return False

    def next_in(self, node: ArgoNode) -> None:
        """A node has ended: those beside it that waited for it are looked at."""
        holder = node.boundary
        if holder is None or holder.called is None:
            return
        template = holder.called.template
        if template.get("parallelism") is not None or template.get("failFast"):
            for child in _within(holder):
                if not child.has_begun and not child.phase.is_final:
                    self._tree.mark(child)

    # Starting

    def _start(self, node: ArgoNode) -> None:
        assert node.called is not None
        node.has_begun = True
        template = node.called.template
        self._set_deadline(node, template)
        is_attempt = node.parent is not None and node.parent.type is NodeType.RETRY
        own, general = template.get("retryStrategy"), self._spec.get("retryStrategy")
        # An empty strategy is one: without end.
        if not is_attempt and (own is not None or general is not None):
            node.type = NodeType.RETRY
        if node.type in (NodeType.RETRY, NodeType.STEPS, NodeType.DAG):
            self._tree.run(node)
        else:
            self._leaves.begin(node)

    def _set_deadline(self, node: ArgoNode, template: Mapping[str, Any]) -> None:
        """`timeout` counts from when the node came to be; `activeDeadlineSeconds` of steps and DAGs from its start."""
        limits: list[float] = []
        variables = self.variables(node)
        if timeout := template.get("timeout"):
            limits.append(node.created_at / 1e6 + seconds(substitute(timeout, variables)))
        is_pod = node.type is NodeType.POD
        if not is_pod and (active := template.get("activeDeadlineSeconds")) is not None:
            limits.append(self._tree.context.now() / 1e6 + seconds(substitute(active, variables)))
        if limits:
            node.kept["deadline"] = min(limits)
            self._leaves.set_timer(node, min(limits))


def _within(holder: ArgoNode) -> Iterator[ArgoNode]:
    """The nodes that count for the parallelism of steps or a DAG: its steps and tasks, in their repetitions."""
    for child in holder.own_children:
        if child.type in (NodeType.STEP_GROUP, NodeType.TASK_GROUP):
            yield from (inner for inner in child.own_children if inner.called is not None)
        elif child.called is not None:
            yield child


def _parameters(given: Given) -> dict[str, Any]:
    return {f"inputs.parameters.{name}": value for name, value in given.parameters.items()}
