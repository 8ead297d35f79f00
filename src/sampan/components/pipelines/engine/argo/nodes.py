"""The rows of a workflow as the nodes of its status, as Argo writes them. Pure.

The controller writes them into Workflow objects, REST into v1's `workflow_manifest`. The rows are a tree of calls;
Argo's nodes are a graph: a step points at the group after it, a task at those that depend on it.

Source: argo-workflows 3.7 workflow/controller/{operator,steps,dag}.go (names, boundaries, outbound nodes),
pkg/apis/workflow/v1alpha1/workflow_types.go (NodeStatus, NodeID).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.argo.depends import condition
from sampan.components.pipelines.api.argo.document import ArgoDocument, Called
from sampan.components.pipelines.engine.argo.node import NodeType, Phase
from sampan.components.pipelines.store.tasks import AttemptRow, TaskRow
from sampan.lib.clock import from_micros, rfc3339

_BOUNDARIES = (NodeType.STEPS, NodeType.DAG)
_GROUPS = (NodeType.STEP_GROUP, NodeType.TASK_GROUP)
COUNTED = (NodeType.POD, NodeType.HTTP)
"""What progress counts."""


@dataclass(slots=True, eq=False)
class Shown:
    """One node on its way into the status."""

    row: TaskRow
    type: NodeType
    name: str
    id: str
    parent: Shown | None
    called: Called | None = None
    below: list[Shown] = field(default_factory=list)
    children: dict[str, None] = field(default_factory=dict)
    """Ids, in order."""

    @property
    def is_hook(self) -> bool:
        return bool(self.row.details.get("hook"))

    @property
    def own(self) -> list[Shown]:
        return [each for each in self.below if not each.is_hook]

    @property
    def boundary(self) -> Shown | None:
        node = self.parent
        while node is not None and node.type not in _BOUNDARIES:
            node = node.parent
        return node


def node_id(workflow: str, name: str) -> str:
    """FNV-1a of 32 bits, behind the workflow's name."""
    if name == workflow:
        return workflow
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{workflow}-{value}"


def shown_nodes(workflow: str, rows: Sequence[TaskRow], document: ArgoDocument) -> list[Shown]:
    """All nodes, parents first. The root's row is none."""
    by_task: dict[str, Shown | None] = {}
    found: list[Shown] = []
    for row in rows:
        type_ = NodeType(row.details.get("type", NodeType.POD))
        if type_ is NodeType.WORKFLOW:
            by_task[row.task_id] = None
            continue
        if row.parent_task_id not in by_task:
            continue  # its parent's row was deleted for a retry
        parent = by_task[row.parent_task_id]
        name = _name(workflow, row, type_, parent)
        template = row.details.get("template")
        called = document.find(template["scope"], template["name"]) if template else None
        node = Shown(row, type_, name, node_id(workflow, name), parent, called)
        by_task[row.task_id] = node
        if parent is not None:
            parent.below.append(node)
        found.append(node)
    for node in found:
        _link(node)
    return found


def _name(workflow: str, row: TaskRow, type_: NodeType, parent: Shown | None) -> str:
    hook = str(row.details.get("hook") or "")
    above = parent.name if parent is not None else workflow
    if hook == "exit":
        return f"{above}.onExit"
    if hook:
        return f"{above}.hooks.{hook}"
    if parent is None:
        return workflow
    key = str(row.details.get("key") or row.name)
    if type_ is NodeType.STEP_GROUP:
        return f"{above}{key}"
    if parent.type is NodeType.RETRY:
        return f"{above}({row.details.get('index', 0)})"
    if parent.type is NodeType.TASK_GROUP:
        return f"{above}{key[key.find('(') :]}"
    return f"{above}.{key}"


# The graph


def _link(node: Shown) -> None:
    own = node.own
    if node.type is NodeType.STEPS:
        _link_groups(node, own)
    elif node.type is NodeType.DAG:
        _link_tasks(node, own)
    else:
        node.children.update(dict.fromkeys(each.id for each in own))
    for hook in node.below:
        if hook.is_hook:
            node.children[hook.id] = None


def _link_groups(node: Shown, groups: Sequence[Shown]) -> None:
    for index, group in enumerate(groups):
        if index == 0:
            node.children[group.id] = None
            continue
        for last in outbound(groups[index - 1]):
            last.children[group.id] = None


def _link_tasks(node: Shown, tasks: Sequence[Shown]) -> None:
    by_name = {str(each.row.details.get("step") or each.row.display_name): each for each in tasks}
    needs = _needs(node)
    for name, task in by_name.items():
        before = [by_name[other] for other in needs.get(name, ()) if other in by_name]
        if not before:
            node.children[task.id] = None
        for other in before:
            for last in outbound(other):
                last.children[task.id] = None


def _needs(node: Shown) -> Mapping[str, Sequence[str]]:
    if node.called is None:
        return {}
    listed = (node.called.template.get("dag") or {}).get("tasks") or ()
    tasks = {str(task.get("name")): task for task in listed}
    return {name: list(dict.fromkeys(condition(task, tasks).tasks())) for name, task in tasks.items()}


def outbound(node: Shown) -> list[Shown]:
    """The last nodes of what it calls: they point at what comes next."""
    own = node.own
    if not own:
        return [node]
    if node.type is NodeType.STEPS:
        return outbound(own[-1])
    if node.type is NodeType.DAG:
        by_name = {str(each.row.details.get("step") or each.row.display_name): each for each in own}
        needed = {name for names in _needs(node).values() for name in names}
        last = [each for name, each in by_name.items() if name not in needed] or own
    elif node.type is NodeType.RETRY:
        last = own[-1:]
    else:
        last = own
    return [leaf for each in last for leaf in outbound(each)]


