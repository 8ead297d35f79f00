"""From a task's input specification to values, through the DAG that holds it. Pure.

Source: backend/src/v2/driver/resolve.go, kubeflow/pipelines 2.17. Unlike there, outputs of nested DAGs and loops are
already recorded on the DAG's own task when it ends, so nothing is searched for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sampan.components.pipelines.api.ir_model import (
    Component,
    ComponentInput,
    Constant,
    Parameter,
    ParameterInput,
    ParameterType,
    Task,
    TaskOutput,
    Value,
)
from sampan.components.pipelines.api.ir_values import (
    kind_of,
    literal_problem,
    matches,
    shortened,
    to_text,
)
from sampan.components.pipelines.api.states import IOType
from sampan.components.pipelines.engine.conditions import Expressions
from sampan.components.pipelines.engine.errors import NullInputError, StepError
from sampan.components.pipelines.engine.placeholders import Lookup, sibling_lookup, substitute_value
from sampan.components.pipelines.store.artifacts import ArtifactRow

Artifacts = tuple[ArtifactRow, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an input came from: its kind, the producing task in the same DAG, and whether that is a loop."""

    type: IOType
    producer: str = ""


@dataclass(slots=True)
class Inputs:
    """A task's inputs. Artifacts are lists; `sources` is keyed by input name, parameters and artifacts alike."""

    parameters: dict[str, Value] = field(default_factory=dict)
    artifacts: dict[str, Artifacts] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)


@dataclass(slots=True)
class Outputs:
    parameters: dict[str, Value] = field(default_factory=dict)
    artifacts: dict[str, Artifacts] = field(default_factory=dict)


class Scope(Protocol):
    """A running DAG, as its tasks see it."""

    @property
    def inputs(self) -> Inputs: ...

    def outputs_of(self, task: str) -> tuple[Outputs, bool]:
        """What another task of the DAG has given, and whether it is a loop, whose outputs are collected."""
        ...

    def final_status_of(self, task: str) -> Value: ...


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves inputs of one task; `job` knows the run's placeholders in constants."""

    scope: Scope
    expressions: Expressions
    job: Lookup

    def inputs(self, task: Task, component: Component) -> Inputs:
        """All inputs of the task, of the types that its component declares. Raises StepError naming the input."""
        inputs = Inputs()
        for name, item in task.parameters.items():
            declared = component.input_parameters.get(name)
            if declared is not None and declared.type is ParameterType.TASK_CONFIG:
                continue  # known only once the pod is made
            try:
                inputs.parameters[name] = self.value(item)
            except NullInputError:
                if declared is None or not (declared.optional or declared.has_default):
                    raise
                continue
            inputs.sources[name] = _source(item)
        self._fill_constants(task, inputs)
        for name, source in task.artifacts.items():
            self._artifact(name, source, component, inputs)
        _add_defaults(component, inputs)
        _check_types(task, component, inputs)
        return inputs

    def value(self, item: ParameterInput) -> Value:
        """One input. Raises NullInputError where it is null or was never produced, else StepError."""
        source = item.source
        if isinstance(source, Constant):
            value = substitute_value(source.value, self.job)
        elif isinstance(source, ComponentInput):
            value = self.scope.inputs.parameters.get(source.name)
            if value is None:
                raise NullInputError(f'input "{source.name}" of the enclosing pipeline is null')
        elif isinstance(source, TaskOutput):
            outputs, _ = self.scope.outputs_of(source.task)
            if source.key not in outputs.parameters:
                raise NullInputError(f'task "{source.task}" gave no output "{source.key}"')
            value = outputs.parameters[source.key]
        else:
            value = self.scope.final_status_of(source.task)
        return self.expressions.select(value, item.selector) if item.selector else value

    def _fill_constants(self, task: Task, inputs: Inputs) -> None:
        """F-strings over other outputs are constants that hold placeholders of the task's other inputs."""
        lookup = sibling_lookup(dict(inputs.parameters))
        for name, item in task.parameters.items():
            if isinstance(item.source, Constant) and name in inputs.parameters:
                inputs.parameters[name] = substitute_value(inputs.parameters[name], lookup)

    def _artifact(
        self, name: str, source: ComponentInput | TaskOutput, component: Component, inputs: Inputs
    ) -> None:
        if isinstance(source, ComponentInput):
            found = self.scope.inputs.artifacts.get(source.name)
            origin, problem = Source(IOType.COMPONENT_INPUT), f'input artifact "{source.name}" was not given'
        else:
            outputs, collected = self.scope.outputs_of(source.task)
            found = outputs.artifacts.get(source.key)
            kind = IOType.COLLECTED_INPUTS if collected else IOType.TASK_OUTPUT_INPUT
            origin = Source(kind, source.task)
            problem = f'task "{source.task}" gave no artifact "{source.key}"'
        if found is None:
            slot = component.input_artifacts.get(name)
            if slot is None or not slot.optional:
                raise StepError(f'input "{name}": {problem}')
            return
        inputs.artifacts[name] = found
        inputs.sources[name] = origin


