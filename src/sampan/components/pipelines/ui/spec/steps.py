"""What each task of a specification does, in words: for the panel beside the graph and for comparing two versions.

Tasks are known by their path: `train` at the top, `loop/train` within the group `loop`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.ir_model import (
    ArtifactInput,
    Component,
    ComponentInput,
    Constant,
    Container,
    FinalStatus,
    Importer,
    ParameterInput,
    Pipeline,
    Task,
    TaskOutput,
)
from sampan.components.pipelines.api.ir_values import to_text
from sampan.components.pipelines.ui.spec import templates
from sampan.components.pipelines.ui.spec.reading import Spec
from sampan.components.pipelines.ui.spec.step import Slot, Step, program, shortly, spaced

_RESOURCES = {
    "cpuRequest": "CPU request",
    "resourceCpuRequest": "CPU request",
    "cpuLimit": "CPU limit",
    "resourceCpuLimit": "CPU limit",
    "memoryRequest": "Memory request",
    "resourceMemoryRequest": "Memory request",
    "memoryLimit": "Memory limit",
    "resourceMemoryLimit": "Memory limit",
}
_DEEPEST = 40


def steps(spec: Spec) -> dict[str, Step]:
    """By path, in the order of the specification; what is within a group comes after it."""
    if spec.pipeline is not None:
        return {step.path: step for step in _of_dag(spec.pipeline, spec.pipeline.root, "", 0)}
    if spec.workflow is not None:
        return {step.path: step for step in templates.steps(spec.workflow)}
    return {}


def _of_dag(pipeline: Pipeline, component: Component, above: str, depth: int) -> Iterator[Step]:
    if component.dag is None:
        # A component by itself, compiled: one step.
        if not above:
            yield _step(pipeline, Task(component.name, component.name, "root"), component, component.name)
        return
    for name, task in component.dag.tasks.items():
        path = f"{above}/{name}" if above else name
        inner = pipeline.components.get(task.component)
        if inner is None:
            continue
        yield _step(pipeline, task, inner, path)
        if inner.dag is not None and depth < _DEEPEST:
            yield from _of_dag(pipeline, inner, path, depth + 1)


def _step(pipeline: Pipeline, task: Task, component: Component, path: str) -> Step:
    executor = pipeline.executors.get(component.executor_label)
    container = executor if isinstance(executor, Container) else None
    kubernetes = pipeline.kubernetes.get(component.executor_label, {})
    command = container.command if container is not None else ()
    return Step(
        path,
        task.display_name,
        _kind(task, component, executor),
        task.component,
        container.image if container is not None else "",
        command,
        container.args if container is not None else (),
        program(command),
        container.env if container is not None else (),
        tuple(_facts(task, container, executor, kubernetes)),
        tuple(_inputs(task, component)),
        tuple(_outputs(component)),
        tuple(sorted(_upstream(task))),
    )


def _kind(task: Task, component: Component, executor: Any) -> str:
    if task.iterator is not None:
        return "Loop"
    if component.dag is not None:
        return "Condition" if task.condition else "Pipeline"
    return "Importer" if isinstance(executor, Importer) else "Step"


def _facts(
    task: Task, container: Container | None, executor: Any, kubernetes: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    if task.condition:
        yield "Runs if", task.condition
    if task.after_completion:
        yield "Runs", "however the tasks before it ended"
    if (loop := task.iterator) is not None:
        yield "For each of", loop.raw_items or loop.items_input
        if loop.parallelism_limit:
            yield "At once", str(loop.parallelism_limit)
    if container is not None or isinstance(executor, Importer):
        yield "Caching", "on" if task.enable_cache else "off"
    if task.cache_key:
        yield "Cache key", task.cache_key
    if task.retry.max_retry_count:
        yield "Retries", _retry(task)
    if isinstance(executor, Importer):
        yield (
            "Imports",
            to_text(executor.uri) if executor.uri is not None else f"input {executor.uri_parameter}",
        )
        yield "As", executor.schema_title
    if container is not None:
        yield from _resources(container.resources)
    for key, value in kubernetes.items():
        yield spaced(key), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _retry(task: Task) -> str:
    policy = task.retry
    text = f"up to {policy.max_retry_count}"
    return (
        f"{text}, after {policy.backoff_seconds:g} s, each × {policy.backoff_factor:g}"
        if policy.backoff_seconds
        else text
    )


def _resources(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    said: set[str] = set()
    for key, value in given.items():
        # The compiler writes the same twice: as text, and as a number for older servers.
        if key in ("accelerator",) and isinstance(value, Mapping):
            kind = value.get("resourceType") or value.get("type") or "accelerator"
            yield "Accelerator", f"{value.get('resourceCount') or value.get('count') or 1} × {kind}"
            continue
        name = _RESOURCES.get(key, spaced(key))
        if name not in said:
            said.add(name)
            yield name, _amount(name, key, value)


def _amount(name: str, key: str, value: Any) -> str:
    text = to_text(value)
    return f"{text} GB" if name.startswith("Memory") and not key.startswith("resource") else text


def _inputs(task: Task, component: Component) -> Iterator[Slot]:
    for name, parameter in component.input_parameters.items():
        given = task.parameters.get(name)
        origin = _origin(given) if given is not None else ""
        if not origin and parameter.has_default:
            origin = f"default {shortly(parameter.default)}"
        yield Slot(name, str(parameter.type), origin)
    for name, slot in component.input_artifacts.items():
        source = task.artifacts.get(name)
        yield Slot(name, _artifact(slot.schema_title, slot.is_list), _whence(source) if source else "")


def _outputs(component: Component) -> Iterator[Slot]:
    for name, parameter in component.output_parameters.items():
        yield Slot(name, str(parameter.type))
    for name, slot in component.output_artifacts.items():
        yield Slot(name, _artifact(slot.schema_title, slot.is_list))


def _artifact(title: str, is_list: bool) -> str:
    plain = title.removeprefix("system.")
    return f"list of {plain}" if is_list else plain


def _origin(given: ParameterInput) -> str:
    source = given.source
    text = shortly(source.value) if isinstance(source, Constant) else _whence(source)
    return f"{text}, of it {given.selector}" if given.selector else text


def _whence(source: ArtifactInput | FinalStatus) -> str:
    if isinstance(source, TaskOutput):
        return f"output {source.key} of {source.task}"
    if isinstance(source, ComponentInput):
        return f"input {source.name}"
    return f"how {source.task} ended"


def _upstream(task: Task) -> set[str]:
    found = set(task.dependent_tasks)
    sources: list[Any] = [each.source for each in task.parameters.values()] + list(task.artifacts.values())
    return found | {each.task for each in sources if isinstance(each, TaskOutput | FinalStatus)}
