"""From a node to the launch of its current attempt: paths, executor input, pod. Pure."""

from __future__ import annotations

from dataclasses import replace

from sampan.components.pipelines.api.ir_model import Component, Container, Importer
from sampan.components.pipelines.api.states import TaskType
from sampan.components.pipelines.engine import large_input, modelcar, workspace
from sampan.components.pipelines.engine.completed_pods import note_ttl
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.executor_input import executor_input, provided
from sampan.components.pipelines.engine.importer import Imported, copier, imported
from sampan.components.pipelines.engine.node import Node, NodeScope
from sampan.components.pipelines.engine.outputs import DeclaredOutputs
from sampan.components.pipelines.engine.placeholders import IN_WORKSPACE, executor_lookup, sibling_lookup
from sampan.components.pipelines.engine.platform import platform
from sampan.components.pipelines.engine.podspec import Step, build_pod, takes_task_config, task_config
from sampan.components.pipelines.engine.resolve import Resolver
from sampan.components.pipelines.engine.step_files import StepOutputs
from sampan.components.pipelines.engine.turn import Launch


def resolver_for(context: RunContext, node: Node) -> Resolver:
    """For the inputs of `node`, in the DAG that holds it."""
    scope = node.parent
    while scope is not None and (scope.loop is not None or scope.type is TaskType.LOOP):
        scope = scope.parent  # an iteration's inputs are those of the loop, one level up
    assert scope is not None
    job = context.job.lookup(node.name, node.id)
    return Resolver(NodeScope(scope, context.job.resource_name), context.expressions, job)


def plan(context: RunContext, node: Node, resolver: Resolver, *, attempt: int = 0) -> Launch:
    """For the node's current attempt, or the one that is given. Raises StepError.

    The same for the same attempt, so that a restarted engine finds what the former one made.
    """
    executor = context.pipeline.executors[node.component.executor_label]
    component = node.component
    wanted = imported_by(context, node, executor) if isinstance(executor, Importer) else None
    container = copier(wanted) if wanted else executor
    assert isinstance(container, Container)
    attempt = attempt or len(node.attempts)
    outputs = StepOutputs(tuple(component.output_parameters), tuple(component.output_artifacts))
    root = context.job.pipeline_root
    paths = context.files.layout(root, context.run_id, node.path, attempt, outputs)
    job = context.job.lookup(node.name, node.id)
    told = executor_input(component, node.inputs, paths, job)
    parts = platform(context.pipeline.kubernetes.get(component.executor_label, {}), resolver.value)
    parts.active_deadline_seconds = parts.active_deadline_seconds or context.step_timeout_seconds
    claim = None
    if context.pipeline.config.workspace_size and (wanted is not None or workspace.is_used(node.inputs)):
        workspace.add(parts, context.job)
        claim = workspace.claim(context.job, context.pipeline.config)
    step = Step(
        job=context.job,
        task_id=node.id,
        task_name=node.name,
        scope_path=node.path,
        attempt=attempt,
        retries=node.retries,
        component=component,
        container=container,
        platform=parts,
        lookup=executor_lookup(told, job, _lists(component)),
        provided=provided(node.inputs),
        service_account=context.service_account,
    )
    for name in takes_task_config(component):
        told["inputs"]["parameterValues"][name] = task_config(step)
    pod = build_pod(step)
    note_ttl(pod, context.pipeline.config)
    fetched = [*_stored_inputs(node), *((wanted.uri,) if wanted else ())]
    input_file = f"{paths.work}.input.json"
    if input_text := large_input.moved(pod, told, input_file):
        paths = replace(paths, contents=(*paths.contents, (input_file, input_text)))
        fetched.append(input_file)
    context.files.attach(pod, paths, fetched)
    modelcar.attach(pod["spec"], node.inputs)
    if wanted is not None:
        told["outputs"]["artifacts"][wanted.output]["artifacts"][0] |= {
            "uri": wanted.uri,
            "metadata": dict(wanted.metadata),
        }
    collector = DeclaredOutputs(component, told["outputs"]["artifacts"], paths)
    return Launch(node.id, attempt, pod, paths, collector, claim, inputs=context.files.remote(fetched))


def imported_by(context: RunContext, node: Node, importer: Importer) -> Imported:
    """What an importer task records. Raises StepError."""
    siblings = sibling_lookup(node.inputs.parameters)
    job = context.job.lookup(node.name, node.id)
    found = imported(importer, node.component, node.inputs, lambda text: siblings(text) or job(text))
    if importer.download_to_workspace and not context.pipeline.config.workspace_size:
        raise StepError("the importer downloads to the workspace, but the pipeline has none")
    return found


def _stored_inputs(node: Node) -> list[str]:
    """URIs of the step's input artifacts, but for those that it finds in the workspace."""
    return [
        artifact.uri
        for found in node.inputs.artifacts.values()
        for artifact in found
        if not artifact.metadata.get(IN_WORKSPACE)
    ]


def _lists(component: Component) -> frozenset[str]:
    slots = (*component.input_artifacts.items(), *component.output_artifacts.items())
    return frozenset(name for name, slot in slots if slot.is_list)