def _source(item: ParameterInput) -> Source:
    if isinstance(item.source, Constant):
        return Source(IOType.RUNTIME_VALUE_INPUT)
    if isinstance(item.source, ComponentInput):
        return Source(IOType.COMPONENT_INPUT)
    if isinstance(item.source, TaskOutput):
        return Source(IOType.TASK_OUTPUT_INPUT, item.source.task)
    return Source(IOType.TASK_FINAL_STATUS_OUTPUT, item.source.task)


def _add_defaults(component: Component, inputs: Inputs) -> None:
    """A nested DAG gets null for an optional input without default, so that its tasks can tell null from unknown."""
    for name, parameter in component.input_parameters.items():
        if name in inputs.parameters:
            continue
        if parameter.has_default:
            inputs.parameters[name] = parameter.default
            inputs.sources[name] = Source(IOType.COMPONENT_DEFAULT_INPUT)
        elif parameter.optional and component.dag is not None:
            inputs.parameters[name] = None


def _check_types(task: Task, component: Component, inputs: Inputs) -> None:
    item = task.iterator.item_input if task.iterator else ""
    for name, parameter in component.input_parameters.items():
        if name not in inputs.parameters:
            if parameter.optional or name == item or parameter.type is ParameterType.TASK_CONFIG:
                continue
            raise StepError(f'input "{name}" ({parameter.type}) has no value and no default')
        inputs.parameters[name] = typed(name, inputs.parameters[name], parameter)


def typed(name: str, value: Value, parameter: Parameter) -> Value:
    """`value` as the parameter takes it: a STRING takes anything as JSON text, others only their own type.

    Raises StepError naming the parameter.
    """
    if value is None:
        if parameter.optional:
            return None
        raise StepError(f'input "{name}" ({parameter.type}) is null')
    if parameter.type is ParameterType.STRING:
        value = to_text(value)
    elif not matches(value, parameter.type):
        raise StepError(
            f'input "{name}": expected {parameter.type}, got {kind_of(value)} {shortened(to_text(value))!r}'
        )
    if problem := literal_problem(value, parameter):
        raise StepError(f'input "{name}": {problem}')
    return value


def dag_outputs(component: Component, outputs_of: Mapping[str, Outputs]) -> Outputs:
    """A DAG's outputs from those of its tasks; of several sources (OneOf) the first that exists."""
    outputs = Outputs()
    nothing = Outputs()
    if component.dag is None:
        return outputs
    for key, sources in component.dag.parameters.items():
        for source in sources:
            given = outputs_of.get(source.task, nothing).parameters
            if source.key in given:
                outputs.parameters[key] = given[source.key]
                break
    for key, sources in component.dag.artifacts.items():
        for source in sources:
            found = outputs_of.get(source.task, nothing).artifacts
            if source.key in found:
                outputs.artifacts[key] = found[source.key]
                break
    return outputs
