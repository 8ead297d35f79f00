"""The graph of a pipeline, and of a run on it. Pure.

    plan = blueprint_of(version["pipeline_spec"])        # KFP's IR or an Argo Workflow, as the API answers it
    view.show(graph_of(plan))                            # a version
    drawn = graph_of_run(plan, run["tasks"], run["state"])   # a run: `view=STATES` or `view=FULL`
    view.show(drawn.graph)
    drawn.task_ids[node_id], drawn.node_ids[task_id]     # between the graph's selection and the API's tasks

A node's id is its place (`exit-handler-1/for-loop-2/0/train`), the same in the version and in every run of it. With
`artifacts` what steps give is drawn between them; such a node's id is that of the step, `#` and the output's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sampan.components.pipelines.api.argo.document import is_workflow
from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.ui import blueprint_argo, blueprint_ir
from sampan.components.pipelines.ui.blueprint import Blueprint, Kind, Scope, Step
from sampan.components.pipelines.ui.identity import Same
from sampan.components.pipelines.ui.run_tree import Branch, item_of, tree
from sampan.components.pipelines.ui.states import shown
from sampan.ui.graph.model import Edge, Graph, Node

_MOST = 20_000
"""Nodes of one graph. Components within components, each used ten times, would be more than anybody could draw."""
_DEEPEST = 100
"""Levels of groups within groups."""
_FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "CACHED"})
_ICONS = {
    Kind.STEP: "terminal",
    Kind.IMPORTER: "input",
    Kind.PIPELINE: "account_tree",
    Kind.CONDITION: "call_split",
    Kind.BRANCHES: "alt_route",
    Kind.EXIT_HANDLER: "exit_to_app",
    Kind.STEPS: "account_tree",
    Kind.CONTAINERS: "view_in_ar",
    Kind.HOOK: "bolt",
    Kind.SUSPEND: "pause",
    Kind.ITERATION: "looks_one",
}
_ARTIFACT_ICONS = {
    "system.Model": "category",
    "system.Dataset": "dataset",
    "system.Metrics": "insights",
    "system.ClassificationMetrics": "insights",
    "system.SlicedClassificationMetrics": "insights",
    "system.HTML": "web",
    "system.Markdown": "article",
}


@dataclass(frozen=True, slots=True)
class RunGraph:
    graph: Graph
    task_ids: Mapping[str, str]
    """By node. A step of Argo that was retried stands for its last attempt."""
    node_ids: Mapping[str, str]
    """By task."""


def blueprint_of(specification: Mapping[str, Any]) -> Blueprint:
    """`specification` is a version's or a run's `pipeline_spec`. What cannot be read is a `problem`."""
    return _blueprint(Same(specification))


def graph_of(plan: Blueprint, *, artifacts: bool = False) -> Graph:
    """Of a pipeline that does not run."""
    return _Drawing(plan, artifacts, None).graph().graph


def graph_of_run(
    plan: Blueprint, tasks: Sequence[Mapping[str, Any]], state: str = "RUNNING", *, artifacts: bool = False
) -> RunGraph:
    """`state` is the run's. Tabs that give the same plan and the same tasks share the answer."""
    return _run_graph(Same(plan), Same(tasks), state, artifacts)


@lru_cache(maxsize=16)
def _blueprint(given: Same) -> Blueprint:
    found: Mapping[str, Any] = given.value or {}
    inner = found.get("pipeline_spec")
    spec: Mapping[str, Any] = inner if isinstance(inner, Mapping) else found
    try:
        if is_workflow(spec):
            return blueprint_argo.blueprint(spec)
        return blueprint_ir.blueprint(spec, found.get("platform_spec") or {})
    except (PipelinesError, AttributeError, TypeError, ValueError, KeyError, RecursionError) as error:
        # Of an older version of the language, or made by hand: the page still has its list of tasks.
        return Blueprint(problem=f"The specification cannot be drawn: {error}")


@lru_cache(maxsize=8)
def _run_graph(plan: Same, tasks: Same, state: str, artifacts: bool) -> RunGraph:
    root = tree(tasks.value, plan.value.entry)
    return _Drawing(plan.value, artifacts, root, is_over=state in _FINAL).graph()


