"""What the protobuf schema cannot see: references, cycles, executors, required inputs.

Called by `ir.validate`. Each problem is one line that begins with its place in the document.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from sampan.components.pipelines.api.ir_expressions import condition_problems, selector_problems
from sampan.components.pipelines.api.ir_kubernetes import executor_problems, quantity_problems
from sampan.components.pipelines.api.ir_model import (
    Component,
    ComponentInput,
    Container,
    FinalStatus,
    Importer,
    ParameterType,
    Pipeline,
    Task,
    TaskOutput,
)
from sampan.components.pipelines.api.ir_parse import field

_SCHEMA_VERSION = "2.1."
_QUANTITIES = ("resourceCpuLimit", "resourceMemoryLimit", "resourceCpuRequest", "resourceMemoryRequest")


def problems(pipeline: Pipeline) -> list[str]:
    """Everything wrong with the pipeline, in the document's order; empty when it can run."""
    found = list(_header(pipeline))
    for name, component in _components(pipeline):
        found.extend(_component(pipeline, name, component))
    found.extend(_recursion(pipeline))
    found.extend(_platform(pipeline))
    return found


def dependencies(task: Task) -> frozenset[str]:
    """The tasks of the same DAG that must have ended before this one can begin."""
    sources = [item.source for item in task.parameters.values()] + list(task.artifacts.values())
    producers = {source.task for source in sources if isinstance(source, TaskOutput | FinalStatus)}
    return frozenset(producers | set(task.dependent_tasks))


def _header(pipeline: Pipeline) -> Iterator[str]:
    if not pipeline.schema_version.startswith(_SCHEMA_VERSION):
        shown = f'"{pipeline.schema_version}"' if pipeline.schema_version else "missing"
        yield f"schemaVersion: expected 2.1.0, it is {shown}; compile the pipeline with kfp 2 or newer"
    if not pipeline.name:
        yield "pipelineInfo.name: missing; give the pipeline a name"
    if pipeline.root.dag is None:
        yield "root.dag: missing; a pipeline's root is a DAG"


def _components(pipeline: Pipeline) -> Iterator[tuple[str, Component]]:
    yield "root", pipeline.root
    for name, component in pipeline.components.items():
        yield f"components.{name}", component


def _component(pipeline: Pipeline, where: str, component: Component) -> Iterator[str]:
    if component.dag is None:
        if where != "root":
            yield from _executor(pipeline, where, component)
        return
    tasks = component.dag.tasks
    if not tasks:
        yield f"{where}.dag.tasks: empty; a DAG has at least one task"
    for name, task in tasks.items():
        yield from _task(pipeline, f"{where}.dag.tasks.{name}", component, task)
    for section, outputs in (
        ("parameters", component.dag.parameters),
        ("artifacts", component.dag.artifacts),
    ):
        for key, sources in outputs.items():
            place = f"{where}.dag.outputs.{section}.{key}"
            if not sources:
                yield f"{place}: names no task"
            for source in sources:
                yield from _reference(pipeline, place, tasks, source, section)
    if cycle := _cycle({name: dependencies(task) & tasks.keys() for name, task in tasks.items()}):
        yield f"{where}.dag.tasks: these wait for each other: {' → '.join(cycle)}"


def _executor(pipeline: Pipeline, where: str, component: Component) -> Iterator[str]:
    label = component.executor_label
    if not label:
        yield f"{where}: has neither dag nor executorLabel"
    elif label not in pipeline.executors:
        yield f'{where}.executorLabel: no executor "{label}" in deploymentSpec.executors'
    else:
        executor = pipeline.executors[label]
        place = f"deploymentSpec.executors.{label}"
        if executor is None:
            yield f"{place}: only container and importer executors can run here"
        elif isinstance(executor, Container):
            yield from _container(f"{place}.container", executor)
        elif isinstance(executor, Importer):
            yield from _importer(place, component, executor)


def _container(place: str, container: Container) -> Iterator[str]:
    if not container.image:
        yield f"{place}.image: missing"
    for name in _QUANTITIES:
        yield from quantity_problems(f"{place}.resources.{name}", field(container.resources, name, ""))
    accelerator = field(container.resources, "accelerator", {})
    count = field(accelerator, "resourceCount", "")
    yield from quantity_problems(f"{place}.resources.accelerator.resourceCount", count)


def _platform(pipeline: Pipeline) -> Iterator[str]:
    place = "platforms.kubernetes"
    for label, config in pipeline.kubernetes.items():
        yield from executor_problems(f"{place}.deploymentSpec.executors.{label}", config)
    yield from quantity_problems(f"{place}.pipelineConfig.workspace.size", pipeline.config.workspace_size)


def _importer(place: str, component: Component, importer: Importer) -> Iterator[str]:
    if len(component.output_artifacts) != 1:
        yield f"{place}.importer: its component must have exactly one output artifact"
    if importer.uri is None and importer.uri_parameter not in component.input_parameters:
        yield f"{place}.importer.artifactUri: gives neither a constant nor an input of its component"


