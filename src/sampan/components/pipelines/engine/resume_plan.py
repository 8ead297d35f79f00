"""What a resumed run would do, task by task, before it does it. Pure.

The run's own machine is asked, which begins everything that can begin: what it takes from the source ends at once, and
what would run never ends here. So conditions and loops are decided exactly as far as they can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sampan.components.pipelines.api.ir_model import Component, Dag, Pipeline, Task, Value
from sampan.components.pipelines.api.ir_validate import dependencies
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.context import CachedResult, RunContext
from sampan.components.pipelines.engine.graph import Graph
from sampan.components.pipelines.engine.machine import RunMachine
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.resumption import Action, Decision
from sampan.components.pipelines.store.artifacts import ArtifactRow


def plan(context: RunContext, parameters: Mapping[str, Value]) -> list[Decision]:
    """For a new run with these parameters, whose context says from what it goes on."""
    pipeline = _without_limits(context.pipeline)
    machine = RunMachine(replace(context, pipeline=pipeline, graphs={}, lookups=_Nothing(), pauses=False))
    machine.start(parameters)
    assert machine.root is not None
    return list(_below(pipeline, machine.root, ""))


class _Nothing:
    """`Lookups` without an earlier run."""

    def cached(self, fingerprint: str) -> Sequence[CachedResult]:
        return ()

    def imported(self, uri: str, schema_title: str) -> Sequence[ArtifactRow]:
        return ()


def _without_limits(pipeline: Pipeline) -> Pipeline:
    """All iterations of a loop begin at once: one that waits for its turn would not be decided."""

    def unlimited(component: Component) -> Component:
        if component.dag is None:
            return component
        tasks = {
            name: replace(task, iterator=replace(task.iterator, parallelism_limit=0))
            if task.iterator
            else task
            for name, task in component.dag.tasks.items()
        }
        return replace(component, dag=replace(component.dag, tasks=tasks))

    components = {name: unlimited(component) for name, component in pipeline.components.items()}
    return replace(pipeline, root=unlimited(pipeline.root), components=components)


def _below(pipeline: Pipeline, scope: Node, label: str) -> Iterator[Decision]:
    """What is below a DAG or loop that has begun: what has begun in that order, then what comes after it."""
    for child in scope.children.values():
        if child.children:
            yield from _below(pipeline, child, _within(label, child))
        elif child.component.dag is None or child.state is not RuntimeState.SUCCEEDED:
            yield Decision(child.place, _label(label, child), *_decided(child))
    dag = scope.component.dag
    if dag is None or scope.loop is not None:
        return
    for name in _in_order(dag):
        if name not in scope.children:
            task = dag.tasks[name]
            before = next(
                _task_name(dag.tasks[each])
                for each in sorted(dependencies(task))
                if each not in scope.children or not scope.children[each].state.is_final
            )
            path = f"{scope.path.partition('/')[2]}/{name}".removeprefix("/")
            yield from _unreached(pipeline, (task, path, label), before)


def _in_order(dag: Dag) -> Iterator[str]:
    """Names of tasks, each after those that it depends on."""
    graph = Graph.of(dag)
    waiting = {name: len(wanted) for name, wanted in graph.dependencies.items()}
    ready = deque(name for name, count in waiting.items() if not count)
    while ready:
        name = ready.popleft()
        yield name
        for successor in graph.successors[name]:
            waiting[successor] -= 1
            if not waiting[successor]:
                ready.append(successor)


def _decided(node: Node) -> tuple[Action, str]:
    if node.state is RuntimeState.CACHED:
        return Action.REUSED, node.reason
    if node.state is RuntimeState.SKIPPED:
        return Action.SKIPPED, "its condition is not met, or what it waits for was skipped"
    if node.state is RuntimeState.FAILED:
        return Action.RUNS, f"it will fail: {node.error}"
    return Action.RUNS, node.reason


def _unreached(pipeline: Pipeline, place: tuple[Task, str, str], before: str) -> Iterator[Decision]:
    """A task, or the steps of a group, that come after something that runs."""
    stack = [(*place, False)]
    while stack:
        task, path, label, depends = stack.pop()
        depends = depends or bool(task.condition) or task.iterator is not None
        component = pipeline.components[task.component]
        if component.dag is not None:
            within = _joined(label, _task_name(task)) if task.iterator else label
            names = reversed(list(_in_order(component.dag)))
            tasks = component.dag.tasks
            stack.extend((tasks[name], f"{path}/{name}", within, depends) for name in names)
        elif depends:
            shown = _joined(label, _task_name(task))
            yield Decision(path, shown, Action.UNDECIDED, f"decided once {before} has run")
        else:
            yield Decision(path, _joined(label, _task_name(task)), Action.RUNS, f"it comes after {before}")


def _label(outer: str, node: Node) -> str:
    """`for-loop-1[2] / train`: loops are what tells equal names apart, other groups are left out."""
    if node.is_iteration:
        return f"{outer}[{node.iteration_index}]"
    return _joined(outer, _task_name(node.task) if node.task is not None else node.name)


def _within(outer: str, scope: Node) -> str:
    return _label(outer, scope) if scope.loop is not None or scope.is_iteration else outer


def _joined(outer: str, name: str) -> str:
    return f"{outer} / {name}" if outer else name


def _task_name(task: Task) -> str:
    return task.display_name or task.name