@dataclass(slots=True)
class _Drawing:
    plan: Blueprint
    artifacts: bool
    run: Branch | None
    is_over: bool = False
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    task_ids: dict[str, str] = field(default_factory=dict)
    node_ids: dict[str, str] = field(default_factory=dict)

    def graph(self) -> RunGraph:
        self._scope(self.plan.root, "", self.run, ())
        return RunGraph(Graph(self.nodes, self.edges), self.task_ids, self.node_ids)

    def _scope(self, name: str, place: str, branch: Branch | None, within: tuple[str, ...]) -> dict[str, int]:
        """Draws what is in it, and counts it by tone."""
        scope = self.plan.scopes.get(name, Scope())
        started = branch.children if branch is not None else {}
        counts: dict[str, int] = {}
        was_over, self.is_over = self.is_over, self.is_over or (branch is not None and _is_over(branch))
        steps: dict[str, Step] = dict(scope.steps)
        for key in started:
            # What only the run knows of: hooks, recursions, what other programs recorded.
            steps.setdefault(key, Step(key, _label(started[key], key)))
        for key, step in steps.items():
            if len(self.nodes) >= _MOST:
                break
            tone = self._step(step, _join(place, key), place, started.get(key), (*within, name))
            counts[tone] = counts.get(tone, 0) + 1
        self._links(scope, place)
        self.is_over = was_over
        return counts

    def _step(
        self, step: Step, place: str, group: str, branch: Branch | None, within: tuple[str, ...]
    ) -> str:
        """Its tone."""
        self._note(place, branch)
        at = len(self.nodes)
        node = self._node(step, place, group, branch)
        self.nodes.append(node)
        if self.artifacts and step.outputs and not step.loop:
            self._outputs(step, place, group)
        counts: dict[str, int] = {}
        if step.loop and not (branch and not branch.is_loop):
            counts = self._loop(step, place, branch, within)
        elif self._has_inside(step, branch, within):
            counts = self._scope(step.scope, place, branch, within)
        if counts:
            self.nodes[at] = _group(node, step, branch, counts if self.run is not None else {})
        return node.tone

    def _has_inside(self, step: Step, branch: Branch | None, within: tuple[str, ...]) -> bool:
        if (self.run is not None and step.kind is Kind.CONTAINERS) or len(within) > _DEEPEST:
            return False
        if branch is not None and branch.children:
            return True
        # A step that is within itself is drawn as far as a run has come.
        return bool(step.scope) and step.scope not in within

    def _loop(self, step: Step, place: str, branch: Branch | None, within: tuple[str, ...]) -> dict[str, int]:
        """Its iterations once there are some; before that, what each of them will be."""
        if branch is None or not branch.children:
            if not self._has_inside(step, None, within):
                return {}
            self._scope(step.scope, place, None, within)
            return {"": max(branch.iterations, 0)} if branch and branch.iterations > 0 else {"": 1}
        counts: dict[str, int] = {}
        for key, inner in branch.children.items():
            if len(self.nodes) >= _MOST:
                break
            once = Step(
                key,
                item_of(key),
                Kind.ITERATION if step.scope else step.kind,
                scope=step.scope,
                outputs=step.outputs,
            )
            tone = self._step(once, _join(place, key), place, inner, within)
            counts[tone] = counts.get(tone, 0) + 1
        missing = branch.iterations - len(branch.children)
        return counts | ({"": missing} if missing > 0 else {})

    def _node(self, step: Step, place: str, group: str, branch: Branch | None) -> Node:
        icon = "repeat" if step.loop else _ICONS[step.kind]
        detail = step.loop or step.detail
        title = "\n".join(
            dict.fromkeys(each for each in (step.label, step.loop, step.title or step.detail) if each)
        )
        if self.run is None:
            return Node(place, step.label, group, icon=icon, detail=detail, title=title)
        if branch is None:
            word = "Not run" if self.is_over else "Not started"
            return Node(place, step.label, group, icon=icon, detail=detail, state=word, title=title)
        word, tone, _ = shown(branch.state)
        error = str((branch.task.get("status_metadata") or {}).get("message", ""))
        return Node(
            place,
            step.label,
            group,
            icon=icon,
            state=word,
            tone=tone,
            badge=f"attempt {branch.attempts}" if branch.attempts > 1 else "",
            title=f"{title}\n{error}" if error else title,
        )

    def _note(self, place: str, branch: Branch | None) -> None:
        if branch is None:
            return
        self.task_ids[place] = str(branch.last.get("task_id", branch.id))
        for each in (branch.id, *branch.others):
            self.node_ids[each] = place

    def _outputs(self, step: Step, place: str, group: str) -> None:
        for output in step.outputs:
            name = f"{place}#{output.key}"
            icon = _ARTIFACT_ICONS.get(output.type, "insert_drive_file")
            title = f"{output.key}, {output.type.removeprefix('system.') or 'artifact'} of {step.label}"
            self.nodes.append(Node(name, output.key, group, "artifact", icon=icon, title=title))
            self.edges.append(Edge(place, name, "artifact"))

    def _links(self, scope: Scope, place: str) -> None:
        for link in scope.links:
            source, target = _join(place, link.source), _join(place, link.target)
            given = scope.steps.get(link.source)
            if self.artifacts and link.kind == "artifact" and given and given.outputs and not given.loop:
                keys = [each.key for each in given.outputs if link.target in each.consumers]
                if keys:
                    self.edges += [Edge(f"{source}#{key}", target, "artifact") for key in keys]
                    continue
            self.edges.append(Edge(source, target, link.kind, link.label))


def _group(node: Node, step: Step, branch: Branch | None, counts: Mapping[str, int]) -> Node:
    holds = (
        "iterations"
        if step.loop and branch is not None and branch.children
        else "loop"
        if step.loop
        else step.kind.value
    )
    if holds == "step":
        holds = "steps"
    badge = node.badge
    if step.loop and branch is not None and branch.iterations > 0:
        badge = f"{branch.iterations - counts.get('', 0) - _under_way(branch)}/{branch.iterations}"
    return Node(
        node.id,
        node.label,
        node.group,
        icon=node.icon,
        detail=node.detail,
        state=node.state,
        tone=node.tone,
        badge=badge,
        title=node.title,
        holds=holds,
        open=step.kind is Kind.EXIT_HANDLER and not step.loop,
        counts=counts,
    )


def _under_way(branch: Branch) -> int:
    return sum(not _is_over(child) for child in branch.children.values())


def _is_over(branch: Branch) -> bool:
    return branch.state in _FINAL


def _label(branch: Branch, key: str) -> str:
    return str(branch.task.get("display_name") or key)


def _join(place: str, key: str) -> str:
    return f"{place}/{key}" if place else key