# One node


def render(node: Shown) -> dict[str, Any]:
    """NodeStatus."""
    row, details = node.row, node.row.details
    phase = Phase(details.get("phase", Phase.PENDING))
    boundary = node.boundary
    status: dict[str, Any] = {
        "id": node.id,
        "name": node.name,
        "displayName": _display(node),
        "type": node.type.value,
        "phase": phase.value,
        "startedAt": _time(row.started_at or row.created_at),
        "finishedAt": _time(row.finished_at),
        "progress": "",
    }
    more = {
        "templateName": node.called.name if node.called and node.called.scope == "local" else "",
        "templateScope": f"local/{_root_name(node)}" if node.called else "",
        "templateRef": _reference(node.called),
        "boundaryID": boundary.id if boundary else "",
        "message": details.get("message", ""),
        "children": list(node.children),
        "outboundNodes": _outbound_ids(node),
        "inputs": _inputs(node),
        "outputs": _outputs(node),
        "daemoned": details.get("daemoned", False),
        "podIP": details.get("address", ""),
        "memoizationStatus": _memoization(details.get("memo") or {}),
        "nodeFlag": _flags(node),
    }
    if node.type in COUNTED:
        status["progress"] = f"{int(phase.is_completed or phase is Phase.SKIPPED)}/1"
    else:
        del status["progress"]
    return status | {key: value for key, value in more.items() if value}


def _display(node: Shown) -> str:
    if node.parent is None and not node.is_hook:
        return node.name
    if node.parent is not None and node.parent.type is NodeType.RETRY:
        return f"{_display(node.parent)}({node.row.details.get('index', 0)})"
    if node.is_hook:
        return node.name.removeprefix(
            f"{node.parent.parent.name}." if node.parent and node.parent.parent else ""
        )
    return node.row.display_name


def _root_name(node: Shown) -> str:
    while node.parent is not None:
        node = node.parent
    return node.name.removesuffix(".onExit")


def _reference(called: Called | None) -> dict[str, Any]:
    if called is None or called.scope == "local":
        return {}
    scope, _, name = called.scope.partition("/")
    return {"name": name, "template": called.name} | ({"clusterScope": True} if scope == "cluster" else {})


def _outbound_ids(node: Shown) -> list[str]:
    if node.type not in _BOUNDARIES or not node.own or not node.row.finished_at:
        return []
    return list(dict.fromkeys(each.id for each in outbound(node)))


def _flags(node: Shown) -> dict[str, bool]:
    is_below_retry = node.parent is not None and node.parent.type is NodeType.RETRY
    flags = {
        "hooked": node.is_hook,
        "retried": is_below_retry and not node.is_hook,
    }
    return {key: True for key, value in flags.items() if value}


def _memoization(memo: Mapping[str, Any]) -> dict[str, Any]:
    if not memo.get("key"):
        return {}
    return {"hit": bool(memo.get("hit")), "key": memo["key"], "cacheName": str(memo.get("cache", ""))}


def _inputs(node: Shown) -> dict[str, Any]:
    given = node.row.inputs.parameters
    parameters = [{"name": name, "value": str(value)} for name, value in given.items()]
    artifacts = _artifacts(node, "inputs")
    return {key: value for key, value in (("parameters", parameters), ("artifacts", artifacts)) if value}


def _outputs(node: Shown) -> dict[str, Any]:
    details, found = node.row.details, dict(node.row.outputs.parameters)
    declared = _declared(node, "outputs", "parameters")
    parameters = []
    for name in dict.fromkeys([*declared, *found]):
        shown = {
            key: value for key, value in declared.get(name, {}).items() if key in ("valueFrom", "globalName")
        }
        shown = {"name": name, **shown}
        if name in found:
            shown["value"] = str(found[name])
        elif node.type is not NodeType.SUSPEND:
            continue  # not there yet
        parameters.append(shown)
    outputs = {
        "result": details.get("result"),
        "exitCode": details.get("exit_code"),
        "parameters": parameters or None,
        "artifacts": _artifacts(node, "outputs") or None,
    }
    return {key: value for key, value in outputs.items() if value is not None}


def _artifacts(node: Shown, side: str) -> list[dict[str, Any]]:
    given = (node.row.details.get("artifacts") or {}).get(side) or {}
    declared = _declared(node, side, "artifacts")
    shown = []
    for name, artifact in given.items():
        own = {
            key: value
            for key, value in declared.get(name, {}).items()
            if key in ("path", "globalName", "archive")
        }
        where = {"s3": {"key": artifact["uri"]}} if artifact.get("uri") else dict(artifact)
        shown.append({"name": name, **own, **where})
    return shown


def _declared(node: Shown, side: str, what: str) -> dict[str, Any]:
    if node.called is None:
        return {}
    listed = (node.called.template.get(side) or {}).get(what) or ()
    return {str(each.get("name")): each for each in listed if isinstance(each, Mapping)}


def _time(micros: int) -> str | None:
    return rfc3339(from_micros(micros)) if micros else None


def last_attempt(row: TaskRow) -> AttemptRow | None:
    return row.attempts[-1] if row.attempts else None
