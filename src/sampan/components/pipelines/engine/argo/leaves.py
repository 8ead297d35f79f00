"""Leaves of the tree: pods, suspensions, and what is done without a pod. What the driver's events are about.

Implements `language.StepEvents`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sampan.components.pipelines.api.argo.document import type_of
from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.api.states import ArtifactType, IOType, RuntimeState
from sampan.components.pipelines.engine.argo.collecting import ArgoResult
from sampan.components.pipelines.engine.argo.data import DataCall
from sampan.components.pipelines.engine.argo.http import HttpCall
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType, Phase, Results
from sampan.components.pipelines.engine.argo.podplan import Attempt, has_pod, plan
from sampan.components.pipelines.engine.argo.resources import ResourceCall
from sampan.components.pipelines.engine.argo.run_metrics import RunMetric
from sampan.components.pipelines.engine.argo.tree import Tree
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.failure import End, PodEnd
from sampan.components.pipelines.engine.outputs import FailedStepError, StepResult
from sampan.components.pipelines.engine.podspec import pod_name
from sampan.components.pipelines.engine.turn import Operation, Removal, Timer
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.tasks import AttemptRow
from sampan.kube.selectors import from_object

_MOST_LOSSES = 20
"""Attempts of one pod that may be lost before it is given up: something takes its pods away again and again."""

VariablesOf = Callable[[ArgoNode], Variables]


class Leaves:
    def __init__(self, tree: Tree, wake: Callable[[str], None]) -> None:
        self._tree = tree
        self._wake = wake
        self._waiting: deque[ArgoNode] = deque()
        self._asking: dict[str, tuple[ArgoNode, str]] = {}
        self._writing: set[str] = set()
        self.variables_of: VariablesOf = lambda node: Variables()
        self.in_flight: dict[str, ArgoNode] = {}
        """Nodes whose pod exists or is about to, by task id."""
        self.leaving: dict[str, ArgoNode] = {}
        """Nodes that were stopped and whose pod is on its way out."""
        self.parallelism: int | None = None
        """How many pods of the workflow may run at once."""

    # For the driver

    @property
    def waiting(self) -> int:
        if self.parallelism is None:
            return len(self._waiting)
        return min(len(self._waiting), max(self.parallelism - len(self.in_flight), 0))

    @property
    def flying(self) -> int:
        return len(self.in_flight) + len(self.leaving)

    def launch_next(self) -> None:
        while self._waiting:
            node = self._waiting.popleft()
            if node.phase.is_final:
                continue
            number = len(node.attempts) + 1
            # By the node's id too: one that is decided anew, in a retried run, has the path of its forerunner.
            name = pod_name(
                self._tree.context.run_id, f"{node.path}/{node.id}", node.step or node.name, number
            )
            node.attempts.append(AttemptRow(name, RuntimeState.RUNNING, started_at=self._tree.context.now()))
            self._launch(node)
            return

    def created(self, task_id: str, attempt: int, uid: str) -> None:
        node = self._current(task_id, attempt)
        if node is not None and node.attempts[-1].uid != uid:
            node.end_attempt(msgspec.structs.replace(node.attempts[-1], uid=uid))

    def started(self, task_id: str, attempt: int, address: str) -> None:
        node = self._current(task_id, attempt)
        if node is None or node.is_daemoned:
            return
        if node.called is not None and "resource" in node.called.template:
            node.fetched["pod"] = True
            self._tree.mark(node)
            return
        node.address, node.is_daemoned = address, True
        self._tree.touch(node)
        self._tree.mark(node)

    def ended(self, task_id: str, attempt: int, end: PodEnd, outcome: StepResult | StepError) -> None:
        node = self._current(task_id, attempt)
        if node is None:
            return
        del self.in_flight[task_id]
        message = outcome.message if isinstance(outcome, StepError) else ""
        if end.exit_code is not None:
            node.outputs.exit_code = str(end.exit_code)
        if isinstance(outcome, StepResult):
            self._end_attempt(node, RuntimeState.SUCCEEDED, end)
            self._record(node, outcome)
            self._collect_garbage(node, "OnPodSuccess", "OnPodCompletion")
            self._tree.finish(node, Phase.SUCCEEDED)
        elif end.end is End.LOST:
            self._end_attempt(node, RuntimeState.CANCELED, end, message)
            self._again(node, message)
        else:
            self._end_attempt(node, RuntimeState.FAILED, end, message)
            if isinstance(outcome, FailedStepError):
                self._record(node, outcome.left)
            self._collect_garbage(node, "OnPodCompletion")
            if end.end is End.HOPELESS:
                self._tree.turn.removals.append(Removal(node.id, node.attempts[-1].pod))
            self._tree.finish(node, Phase.FAILED if end.end is End.FAILED else Phase.ERROR, message)

    def waits(self, task_id: str, attempt: int, why: str) -> None:
        node = self._current(task_id, attempt)
        if node is not None:
            self._tree.say(node, why)

    def rejected(self, task_id: str, attempt: int, message: str) -> None:
        node = self._current(task_id, attempt)
        if node is None:
            return
        del self.in_flight[task_id]
        self._close_attempt(node, RuntimeState.FAILED, message)
        self._tree.finish(node, Phase.ERROR, message)

    def retry_due(self, task_id: str) -> None:
        self._tree.mark(self._tree.nodes.get(task_id))

    def operation_ended(self, task_id: str, parameters: dict[str, Value] | None, message: str) -> None:
        if task_id in self._writing:
            self._writing.discard(task_id)
            self._tree.mark(self._tree.root)
            return
        node, key = self._asking.pop(task_id, (None, ""))
        if node is None:
            return
        if parameters is None:
            node.failed_operation = message
        else:
            node.fetched[key] = parameters
        self._tree.mark(node)

    def _current(self, task_id: str, attempt: int) -> ArgoNode | None:
        node = self.in_flight.get(task_id)
        return (
            node if node is not None and len(node.attempts) == attempt and not node.phase.is_final else None
        )

    # For the machine

    def ask(self, node: ArgoNode, operation: Operation) -> dict[str, Any] | None:
        """The answer, or None while it is being fetched: the node is looked at again then. Raises ArgoError."""
        if node.failed_operation:
            message, node.failed_operation = node.failed_operation, ""
            raise ArgoError(message)
        if operation.name in node.fetched:
            found: dict[str, Any] = node.fetched[operation.name]
            return found
        if node.id not in self._asking:
            self._asking[node.id] = (node, operation.name)
            self._tree.turn.operations.append(operation)
        return None

    def write(self, operation: Operation) -> None:
        """Something that no node waits for, only the workflow's end. A failure changes nothing."""
        self._writing.add(operation.task_id)
        self._tree.turn.operations.append(operation)

    @property
    def is_busy(self) -> bool:
        """Whether something must still come to its end before the workflow may."""
        return bool(self._writing or self.flying)

    def wake(self, node: ArgoNode) -> None:
        """From without the machine: the node shall be looked at."""
        self._wake(node.id)

    def set_timer(self, node: ArgoNode, due: float) -> None:
        """Looks at the node at `due`, in seconds since the epoch."""
        self._tree.turn.timers.append(Timer(node.id, max(due - self._tree.context.now() / 1e6, 0.0)))

    def begin(self, node: ArgoNode) -> None:
        """A leaf has passed its gates."""
        assert node.called is not None
        kind = type_of(node.called.template)
        if has_pod(node.called.template):
            self._link_inputs(node)
            self._tree.touch(node)
            self._waiting.append(node)
            return
        self._tree.run(node)
        if kind == "suspend" and (duration := (node.called.template["suspend"] or {}).get("duration")):
            wait = seconds(substitute(duration, self.variables_of(node)))
            node.kept["until"] = self._tree.context.now() / 1e6 + wait
            self.set_timer(node, node.kept["until"])
        elif kind not in ("suspend", "resource", "http", "data"):
            self._tree.finish(node, Phase.ERROR, f"a template of kind {kind or 'none'} cannot run here")

    def look(self, node: ArgoNode) -> None:
        """A leaf that runs: whether what it waits for has come."""
        try:
            if node.type is NodeType.SUSPEND:
                self._look_at_suspended(node)
            elif node.called is not None and type_of(node.called.template) in ("resource", "http", "data"):
                self._look_at_call(node)
        except ArgoError as error:
            self.stop(node, Phase.FAILED, error.message)

    def resume(self, node: ArgoNode) -> None:
        """A pod's node goes on from its row."""
        attempt = node.attempts[-1] if node.attempts else None
        if attempt is not None and attempt.state is RuntimeState.RUNNING:
            self._launch(node)
        else:
            self._waiting.append(node)

    def approve(self, node: ArgoNode, parameters: Mapping[str, str], failure: str = "") -> None:
        """A suspended node goes on, or fails with `failure`. Its outputs may be supplied."""
        node.outputs.parameters |= parameters
        if failure:
            self._tree.finish(node, Phase.FAILED, failure)
            return
        node.kept["approved"] = True
        self._tree.touch(node)
        self._tree.mark(node)

    def stop(self, node: ArgoNode, phase: Phase, message: str) -> None:
        """The node, a leaf, will not go on."""
        if node.id in self.in_flight:
            del self.in_flight[node.id]
            self.leaving[node.id] = node
            self._tree.turn.removals.append(Removal(node.id, node.attempts[-1].pod, awaited=True))
            self._close_attempt(node, RuntimeState.CANCELED, message)
        self._asking.pop(node.id, None)
        self._tree.finish(node, phase, message)

    def end_daemons(self, scope: ArgoNode) -> None:
        """The steps or DAG is over: daemons within it go."""
        for node in scope.below():
            if node.is_daemoned and node.type is NodeType.POD:
                self.stop(node, Phase.SUCCEEDED, "")
            elif node.is_daemoned:
                self._tree.finish(node, Phase.SUCCEEDED)

    # Pods

    def _launch(self, node: ArgoNode) -> None:
        attempt = Attempt(node, len(node.attempts), self.variables_of(node))
        try:
            launch = plan(self._tree.context, attempt)
        except (ArgoError, StepError) as error:
            self._close_attempt(node, RuntimeState.FAILED, error.message)
            self._tree.finish(node, Phase.ERROR, error.message)
            return
        self.in_flight[node.id] = node
        if node.phase is not Phase.RUNNING:
            self._tree.run(node)
        self._tree.touch(node)
        self._tree.turn.launches.append(launch)

    def _end_attempt(self, node: ArgoNode, state: RuntimeState, end: PodEnd, message: str = "") -> None:
        current = node.attempts[-1]
        node.end_attempt(
            AttemptRow(
                pod=current.pod,
                state=state,
                uid=end.uid,
                exit_code=end.exit_code,
                message=message,
                started_at=end.started_at or current.started_at,
                finished_at=end.finished_at or self._tree.context.now(),
                launched_at=current.started_at,
                scheduled_at=end.scheduled_at,
            )
        )

    def _close_attempt(self, node: ArgoNode, state: RuntimeState, message: str) -> None:
        current = node.attempts[-1]
        now = self._tree.context.now()
        node.end_attempt(AttemptRow(current.pod, state, current.uid, None, message, current.started_at, now))

    def _again(self, node: ArgoNode, message: str) -> None:
        losses = sum(attempt.state is RuntimeState.CANCELED and attempt.counts for attempt in node.attempts)
        if losses >= _MOST_LOSSES:
            self._tree.finish(node, Phase.ERROR, f"its pod was lost {losses} times; the last: {message}")
        else:
            self._tree.touch(node)
            self._waiting.appendleft(node)

    def _collect_garbage(self, node: ArgoNode, *strategies: str) -> None:
        """The pod goes as soon as it has ended, where `podGC` wants that. Its log stays."""
        wanted = self._tree.context.document.spec.get("podGC") or {}
        if wanted.get("strategy") not in strategies or node.called is None:
            return
        general = self._tree.context.document.spec.get("podMetadata") or {}
        labels = {
            **(general.get("labels") or {}),
            **((node.called.template.get("metadata") or {}).get("labels") or {}),
        }
        if wanted.get("labelSelector") and not from_object(wanted["labelSelector"]).matches(labels):
            return
        attempt = node.attempts[-1]
        self._tree.turn.removals.append(Removal(node.id, attempt.pod, uid=attempt.uid))

    # What has no pod

    def _look_at_suspended(self, node: ArgoNode) -> None:
        assert node.called is not None
        until = node.kept.get("until")
        if not node.kept.get("approved") and (until is None or self._tree.context.now() / 1e6 < until):
            return
        for item in (node.called.template.get("outputs") or {}).get("parameters") or ():
            name, source = str(item.get("name")), item.get("valueFrom") or {}
            if name in node.outputs.parameters:
                continue
            if source.get("default") is None:
                raise ArgoError(f"output parameter {name} was not supplied, and has no default")
            node.outputs.parameters[name] = str(source["default"])
        self._tree.finish(node, Phase.SUCCEEDED)

    def _look_at_call(self, node: ArgoNode) -> None:
        assert node.called is not None
        variables = self.variables_of(node)
        template = node.called.template
        if has_pod(template):
            if not node.fetched.get("pod"):
                return
            variables = variables.with_layer({"pod.name": node.attempts[-1].pod})
        if "http" in template:
            operation: Operation = HttpCall.of(
                node.id, template, variables, allow_private=self._tree.context.allow_private
            )
        elif "data" in template:
            operation = DataCall.of(self._tree.context, node.id, template, variables)
        else:
            operation = ResourceCall.of(self._tree.context, node, template, variables)
        found = self.ask(node, operation)
        if found is None:
            return
        node.outputs.parameters |= found.get("parameters") or {}
        node.outputs.result = found.get("result")
        message = str(found.get("failure") or "")
        self.stop(node, Phase.FAILED if message else Phase.SUCCEEDED, message)

    # Outputs

    def _record(self, node: ArgoNode, result: StepResult) -> None:
        context = self._tree.context
        exit_code = node.outputs.exit_code
        node.outputs = Results(
            {name: str(value) for name, value in result.parameters.items()}, exit_code=exit_code
        )
        if isinstance(result, ArgoResult):
            node.outputs.result = result.result
            self._record_metrics(node, result.metrics)
        for name, drafts in result.artifacts.items():
            draft = drafts[0]
            row = ArtifactRow(
                artifact_id=context.new_id(),
                namespace=context.namespace,
                name=name,
                type=ArtifactType.Artifact,
                uri=draft.uri,
                created_at=context.now(),
                schema_title=draft.schema_title,
                metadata=draft.metadata,
                stored=draft.stored,
            )
            self._tree.turn.artifacts.append(row)
            self._link(node, row.artifact_id, name, IOType.OUTPUT)
            node.outputs.artifacts[name] = {"uri": draft.uri, "id": row.artifact_id}

    def _record_metrics(self, node: ArgoNode, found: Sequence[RunMetric]) -> None:
        """Each as an artifact of its own, as those of the IR are."""
        context = self._tree.context
        for metric in found:
            row = ArtifactRow(
                artifact_id=context.new_id(),
                namespace=context.namespace,
                name=metric.name,
                type=ArtifactType.Metric,
                uri="",
                created_at=context.now(),
                metadata={"format": metric.format} if metric.format else {},
                number_value=metric.value,
            )
            self._tree.turn.artifacts.append(row)
            self._link(node, row.artifact_id, metric.name, IOType.OUTPUT)

    def _link_inputs(self, node: ArgoNode) -> None:
        for name, artifact in node.inputs.artifacts.items():
            if artifact.get("id"):
                self._link(node, str(artifact["id"]), name, IOType.TASK_OUTPUT_INPUT)

    def _link(self, node: ArgoNode, artifact_id: str, name: str, kind: IOType) -> None:
        self._tree.turn.links.append(
            ArtifactLink(
                id=self._tree.context.new_id(),
                artifact_id=artifact_id,
                run_id=self._tree.context.run_id,
                task_id=node.id,
                type=kind,
                key=name,
                producer_task_name=node.name if kind is IOType.OUTPUT else "",
            )
        )
