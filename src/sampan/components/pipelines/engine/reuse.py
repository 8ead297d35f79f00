"""Which results a resumed run takes from the run it goes on from, and for every other task why not. Pure.

A task's result is taken if the task succeeded there, what it runs, its inputs and all before it are as they were, and
what it gave is still there. Iterations are matched by their items, everything else by its place. Conditions and loops
are decided by the machine as always, from results that were taken.

What does not count: names, retry policies, caching options, and how much of the machine a step asks for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sampan.components.pipelines.api.ir_model import Container, Importer, Pipeline, Value
from sampan.components.pipelines.api.ir_validate import dependencies
from sampan.components.pipelines.api.ir_values import shortened, to_text
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.placeholders import JobContext

_DONE = frozenset({RuntimeState.SUCCEEDED, RuntimeState.CACHED})
_NOT_DONE = {
    RuntimeState.FAILED: "it failed",
    RuntimeState.PAUSED: "it failed",
    RuntimeState.CANCELED: "it was stopped",
    RuntimeState.SKIPPED: "it was skipped",
}
_NEUTRAL = frozenset(
    {
        "nodeSelector",
        "tolerations",
        "nodeAffinity",
        "podAffinity",
        "imagePullPolicy",
        "imagePullSecret",
        "activeDeadlineSeconds",
        "podMetadata",
    }
)
"""Of a KubernetesExecutorConfig: where and for how long a step runs, not what it does."""
_CREATE_CLAIM, _DELETE_CLAIM = "argostub/createpvc", "argostub/deletepvc"


@dataclass(frozen=True, slots=True)
class Source:
    """The run that is resumed, as it ended."""

    job: JobContext
    pipeline: Pipeline
    nodes: Sequence[Node]
    """The root first, parents before children."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """By task id, why a result cannot be taken though its task succeeded."""


class Reuse:
    """For one machine: remembers which node stands for which task of the source."""

    def __init__(self, source: Source, pipeline: Pipeline, job: JobContext) -> None:
        """`pipeline` and `job` are the resumed run's."""
        self._source = source
        self._pipeline = pipeline
        self._job = job
        self._counterparts: dict[str, Node | None] = {}
        self._iterations: dict[str, dict[bytes, deque[Node]]] = {}
        self._deleted = _deleted_claims(source)

    @property
    def run_id(self) -> str:
        return self._source.job.run_id

    def counterpart(self, node: Node) -> Node | None:
        """The task of the source at the node's place. The inputs of an iteration must be known."""
        if node.id not in self._counterparts:
            self._counterparts[node.id] = self._find(node)
        return self._counterparts[node.id]

    def why_not(self, node: Node) -> str:
        """Why a step runs, in words for people; empty when the counterpart's result is to be taken."""
        found = self.counterpart(node)
        if found is None:
            return "it is new"
        if why := self._changed(node, found):
            return why
        if found.state not in _DONE:
            return f"{_NOT_DONE.get(found.state, 'it did not run')} in run {self.run_id}"
        if found.id in self._source.lost:
            return self._source.lost[found.id]
        if node.follows:
            return f"it comes after {node.follows}"
        return self._other_inputs(node, found)

    # Freshness: what is not as it was, and hence everything after it.

    def follows(self, scope: Node, upstream: Iterable[str]) -> str:
        """For a task of `scope`: what before it is not as it was; empty for nothing."""
        fresh = (name for name in sorted(upstream) if scope.children[name].is_fresh)
        first = next(fresh, "")
        return _shown(scope.children[first]) if first else scope.follows

    def note(self, node: Node) -> None:
        """The node has ended."""
        if node.state is RuntimeState.SKIPPED:
            found = self.counterpart(node)
            node.is_fresh = found is not None and found.state is not RuntimeState.SKIPPED
        if node.is_fresh and node.parent is not None:
            node.parent.is_fresh = True

    def restore(self, nodes: Sequence[Node]) -> None:
        """After a restart: what of `nodes`, parents before children, is fresh, and what follows what."""
        for node in reversed(nodes):
            if not node.children and node.component.dag is None and node.type is not TaskType.LOOP:
                found = self.counterpart(node)
                node.is_fresh = found is None or node.cached_from != found.id
            if node.state.is_final or node.is_fresh:
                self.note(node)
        for node in nodes:
            scope = node.parent
            if scope is None:
                continue
            if node.is_iteration or scope.component.dag is None or node.task is None:
                node.follows = scope.follows
            else:
                dag = scope.component.dag
                names = {name for name in dependencies(dag.tasks[node.name]) if name in scope.children}
                node.follows = self.follows(scope, names)

    # Matching

    def _find(self, node: Node) -> Node | None:
        if node.parent is None:
            return self._source.nodes[0] if self._source.nodes else None
        scope = self.counterpart(node.parent)
        if scope is None:
            return None
        if node.is_iteration:
            return self._iteration(scope, node)
        found = scope.children.get(node.name)
        is_loop = node.task is not None and node.task.iterator is not None
        was_loop = found is not None and found.type is TaskType.LOOP
        if found is None or is_loop is not was_loop:
            return None
        return found

    def _iteration(self, loop: Node, node: Node) -> Node | None:
        """The one over the same item; of several equal items, one each."""
        if loop.type is not TaskType.LOOP:
            return None
        known = self._iterations.get(loop.id)
        if known is None:
            known = self._iterations[loop.id] = {}
            for child in loop.children.values():
                known.setdefault(_item(child), deque()).append(child)
        waiting = known.get(_item(node))
        return waiting.popleft() if waiting else None

    # Comparing

    def _changed(self, node: Node, found: Node) -> str:
        """What of what the step is differs from what it was."""
        new = self._pipeline.executors[node.component.executor_label]
        old = self._source.pipeline.executors.get(found.component.executor_label)
        if type(new) is not type(old) or (node.component.dag is None) is not (found.component.dag is None):
            return "it is another kind of step now"
        if isinstance(new, Container) and isinstance(old, Container):
            if why := _changed_container(new, old):
                return why
            if new.image == _CREATE_CLAIM and found.outputs.parameters.get("name") in self._deleted:
                return "the volume claim that it made was deleted"
        if isinstance(new, Importer) and new != old:
            return "what it imports changed"
        if why := self._changed_platform(node, found):
            return why
        outputs = (node.component.output_parameters, node.component.output_artifacts)
        if outputs != (found.component.output_parameters, found.component.output_artifacts):
            return "its outputs changed"
        return ""

    def _changed_platform(self, node: Node, found: Node) -> str:
        new = self._pipeline.kubernetes.get(node.component.executor_label, {})
        old = self._source.pipeline.kubernetes.get(found.component.executor_label, {})
        different = sorted(
            key for key in (new.keys() | old.keys()) - _NEUTRAL if new.get(key) != old.get(key)
        )
        return f"its Kubernetes settings changed ({', '.join(different)})" if different else ""

    def _other_inputs(self, node: Node, found: Node) -> str:
        new, old = node.inputs, found.inputs
        for name in sorted(new.parameters.keys() | old.parameters.keys()):
            value, before = new.parameters.get(name), old.parameters.get(name)
            if value != before and not self._is_the_same(value, before, node, found):
                return f"its input {name} changed: {_text(before)} → {_text(value)}"
        for name in sorted(new.artifacts.keys() | old.artifacts.keys()):
            ids = [item.artifact_id for item in new.artifacts.get(name, ())]
            if ids != [item.artifact_id for item in old.artifacts.get(name, ())]:
                return f"its input {name} is another artifact"
        return ""

    def _is_the_same(self, value: Value, before: Value, node: Node, found: Node) -> bool:
        """Whether two values differ only in what names the run: its id, its times, the task's id."""
        if (value, before) == (self._job.display_name, self._source.job.display_name):
            return True
        text, was = to_text(value), to_text(before)
        old, new = self._source.job, self._job
        for theirs, ours in (
            (old.run_id, new.run_id),
            (old.resource_name, new.resource_name),
            (found.id, node.id),
            (old.create_time, new.create_time),
            (old.schedule_time, new.schedule_time),
        ):
            was = was.replace(theirs, ours)
        return text == was


