"""The variables that a field of a workflow may name, at each place in it. Pure: reads nodes, changes nothing.

Source: docs/variables.md, argo-workflows v3.7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sampan.components.pipelines.api.argo import loops
from sampan.components.pipelines.api.argo.expressions.functions import to_json
from sampan.components.pipelines.api.argo.layouts import strftime
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.names import full_name
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType, Phase
from sampan.components.pipelines.engine.argo.retries import last_of
from sampan.lib.clock import from_micros, rfc3339

_NAMED = re.compile(r"\b(?:steps|tasks)(?:\??\.([\w-]+)|\[\s*\\?[\"']([^\"'\\]+)\\?[\"']\s*\])")
_LETTERS = "aAbBdfHIjmMpSUwWxXyYZs"


class Globals:
    """`workflow.…`: fixed values, and those that change while it runs."""

    def __init__(self, context: ArgoContext) -> None:
        self._context = context
        self.parameters: dict[str, str] = {}
        """Arguments of the workflow."""
        self.outputs: dict[str, Any] = {}
        """What nodes gave by a global name: `workflow.outputs.parameters.NAME` and artifacts alike."""
        self._fixed = _fixed(context)
        self._cached: Variables | None = None

    def forget(self) -> None:
        """Something has changed."""
        self._cached = None

    def add_outputs(self, node: ArgoNode) -> None:
        """Of a node that has ended, what its template gives a global name."""
        if node.called is None or node.phase is not Phase.SUCCEEDED:
            return
        given = node.called.template.get("outputs") or {}
        if "{{" in json.dumps(given):
            # Names may tell one repetition of a loop from another.
            names = Variables(inputs_of(node))
            given = {key: substitute([_named(item) for item in given.get(key) or ()], names) for key in given}
        for section, values in (
            ("parameters", node.outputs.parameters),
            ("artifacts", node.outputs.artifacts),
        ):
            for item in given.get(section) or ():
                name, output = item.get("globalName"), item.get("name")
                if name and output in values:
                    self.outputs[f"workflow.outputs.{section}.{name}"] = values[output]
                    self._cached = None

    def variables(self, root: ArgoNode | None) -> Variables:
        if self._cached is None:
            listed = [{"name": name, "value": value} for name, value in self.parameters.items()]
            as_json = to_json(listed)
            self._cached = Variables(
                self._fixed,
                {f"workflow.parameters.{name}": value for name, value in self.parameters.items()},
                {"workflow.parameters": as_json, "workflow.parameters.json": as_json},
                self.outputs,
            )
        now: dict[str, str] = {"workflow.duration": "0.000000"}
        if root is not None and root.started_at:
            took = max(self._context.now() - root.started_at, 0) / 1e6
            now = {"workflow.duration": f"{took:.6f}", **_status(root)}
        return self._cached.with_layer(now)


def _named(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in ("name", "globalName") if key in item}


def _fixed(context: ArgoContext) -> dict[str, Any]:
    metadata, spec = context.document.metadata, context.document.spec
    labels = {**(metadata.get("labels") or {}), "pipeline/runid": context.run_id}
    annotations = metadata.get("annotations") or {}
    created = from_micros(context.created_at)
    found: dict[str, Any] = {
        "workflow.name": context.name,
        "workflow.namespace": context.namespace,
        "workflow.uid": context.uid,
        "workflow.mainEntrypoint": str(spec.get("entrypoint", "")),
        "workflow.serviceAccountName": context.service_account or str(spec.get("serviceAccountName", "")),
        "workflow.priority": str(spec.get("priority") or 0),
        "workflow.creationTimestamp": rfc3339(created),
        "workflow.creationTimestamp.RFC3339": rfc3339(created),
        "workflow.labels.json": to_json(labels),
        "workflow.annotations.json": to_json(annotations),
        "workflow.labels": to_json(labels),
        "workflow.annotations": to_json(annotations),
    }
    found |= {f"workflow.creationTimestamp.{letter}": strftime(created, letter) for letter in _LETTERS}
    found |= {f"workflow.labels.{key}": str(value) for key, value in labels.items()}
    found |= {f"workflow.annotations.{key}": str(value) for key, value in annotations.items()}
    scheduled = annotations.get("workflows.argoproj.io/scheduled-time")
    if scheduled or context.scheduled_at:
        found["workflow.scheduledTime"] = scheduled or rfc3339(from_micros(context.scheduled_at))
    return found


def _status(root: ArgoNode) -> dict[str, str]:
    """`workflow.status` and `workflow.failures` as they are now: for hooks and exit handlers."""
    main = next((child for child in root.own_children), None)
    if main is None or not main.phase.is_final:
        return {"workflow.status": Phase.RUNNING.value, "workflow.failures": "[]"}
    if "failures" not in main.fetched:
        bad = [_failure(node) for node in (*main.below(), main) if node.phase.is_bad]
        main.fetched["failures"] = json.dumps(bad, ensure_ascii=False)
    return {"workflow.status": main.phase.value, "workflow.failures": main.fetched["failures"]}


def _failure(node: ArgoNode) -> dict[str, str]:
    return {
        "displayName": node.name,
        "message": node.message,
        "templateName": node.called.name if node.called else "",
        "phase": node.phase.value,
        "podName": node.attempts[-1].pod if node.attempts else node.name,
        "finishedAt": rfc3339(from_micros(node.finished_at)),
    }


def around(node: ArgoNode) -> dict[str, Any]:
    """What stands in an inline template may name all that the steps or tasks around it may."""
    scope = node.boundary
    if scope is None or scope.called is None or node.called is None:
        return {}
    kind = "tasks" if scope.type is NodeType.DAG else "steps"
    found = around(scope) if "~" in scope.called.name else {}
    found |= inputs_of(scope) | results_of(scope, kind, sorted(named(node.called.template)))
    return found | (loops.variables_of(node.kept["item"]) if "item" in node.kept else {})


def inputs_of(node: ArgoNode) -> dict[str, Any]:
    """What a template's own fields may name of its inputs."""
    found: dict[str, Any] = {
        f"inputs.parameters.{name}": value for name, value in node.inputs.parameters.items()
    }
    found["inputs.parameters"] = to_json(
        [{"name": key, "value": item} for key, item in node.inputs.parameters.items()]
    )
    found |= {f"inputs.artifacts.{name}": artifact for name, artifact in node.inputs.artifacts.items()}
    found["node.name"] = full_name(node)
    holder = node
    if node.parent is not None and node.parent.type is NodeType.RETRY:
        holder = node.parent
        found["retries"] = str(node.index)
        before = next((other for other in holder.own_children if other.index == node.index - 1), None)
        found |= last_of(before).variables() if before is not None else {}
    if holder.step:
        kind = "tasks" if holder.boundary is not None and holder.boundary.type is NodeType.DAG else "steps"
        found[f"{kind}.name"] = holder.step
    return found


