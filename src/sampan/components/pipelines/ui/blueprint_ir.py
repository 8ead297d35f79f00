"""From KFP's intermediate representation to a blueprint. Pure.

Source: kubeflow/pipelines 2.17, api/v2alpha1/pipeline_spec.proto; what compiled conditions look like,
sdk/python/kfp/compiler/pipeline_spec_builder.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.ir_model import (
    Component,
    Dag,
    FinalStatus,
    Importer,
    Pipeline,
    Task,
    TaskOutput,
)
from sampan.components.pipelines.api.ir_parse import parse_pipeline
from sampan.components.pipelines.ui.blueprint import Blueprint, Kind, Link, Output, Scope, Step

_CHANNEL = "pipelinechannel--"
_VALUE = re.compile(r"inputs\.(?:parameter_values|parameters)\[['\"]([^'\"]+)['\"]\](?:\.\w+_value)?")
_CAST = re.compile(r"\b(?:int|double|string|bool)\(([^()]*)\)")
_LONGEST = 90


def blueprint(spec: Mapping[str, Any], platform: Mapping[str, Any]) -> Blueprint:
    pipeline = parse_pipeline(spec, platform)
    components = {"": pipeline.root, **pipeline.components}
    scopes = {
        name: _scope(pipeline, component.dag)
        for name, component in components.items()
        if component.dag is not None
    }
    return Blueprint(scopes, "")


def _scope(pipeline: Pipeline, dag: Dag) -> Scope:
    consumers: dict[tuple[str, str], list[str]] = {}
    for task in dag.tasks.values():
        for source in task.artifacts.values():
            if isinstance(source, TaskOutput):
                consumers.setdefault((source.task, source.key), []).append(task.name)
    steps = {name: _step(pipeline, task, consumers) for name, task in dag.tasks.items()}
    return Scope(steps, tuple(_links(dag)))


def _step(pipeline: Pipeline, task: Task, consumers: Mapping[tuple[str, str], list[str]]) -> Step:
    component = pipeline.components.get(task.component, Component(task.component))
    kind, detail, title = _about(pipeline, task, component)
    outputs = tuple(
        Output(key, slot.schema_title, tuple(consumers.get((task.name, key), ())))
        for key, slot in component.output_artifacts.items()
    )
    return Step(
        task.name,
        task.display_name or task.name,
        kind,
        detail,
        title,
        scope=component.name if component.dag is not None else "",
        loop=_loop(task),
        outputs=outputs if component.dag is None else (),
    )


def _about(pipeline: Pipeline, task: Task, component: Component) -> tuple[Kind, str, str]:
    if component.dag is None:
        executor = pipeline.executors.get(component.executor_label)
        kind = Kind.IMPORTER if isinstance(executor, Importer) else Kind.STEP
        return (
            kind,
            _cut(_condition(task)) or ("at the end" if task.after_completion else ""),
            _condition(task),
        )
    # By the names that the compiler gives: the IR has no word for what a DAG stands for.
    if task.component.startswith("comp-condition-branches"):
        return Kind.BRANCHES, "the first that holds", ""
    if task.condition:
        return Kind.CONDITION, _cut(_condition(task)), _condition(task)
    if task.component.startswith("comp-condition"):
        return Kind.CONDITION, "", ""
    if task.component.startswith("comp-exit-handler"):
        return Kind.EXIT_HANDLER, "", ""
    return Kind.PIPELINE, "", ""


def _condition(task: Task) -> str:
    if not task.condition:
        return ""
    text = _VALUE.sub(lambda found: plain(found[1]), task.condition)
    previous = ""
    while previous != text:
        previous, text = text, _CAST.sub(r"\1", text)
    return f"if {text}"


def _loop(task: Task) -> str:
    iterator = task.iterator
    if iterator is None:
        return ""
    items = (
        f"each of {plain(iterator.items_input)}"
        if iterator.items_input
        else _cut(f"each of {iterator.raw_items}")
    )
    limit = iterator.parallelism_limit
    return f"{items}, {limit} at a time" if limit else items


def _links(dag: Dag) -> Iterator[Link]:
    """One for each pair and kind; where data flows, the order needs no line of its own."""
    for task in dag.tasks.values():
        flows: dict[tuple[str, str], list[str]] = {}
        for source in task.artifacts.values():
            if isinstance(source, TaskOutput):
                flows.setdefault((source.task, "artifact"), []).append(plain(source.key))
        for given in task.parameters.values():
            if isinstance(given.source, TaskOutput):
                flows.setdefault((given.source.task, "parameter"), []).append(plain(given.source.key))
            elif isinstance(given.source, FinalStatus):
                flows.setdefault((given.source.task, "parameter"), []).append("final status")
        for (name, kind), keys in flows.items():
            if name in dag.tasks:
                yield Link(name, task.name, kind, ", ".join(dict.fromkeys(keys)))
        known = {name for name, _ in flows}
        for name in dict.fromkeys(task.dependent_tasks):
            if name not in known and name in dag.tasks:
                yield Link(name, task.name)


def plain(name: str) -> str:
    """An input's name without what the compiler puts around it."""
    found = name.removeprefix(_CHANNEL)
    return f"item of {found[: -len('-loop-item')]}" if found.endswith("-loop-item") else found


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"
