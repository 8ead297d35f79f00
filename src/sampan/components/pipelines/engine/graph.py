"""One DAG's dependencies, and when a task may begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sampan.components.pipelines.api.ir_model import Component, Dag, FinalStatus, Importer, Pipeline, Task
from sampan.components.pipelines.api.ir_validate import dependencies
from sampan.components.pipelines.api.states import RuntimeState, TaskType


@dataclass(frozen=True, slots=True)
class Graph:
    """Both directions of a DAG's edges, made once a component and shared by all its instances."""

    dependencies: Mapping[str, frozenset[str]]
    successors: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, dag: Dag) -> Graph:
        wanted = {name: dependencies(task) for name, task in dag.tasks.items()}
        successors: dict[str, list[str]] = {name: [] for name in dag.tasks}
        for name, upstream in wanted.items():
            for other in upstream:
                successors[other].append(name)
        return cls(wanted, {name: tuple(names) for name, names in successors.items()})

    def downstream(self, names: Iterable[str]) -> set[str]:
        """Everything that depends on `names`, directly or not, without them."""
        found: set[str] = set()
        stack = list(names)
        while stack:
            for successor in self.successors[stack.pop()]:
                if successor not in found:
                    found.add(successor)
                    stack.append(successor)
        return found


_EXIT_HANDLER = "exit-handler-"
_SUCCEEDED = frozenset({RuntimeState.SUCCEEDED, RuntimeState.CACHED})


def is_triggered(task: Task, upstream: Iterable[RuntimeState]) -> bool:
    """Whether a task whose upstream tasks have all ended runs; else it is skipped.

    As upstream's compiler does: a dependency means that the other succeeded, and a skipped task did not.
    """
    return task.after_completion or all(state in _SUCCEEDED for state in upstream)


def is_exit_task(task: Task) -> bool:
    """Whether a task cleans up after others, and hence goes on when the run is stopped.

    The trigger alone does not say it: `ignore_upstream_failure` has the same. An exit task follows an exit handler's
    group, or asks how what it follows has ended.
    """
    return task.after_completion and (
        any(name.startswith(_EXIT_HANDLER) for name in dependencies(task))
        or any(isinstance(item.source, FinalStatus) for item in task.parameters.values())
    )


def task_type(task: Task, component: Component, pipeline: Pipeline) -> TaskType:
    """What a task is called in the API. Groups are told by the names that the SDK's compiler gives them."""
    if component.dag is None:
        executor = pipeline.executors.get(component.executor_label)
        leaf = TaskType.IMPORTER if isinstance(executor, Importer) else TaskType.RUNTIME
        return TaskType.LOOP if task.iterator else leaf
    if task.iterator:
        return TaskType.LOOP
    if task.name.startswith("condition-branches-"):
        return TaskType.CONDITION_BRANCH
    if task.condition:
        return TaskType.CONDITION
    if task.name.startswith(_EXIT_HANDLER):
        return TaskType.EXIT_HANDLER
    return TaskType.DAG