def _changed_container(new: Container, old: Container) -> str:
    if new.image != old.image:
        return f"its image changed: {old.image} → {new.image}"
    if new.command != old.command:
        return "its code changed"
    if new.args != old.args:
        return "its arguments changed"
    if new.env != old.env:
        names = sorted(name for name, _ in set(new.env) ^ set(old.env))
        return f"its environment changed ({', '.join(dict.fromkeys(names)) or 'the order'})"
    return ""


def _deleted_claims(source: Source) -> set[Any]:
    """Names of volume claims that a task of the source has deleted."""
    found = set()
    for node in source.nodes:
        executor = source.pipeline.executors.get(node.component.executor_label)
        if isinstance(executor, Container) and executor.image == _DELETE_CLAIM and node.state in _DONE:
            found.add(str(node.inputs.parameters.get("pvc_name", "")))
    return found


def _item(node: Node) -> bytes:
    """An iteration's item, by which it is told from others: its value, or which artifact it is."""
    iterator = node.task.iterator if node.task is not None else None
    if iterator is None:
        return b""
    artifacts = [item.artifact_id for item in node.inputs.artifacts.get(iterator.item_input, ())]
    value = artifacts or node.inputs.parameters.get(iterator.item_input)
    return msgspec.json.encode(value, order="deterministic")


def _shown(node: Node) -> str:
    return node.task.display_name if node.task is not None and node.task.display_name else node.name


def _text(value: Value) -> str:
    return "nothing" if value is None else shortened(to_text(value))
