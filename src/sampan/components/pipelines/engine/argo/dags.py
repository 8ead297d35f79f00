"""DAGs: each task as soon as what it depends on allows.

Source: workflow/controller/dag.go, argo-workflows v3.7. There the whole DAG is walked at every event; here tasks count
what they still wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.argo import depends, loops
from sampan.components.pipelines.api.argo.depends import Term
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import as_text, substitute
from sampan.components.pipelines.engine.argo.binding import outputs
from sampan.components.pipelines.engine.argo.calling import Calling, Place, key_of
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType, Phase
from sampan.components.pipelines.engine.argo.steps import goes_on
from sampan.components.pipelines.engine.argo.tree import Tree


@dataclass(frozen=True, slots=True)
class Shape:
    """A DAG template, read once and shared by all its instances. Only tasks that a target needs are in it."""

    tasks: Mapping[str, Mapping[str, Any]]
    """In an order in which a task comes after those that it depends on."""
    conditions: Mapping[str, Term]
    wanted: Mapping[str, tuple[str, ...]]
    successors: Mapping[str, tuple[str, ...]]
    targets: tuple[str, ...]


def shape(template: Mapping[str, Any], target: str) -> Shape:
    """Raises ArgoError for what validation refuses."""
    tasks = {str(task.get("name", "")): task for task in template["dag"].get("tasks") or ()}
    conditions = {name: depends.condition(task, tasks) for name, task in tasks.items()}
    wanted = {name: tuple(dict.fromkeys(term.tasks())) for name, term in conditions.items()}
    for name, others in wanted.items():
        for other in others:
            if other not in tasks:
                raise ArgoError(f'task "{name}" depends on "{other}", which is no task of this DAG')
    needed = {other for others in wanted.values() for other in others}
    targets = tuple(target.split()) or tuple(name for name in tasks if name not in needed)
    order = _order(targets, wanted)
    successors: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for other in wanted[name]:
            successors[other].append(name)
    return Shape(
        {name: tasks[name] for name in order},
        {name: conditions[name] for name in order},
        {name: wanted[name] for name in order},
        {name: tuple(found) for name, found in successors.items()},
        targets,
    )


def _order(targets: tuple[str, ...], wanted: Mapping[str, tuple[str, ...]]) -> list[str]:
    order: dict[str, None] = {}
    open_: set[str] = set()
    stack = [(name, False) for name in reversed(targets)]
    while stack:
        name, is_left = stack.pop()
        if is_left:
            open_.discard(name)
            order[name] = None
            continue
        if name in order:
            continue
        if name not in wanted:
            raise ArgoError(f'target "{name}" is no task of this DAG')
        if name in open_:
            raise ArgoError(f'task "{name}" depends on itself')
        open_.add(name)
        stack.append((name, True))
        for other in reversed(wanted[name]):
            if other in open_:
                raise ArgoError(f'task "{other}" depends on itself')
            if other not in order:
                stack.append((other, False))
    return list(order)


class Dags:
    def __init__(self, tree: Tree, calling: Calling, leaves: Leaves) -> None:
        self._tree = tree
        self._calling = calling
        self._leaves = leaves
        self._shapes: dict[tuple[str, str, str], Shape] = {}

    def look(self, node: ArgoNode) -> None:
        """Something below this DAG has changed."""
        assert node.called is not None
        try:
            form = self._shape(node)
        except ArgoError as error:
            self._tree.finish(node, Phase.ERROR, error.message)
            return
        waiting = node.waiting if node.waiting is not None else self._counted(node, form)
        for name in self._ready(node, waiting, form):
            del waiting[name]
            self._begin(node, name, form)
        if not node.open and not waiting:
            self._end(node, form)

    def task_of(self, node: ArgoNode) -> Mapping[str, Any]:
        """The task that a node of a DAG is of."""
        scope = node.parent
        while scope is not None and scope.type is not NodeType.DAG:
            scope = scope.parent
        return self._shape(scope).tasks.get(node.step, {}) if scope is not None else {}

    def look_at_group(self, group: ArgoNode) -> None:
        """A task that is a loop: its repetitions."""
        if not group.has_begun:
            group.has_begun = True
            self._tree.run(group)
            self._expand(group)
        if group.open or group.phase.is_final:
            return
        bad = [child for child in group.own_children if child.phase.is_bad]
        if bad:
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            self._tree.finish(group, bad[-1].phase, f"{bad[0].name}: {bad[0].message}{more}")
        else:
            self._tree.finish(group, Phase.SUCCEEDED)

    def _shape(self, node: ArgoNode) -> Shape:
        assert node.called is not None
        template = node.called.template
        target = str(template["dag"].get("target") or "")
        if "{{" in target:
            target = as_text(substitute(target, self._calling.variables(node, "tasks")))
        key = (node.called.scope, node.called.name, target)
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = shape(template, target)
        return found

    def _counted(self, node: ArgoNode, form: Shape) -> dict[str, int]:
        """When the DAG begins, and after a restart."""
        complete = {name for name, child in node.children.items() if child.is_counted}
        node.waiting = {
            name: sum(other not in complete for other in form.wanted[name])
            for name in form.tasks
            if name not in node.children
        }
        node.completed.clear()
        node.completed.append("")
        return node.waiting

    def _ready(self, node: ArgoNode, waiting: dict[str, int], form: Shape) -> list[str]:
        completed, node.completed = node.completed, []
        if completed == [""]:
            return [name for name, count in waiting.items() if not count]
        found = [other for name in completed for other in form.successors.get(name, ()) if other in waiting]
        for name in found:
            waiting[name] -= 1
        return [name for name in dict.fromkeys(found) if not waiting[name]]

    def _begin(self, node: ArgoNode, name: str, form: Shape) -> None:
        assert node.called is not None
        task = form.tasks[name]
        if not form.conditions[name].holds(lambda other, result: _has(node.children.get(other), result)):
            self._calling.omit(Place(node, name, name), task, node.called)
            return
        if loops.is_loop(task):
            self._tree.add(node, name, NodeType.TASK_GROUP, step=name)
            return
        variables = self._calling.variables(node, "tasks", task)
        self._calling.call(Place(node, name, name), task, node.called, variables)

    def _expand(self, group: ArgoNode) -> None:
        scope = group.parent
        assert scope is not None
        assert scope.called is not None
        task = self.task_of(group)
        variables = self._calling.variables(scope, "tasks", task)
        try:
            items = self._calling.expand(task, variables)
        except ArgoError as error:
            self._tree.finish(group, Phase.ERROR, error.message)
            return
        if isinstance(items, str):
            self._tree.finish(group, Phase.SKIPPED, items)
            return
        for index, item in enumerate(items):
            place = Place(group, key_of(group.step, index, item), group.step, index=index, item=item)
            inner = variables.with_layer(loops.variables_of(item))
            self._calling.call(place, task, scope.called, inner)

    def _end(self, node: ArgoNode, form: Shape) -> None:
        """All tasks are over. The targets say how the DAG ends; one that did not run is as good as what it hung on."""
        assert node.called is not None
        phases: dict[str, Phase] = {}
        for name in form.tasks:
            child = node.children[name]
            before = [phases[other] for other in form.wanted[name]]
            inherited = next((phase for phase in before if phase.is_bad), Phase.SUCCEEDED)
            phases[name] = child.phase if child.phase.is_completed else inherited
        bad = [
            name
            for name in form.targets
            if phases[name].is_bad and not goes_on(form.tasks[name], node.children[name])
        ]
        self._leaves.end_daemons(node)
        if bad:
            self._tree.finish(node, phases[bad[0]], _why(node, bad[0], form))
            return
        template = node.called.template
        try:
            node.outputs = outputs(template, self._calling.variables(node, "tasks", template))
        except ArgoError as error:
            self._tree.finish(node, Phase.ERROR, error.message)
            return
        self._tree.finish(node, Phase.SUCCEEDED)


def _why(node: ArgoNode, target: str, form: Shape) -> str:
    """What failed of what the target hangs on, or the target itself."""
    names, seen = [target], {target}
    for name in names:
        child = node.children[name]
        if child.phase.is_bad:
            return f"child '{child.name}' failed: {child.message}"
        names.extend(other for other in form.wanted[name] if other not in seen)
        seen.update(form.wanted[name])
    return ""


def _has(node: ArgoNode | None, result: str) -> bool:
    """Whether a task has the result that a `depends` asks for."""
    if node is None:
        return False
    if result == "AnySucceeded":
        return any(child.phase is Phase.SUCCEEDED for child in _repeated(node))
    if result == "AllFailed":
        return all(child.phase.is_bad for child in _repeated(node))
    if result == "Daemoned":
        return node.is_daemoned and node.phase is not Phase.PENDING
    return not node.is_daemoned and node.phase is _PHASES[result]


def _repeated(node: ArgoNode) -> list[ArgoNode]:
    return node.own_children if node.type is NodeType.TASK_GROUP else [node]


_PHASES = {
    "Succeeded": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
    "Errored": Phase.ERROR,
    "Skipped": Phase.SKIPPED,
    "Omitted": Phase.OMITTED,
}