def _task(pipeline: Pipeline, where: str, parent: Component, task: Task) -> Iterator[str]:
    component = pipeline.components.get(task.component)
    if component is None:
        yield f'{where}.componentRef.name: no component "{task.component}" in components'
        return
    siblings = parent.dag.tasks if parent.dag else {}
    for other in task.dependent_tasks:
        if other not in siblings:
            yield f'{where}.dependentTasks: no task "{other}" in this DAG'
    yield from _task_inputs(pipeline, where, parent, task)
    yield from _required_inputs(where, component, task)
    if task.condition:
        parameters = task.parameters.keys() | component.input_parameters.keys()
        artifacts = task.artifacts.keys() | component.input_artifacts.keys()
        yield from condition_problems(
            f"{where}.triggerPolicy.condition", task.condition, parameters, artifacts
        )
    if task.iterator is not None:
        yield from _iterator(where, task)


def _task_inputs(pipeline: Pipeline, where: str, parent: Component, task: Task) -> Iterator[str]:
    siblings = parent.dag.tasks if parent.dag else {}
    for name, item in task.parameters.items():
        place = f"{where}.inputs.parameters.{name}"
        if isinstance(item.source, ComponentInput):
            yield from _known(place, item.source.name, parent.input_parameters, "input parameter")
        elif isinstance(item.source, TaskOutput):
            yield from _reference(pipeline, place, siblings, item.source, "parameters")
        elif isinstance(item.source, FinalStatus):
            yield from _known(place, item.source.task, siblings, "task")
        if item.selector:
            yield from selector_problems(f"{place}.parameterExpressionSelector", item.selector)
    for name, source in task.artifacts.items():
        place = f"{where}.inputs.artifacts.{name}"
        if isinstance(source, ComponentInput):
            yield from _known(place, source.name, parent.input_artifacts, "input artifact")
        else:
            yield from _reference(pipeline, place, siblings, source, "artifacts")


def _known(place: str, name: str, known: Collection[str], what: str) -> Iterator[str]:
    if name not in known:
        yield f'{place}: no {what} "{name}" in this DAG'


def _reference(
    pipeline: Pipeline, place: str, tasks: Mapping[str, Task], source: TaskOutput, section: str
) -> Iterator[str]:
    if source.task not in tasks:
        yield f'{place}: no task "{source.task}" in this DAG'
        return
    producer = pipeline.components.get(tasks[source.task].component)
    if producer is None:
        return  # reported where the producer stands
    if section == "parameters":
        keys = {*producer.output_parameters, *(producer.dag.parameters if producer.dag else ())}
    else:
        keys = {*producer.output_artifacts, *(producer.dag.artifacts if producer.dag else ())}
    if source.key not in keys:
        yield f'{place}: task "{source.task}" has no output "{source.key}"'


def _required_inputs(where: str, component: Component, task: Task) -> Iterator[str]:
    item = {task.iterator.item_input} if task.iterator else set()
    for name, parameter in component.input_parameters.items():
        supplied = name in task.parameters or name in item or parameter.type is ParameterType.TASK_CONFIG
        # The items of a loop are declared by its component though only the loop itself reads them.
        if not supplied and not parameter.optional and not parameter.has_default:
            yield f'{where}.inputs.parameters: required input "{name}" of {component.name} is not given'
    for name, slot in component.input_artifacts.items():
        if name not in task.artifacts and name not in item and not slot.optional:
            yield f'{where}.inputs.artifacts: required input "{name}" of {component.name} is not given'


def _iterator(where: str, task: Task) -> Iterator[str]:
    iterator = task.iterator
    assert iterator is not None
    place = f"{where}.{'artifactIterator' if iterator.over_artifacts else 'parameterIterator'}"
    if not iterator.item_input:
        yield f"{place}.itemInput: missing"
    if iterator.items_input:
        inputs: Collection[str] = task.artifacts if iterator.over_artifacts else task.parameters
        if iterator.items_input not in inputs:
            yield f'{place}.items: the task has no input "{iterator.items_input}"'
        return
    try:
        items = json.loads(iterator.raw_items)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        yield f"{place}.items.raw: not a JSON list"


def _recursion(pipeline: Pipeline) -> Iterator[str]:
    """Components that hold themselves would run forever."""
    nesting = {
        component.name: frozenset(task.component for task in component.dag.tasks.values())
        for _, component in _components(pipeline)
        if component.dag is not None
    }
    edges = {name: inner & nesting.keys() for name, inner in nesting.items()}
    if cycle := _cycle(edges):
        yield f"components: these contain each other: {' → '.join(cycle)}"


def _cycle(edges: Mapping[str, Collection[str]]) -> list[str]:
    """One cycle as a path that ends where it begins, or nothing. Iterative: a chain may be thousands long."""
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif name in on_path:
                return [*path[path.index(name) :], name]
            elif name not in done:
                path.append(name)
                on_path.add(name)
                stack.append((name, True))
                stack.extend((other, False) for other in sorted(edges[name]))
    return []