def named(*holders: Any) -> set[str]:
    """The steps and tasks that the texts in `holders` may name."""
    text = json.dumps(holders, ensure_ascii=False, default=str)
    return {first or second for first, second in _NAMED.findall(text)}


def results_of(scope: ArgoNode, kind: str, wanted: Iterable[str]) -> dict[str, Any]:
    """`steps.NAME.…` or `tasks.NAME.…` of those `wanted` in the steps or DAG node `scope`, as far as they exist."""
    found: dict[str, Any] = {}
    for name in wanted:
        nodes = nodes_of(scope, name)
        if nodes:
            found |= _results(f"{kind}.{name}", nodes)
    return found


def nodes_of(scope: ArgoNode, name: str) -> list[ArgoNode]:
    """The nodes of a step or task: several in a loop, of a loop in a DAG its group before its repetitions."""
    if scope.type is NodeType.DAG:
        task = scope.children.get(name)
        if task is None:
            return []
        return [task, *task.own_children] if task.type is NodeType.TASK_GROUP else [task]
    groups = (child for child in scope.children.values() if child.type is NodeType.STEP_GROUP)
    return [node for group in groups for node in group.children.values() if node.step == name]


def _results(prefix: str, nodes: list[ArgoNode]) -> dict[str, Any]:
    first = nodes[0]
    found = _facts(prefix, first)
    is_group = first.type is NodeType.TASK_GROUP
    if is_group or first.index >= 0:
        repeated = nodes[1:] if is_group else nodes
        given = [
            (node.outputs.parameters, node.outputs.result)
            for node in sorted(repeated, key=lambda node: node.index)
            if node.phase is Phase.SUCCEEDED
        ]
        if not is_group:
            found[f"{prefix}.status"] = _worst(repeated)
        return found | {f"{prefix}.{name}": value for name, value in loops.aggregate(given).items()}
    return found | outputs_of(prefix, first)


def _worst(nodes: list[ArgoNode]) -> str:
    bad = [node.phase.value for node in nodes if node.phase.is_bad]
    return bad[0] if bad else nodes[-1].phase.value


def _facts(prefix: str, node: ArgoNode) -> dict[str, Any]:
    found: dict[str, Any] = {f"{prefix}.id": node.id, f"{prefix}.status": node.phase.value}
    if node.started_at:
        found[f"{prefix}.startedAt"] = rfc3339(from_micros(node.started_at))
    if node.finished_at:
        found[f"{prefix}.finishedAt"] = rfc3339(from_micros(node.finished_at))
    if node.address:
        found[f"{prefix}.ip"] = node.address
    if node.outputs.exit_code is not None:
        found[f"{prefix}.exitCode"] = node.outputs.exit_code
    return found


def outputs_of(prefix: str, node: ArgoNode) -> dict[str, Any]:
    """Outputs of one node. Those of one that did not run have their default, or are absent: None."""
    found: dict[str, Any] = {}
    if node.phase in (Phase.SKIPPED, Phase.OMITTED):
        return _absent(prefix, node)
    if node.outputs.result is not None:
        found[f"{prefix}.outputs.result"] = node.outputs.result
    for name, value in node.outputs.parameters.items():
        found[f"{prefix}.outputs.parameters.{name}"] = value
    for name, artifact in node.outputs.artifacts.items():
        found[f"{prefix}.outputs.artifacts.{name}"] = artifact
    return found


def _absent(prefix: str, node: ArgoNode) -> dict[str, Any]:
    found: dict[str, Any] = {f"{prefix}.outputs.result": None}
    declared = (node.called.template.get("outputs") or {}) if node.called else {}
    for item in declared.get("parameters") or ():
        source = item.get("valueFrom") or {}
        default = source.get("default")
        found[f"{prefix}.outputs.parameters.{item.get('name')}"] = None if default is None else str(default)
    for item in declared.get("artifacts") or ():
        found[f"{prefix}.outputs.artifacts.{item.get('name')}"] = None
    return found
