"""What a resumed run would do, task by task, before it does it. Pure.

The run's own machine is asked, which begins everything that can begin: what it takes from the source ends at once, and
what would run never ends here. So conditions and loops are decided exactly as far as they can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sampan.components.pipelines.api.ir_model import Component, Pipeline, Task, Value
from sampan.components.pipelines.api.ir_validate import dependencies
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.context import CachedResult, RunContext
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
    """What is below a DAG or loop that has begun, in the order of its making."""
    for child in scope.children.values():
        shown = _label(label, _name(child), child.iteration_index)
        if child.children:
            yield from _below(pipeline, child, shown)
        elif child.component.dag is not None and child.state is RuntimeState.SUCCEEDED:
            continue  # a loop over nothing
        else:
            yield Decision(child.place, shown, *_decided(child))
    if scope.component.dag is None or scope.loop is not None:
        return
    for name, task in scope.component.dag.tasks.items():
        if name not in scope.children:
            before = next((_name(scope.children[each]) for each in sorted(dependencies(task))
                           if each in scope.children and not scope.children[each].state.is_final), "")  # fmt: skip
            path = f"{scope.path.partition('/')[2]}/{name}".removeprefix("/")
            yield from _unreached(pipeline, task, (path, _label(label, _task_name(task))), before)


def _decided(node: Node) -> tuple[Action, str]:
    if node.state is RuntimeState.CACHED:
        return Action.REUSED, node.reason
    if node.state is RuntimeState.SKIPPED:
        return Action.SKIPPED, "its condition is not met, or what it waits for was skipped"
    if node.state is RuntimeState.FAILED:
        return Action.RUNS, f"it will fail: {node.error}"
    return Action.RUNS, node.reason


def _unreached(pipeline: Pipeline, task: Task, place: tuple[str, str], before: str) -> Iterator[Decision]:
    """A task, or the steps of a group, that come after something that runs."""
    path, label = place
    stack: list[tuple[Task, str, str, bool]] = [(task, path, label, False)]
    while stack:
        current, where, shown, depends = stack.pop()
        depends = depends or bool(current.condition) or current.iterator is not None
        component = pipeline.components[current.component]
        if component.dag is not None:
            for name, child in reversed(list(component.dag.tasks.items())):
                stack.append((child, f"{where}/{name}", _label(shown, _task_name(child)), depends))
            continue
        after = before or "what runs before it"
        if depends:
            yield Decision(where, shown, Action.UNDECIDED, f"decided once {after} has run")
        else:
            yield Decision(where, shown, Action.RUNS, f"it comes after {after}, which runs")


def _label(outer: str, name: str, iteration: int = -1) -> str:
    """`for-loop-1[2] / train`."""
    if iteration >= 0:
        return f"{outer}[{iteration}]"
    return f"{outer} / {name}" if outer else name


def _name(node: Node) -> str:
    return _task_name(node.task) if node.task is not None else node.name


def _task_name(task: Task) -> str:
    return task.display_name or task.name
