"""What happens to a single step: cache, attempts, retries, outputs. Part of the machine, and like it without I/O.

A step goes PENDING (waits for a slot) → RUNNING (its attempt and pod name are in the row) → final. Each attempt has a
pod of its own; an attempt that was lost through no fault of the step does not count as a retry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict

import msgspec

from sampan.components.pipelines.api.ir_model import Container, Importer, RetryPolicy, Value
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine import workspace
from sampan.components.pipelines.engine.cache_checks import Inspection, choose
from sampan.components.pipelines.engine.caching import fingerprint
from sampan.components.pipelines.engine.context import CachedResult, RunContext
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.failure import End, PodEnd
from sampan.components.pipelines.engine.node import Node, ended
from sampan.components.pipelines.engine.outputs import StepResult, artifact_type
from sampan.components.pipelines.engine.planning import imported_by, plan
from sampan.components.pipelines.engine.platform import claim_names
from sampan.components.pipelines.engine.podspec import pod_name
from sampan.components.pipelines.engine.recorder import Recorder
from sampan.components.pipelines.engine.resolve import Outputs, Resolver
from sampan.components.pipelines.engine.reuse import Reuse
from sampan.components.pipelines.engine.turn import Removal, Timer
from sampan.components.pipelines.engine.volumes import VolumeOperation
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.tasks import AttemptRow

VOLUME_IMAGES = ("argostub/createpvc", "argostub/deletepvc")
"""Images that stand for an operation on a volume claim; no pod is made."""

_MOST_LOSSES = 20
"""Attempts of one step that may be lost before it is given up: something takes its pods away again and again."""

Finish = Callable[[Node, RuntimeState, str], None]


class Steps:
    def __init__(
        self,
        context: RunContext,
        recorder: Recorder,
        finish: Finish,
        resolver: Callable[[Node], Resolver],
    ) -> None:
        self._context = context
        self._recorder = recorder
        self._finish = finish
        self._resolver = resolver
        self._waiting: deque[Node] = deque()
        self._operations: dict[str, Node] = {}
        self._retrying: dict[str, Node] = {}
        self._checking: dict[str, tuple[Node, Inspection]] = {}
        """Steps whose earlier results are being inspected."""
        self.in_flight: dict[str, Node] = {}
        """Steps whose pod exists or is about to, by task id."""
        self.leaving: set[str] = set()
        """Those of them that were stopped, and whose pod is on its way out."""

    @property
    def waiting(self) -> int:
        """Steps that only lack a slot."""
        return len(self._waiting)

    @property
    def flying(self) -> int:
        return len(self.in_flight)

    # From the machine

    def begin(self, node: Node) -> None:
        """The step's inputs are known. Ends at once when it is imported, cached or cannot be."""
        executor = self._context.pipeline.executors[node.component.executor_label]
        if self._context.reuse is not None and self._reused(node, self._context.reuse):
            return
        try:
            if isinstance(executor, Importer):
                self._import(node, executor)
            elif isinstance(executor, Container):
                self._begin_container(node, executor)
            else:
                raise StepError(f"executor {node.component.executor_label} is of a kind that cannot run here")
        except StepError as error:
            self._finish(node, RuntimeState.FAILED, error.message)

    def resume(self, node: Node) -> None:
        """The step goes on from its row, which is not final."""
        attempt = node.attempts[-1] if node.attempts else None
        if node.state is RuntimeState.PENDING:
            self._waiting.append(node)
        elif attempt is None:
            self._operate(node, is_again=True)
        elif attempt.state is RuntimeState.CANCELED:
            self._waiting.append(node)
        elif attempt.state is RuntimeState.RUNNING:
            self._launch(node)
        else:
            self._retry_later(node, elapsed=(self._context.now() - attempt.finished_at) / 1e6)

    def cancel(self, node: Node, why: str) -> None:
        """The step will not go on. It ends once its pod is gone, at once where it has none."""
        self._operations.pop(node.id, None)
        self._retrying.pop(node.id, None)
        self._checking.pop(node.id, None)
        if node.id in self.leaving:
            return
        if node.id in self.in_flight:
            attempt = node.attempts[-1]
            node.end_attempt(ended(attempt, RuntimeState.CANCELED, self._context.now(), why))
            node.error = ""  # what its pod waited for
            self._recorder.touch(node)
            self._leave(node, attempt.pod, attempt.uid)
        else:
            self._finish(node, RuntimeState.CANCELED, "")

    def resume_leaving(self, node: Node, pod: str) -> None:
        """After a restart: a step that was stopped, whose `pod` may still be there."""
        if pod:
            self.in_flight[node.id] = node
            self._leave(node, pod)
        else:
            self._finish(node, RuntimeState.CANCELED, "")

    def gone(self, task_id: str) -> None:
        """The pod of a step that was stopped is no more."""
        if task_id in self.leaving:
            self.leaving.discard(task_id)
            self._finish(self.in_flight.pop(task_id), RuntimeState.CANCELED, "")

    def _leave(self, node: Node, pod: str, uid: str = "") -> None:
        self.leaving.add(node.id)
        self._recorder.turn.removals.append(Removal(node.id, pod, awaited=True, uid=uid))

    # From the driver

    def launch_next(self) -> None:
        """Gives the step that has waited longest its slot."""
        while self._waiting:
            node = self._waiting.popleft()
            if node.state.is_final:
                continue
            number = len(node.attempts) + 1
            name = pod_name(self._context.run_id, node.path, node.name, number)
            node.attempts.append(AttemptRow(name, RuntimeState.RUNNING, started_at=self._context.now()))
            self._launch(node)
            return

    def ended(self, task_id: str, attempt: int, end: PodEnd, outcome: StepResult | StepError) -> None:
        """The attempt's pod has ended and its outputs are read. Anything but the current attempt is stale."""
        if task_id in self.leaving:
            self.gone(task_id)
            return
        node = self.in_flight.get(task_id)
        if node is None or len(node.attempts) != attempt or node.state.is_final:
            return
        del self.in_flight[task_id]
        if isinstance(outcome, StepResult):
            self._end_attempt(node, RuntimeState.SUCCEEDED, end, "")
            self._record_outputs(node, outcome)
            self._finish(node, RuntimeState.SUCCEEDED, "")
        elif end.end is End.LOST:
            self._end_attempt(node, RuntimeState.CANCELED, end, outcome.message)
            self._run_again(node, outcome.message)
        else:
            self._end_attempt(node, RuntimeState.FAILED, end, outcome.message)
            if end.end is End.HOPELESS:
                self._recorder.turn.removals.append(Removal(node.id, node.attempts[-1].pod))
            may_retry = end.end is not End.HOPELESS and node.retries <= self._policy(node).max_retry_count
            if may_retry:
                self._retry_later(node)
            else:
                self._finish(node, RuntimeState.FAILED, outcome.message)

    def created(self, task_id: str, attempt: int, uid: str) -> None:
        """The attempt's pod exists: by its uid its log is found. Stored with what comes next."""
        node = self.in_flight.get(task_id)
        if node is not None and len(node.attempts) == attempt:
            node.end_attempt(msgspec.structs.replace(node.attempts[-1], uid=uid))

    def waits(self, task_id: str, attempt: int, why: str) -> None:
        """The attempt's pod cannot start yet, and says why; or, when that is empty, waits no more."""
        node = None if task_id in self.leaving else self.in_flight.get(task_id)
        if node is None or len(node.attempts) != attempt or node.state.is_final or node.error == why:
            return
        node.error = why
        self._recorder.touch(node)

    def started(self, task_id: str, attempt: int, address: str) -> None:
        """The attempt's pod runs. Asked for by no step of the IR."""

    def rejected(self, task_id: str, attempt: int, message: str) -> None:
        """The API server refused the attempt's pod, and would again."""
        if task_id in self.leaving:
            self.gone(task_id)
            return
        node = self.in_flight.get(task_id)
        if node is None or len(node.attempts) != attempt or node.state.is_final:
            return
        del self.in_flight[task_id]
        now = self._context.now()
        node.end_attempt(ended(node.attempts[-1], RuntimeState.FAILED, now, message))
        self._finish(node, RuntimeState.FAILED, message)

    def retry_due(self, task_id: str) -> None:
        node = self._retrying.pop(task_id, None)
        if node is not None:
            self._waiting.append(node)

    def operation_ended(self, task_id: str, parameters: dict[str, Value] | None, message: str) -> None:
        """A volume operation is done, or failed with `message` where `parameters` is None."""
        if (checked := self._checking.pop(task_id, None)) is not None:
            self._inspected(*checked)
        node = self._operations.pop(task_id, None)
        if node is None:
            return
        if parameters is None:
            self._finish(node, RuntimeState.FAILED, message)
            return
        node.outputs = Outputs(parameters)
        self._finish(node, RuntimeState.SUCCEEDED, "")

    # Beginning

    def _begin_container(self, node: Node, container: Container) -> None:
        if container.image in VOLUME_IMAGES:
            self._recorder.set_state(node, RuntimeState.RUNNING)
            self._operate(node)
            return
        self._recorder.link_inputs(node)
        found = choose(self._context.files, self._earlier(node, container))
        if found.sure is not None:
            self._reuse(node, found.sure)
            return
        self._recorder.set_state(node, RuntimeState.PENDING)
        if found.unsure:
            inspection = Inspection(node.id, self._context.files, found.unsure)
            self._checking[node.id] = (node, inspection)
            self._recorder.turn.operations.append(inspection)
        else:
            self._waiting.append(node)

    def _reused(self, node: Node, reuse: Reuse) -> bool:
        """Whether the result of the run that is resumed was taken."""
        source = reuse.counterpart(node)
        why = reuse.why_not(node)
        if why or source is None:
            node.reason, node.is_fresh = why, True
            return False
        self._recorder.link_inputs(node)
        node.cached_from, node.outputs = source.id, source.outputs
        node.reason = f"reused from run {reuse.run_id}"
        self._recorder.link_outputs(node)
        self._finish(node, RuntimeState.CACHED, "")
        return True

    def _inspected(self, node: Node, inspection: Inspection) -> None:
        """The closer look at earlier results of the step is over."""
        if inspection.sound is not None:
            self._reuse(node, inspection.sound)
        else:
            self._waiting.append(node)

    def _reuse(self, node: Node, result: CachedResult) -> None:
        node.cached_from = result.task_id
        node.outputs = result.outputs
        self._recorder.link_outputs(node)
        self._finish(node, RuntimeState.CACHED, "")

    def _earlier(self, node: Node, container: Container) -> Iterable[CachedResult]:
        """Results that the step would have again."""
        task = node.task
        if task is None or not task.enable_cache or not self._context.cache:
            return ()
        config = self._context.pipeline.kubernetes.get(node.component.executor_label, {})
        claims = claim_names(config, self._resolver(node).value)
        job = self._context.job
        if self._context.pipeline.config.workspace_size and workspace.is_used(node.inputs):
            claims.append(workspace.claim_name(job))  # of this run alone: what another run left there is gone
        node.fingerprint = fingerprint(job, task, node.component, container, node.inputs, claims)
        return self._context.lookups.cached(node.fingerprint)

    def _import(self, node: Node, importer: Importer) -> None:
        wanted = imported_by(self._context, node, importer)
        if importer.download_to_workspace:
            self._recorder.set_state(node, RuntimeState.PENDING)
            self._waiting.append(node)
            return
        known = () if importer.reimport else self._context.lookups.imported(wanted.uri, wanted.schema_title)
        artifact = wanted.match(known)
        if artifact is None:
            artifact = ArtifactRow(
                artifact_id=self._context.new_id(),
                namespace=self._context.job.namespace,
                name=wanted.output,
                type=artifact_type(wanted.schema_title),
                uri=wanted.uri,
                created_at=self._context.now(),
                schema_title=wanted.schema_title,
                schema_version=wanted.schema_version,
                metadata=wanted.metadata,
                stored=wanted.uri.startswith("/") and self._context.files.exists(wanted.uri),
            )
            self._recorder.add_artifact(artifact)
        node.outputs = Outputs(artifacts={wanted.output: (artifact,)})
        self._recorder.link_outputs(node)
        self._recorder.set_state(node, RuntimeState.RUNNING)
        self._finish(node, RuntimeState.SUCCEEDED, "")

    def _operate(self, node: Node, *, is_again: bool = False) -> None:
        executor = self._context.pipeline.executors[node.component.executor_label]
        assert isinstance(executor, Container)
        self._operations[node.id] = node
        parameters, job, task = dict(node.inputs.parameters), self._context.job, node.task
        mark = ""
        if task is not None and task.enable_cache and self._context.cache:
            mark = fingerprint(job, task, node.component, executor, node.inputs, ())
        operation = VolumeOperation(node.id, executor.image, parameters, mark, is_again)
        self._recorder.turn.operations.append(operation)

    # Attempts

    def _launch(self, node: Node) -> None:
        """Creates, or after a restart adopts, the pod of the current attempt."""
        try:
            launch = plan(self._context, node, self._resolver(node))
        except StepError as error:
            now = self._context.now()
            node.end_attempt(ended(node.attempts[-1], RuntimeState.FAILED, now, error.message))
            self._finish(node, RuntimeState.FAILED, error.message)
            return
        self.in_flight[node.id] = node
        node.error = ""  # what a former engine's pod waited for
        if node.state is not RuntimeState.RUNNING:
            self._recorder.set_state(node, RuntimeState.RUNNING)
        else:
            self._recorder.touch(node)
        self._recorder.turn.launches.append(launch)

    def _end_attempt(self, node: Node, state: RuntimeState, end: PodEnd, message: str) -> None:
        current = node.attempts[-1]
        node.end_attempt(
            AttemptRow(
                pod=current.pod,
                state=state,
                uid=end.uid or current.uid,
                exit_code=end.exit_code,
                message=message,
                started_at=end.started_at or current.started_at,
                finished_at=end.finished_at or self._context.now(),
                launched_at=current.started_at,
                scheduled_at=end.scheduled_at,
            )
        )
        self._recorder.touch(node)

    def _run_again(self, node: Node, message: str) -> None:
        if node.losses >= _MOST_LOSSES:
            message = f"its pod was lost {node.losses} times; the last: {message}"
            self._finish(node, RuntimeState.FAILED, message)
        else:
            self._waiting.appendleft(node)

    def _retry_later(self, node: Node, elapsed: float = 0.0) -> None:
        # Nothing has elapsed where the clock was set back: never longer than the policy says.
        delay = max(self._policy(node).delay_seconds(max(node.retries, 1)) - max(elapsed, 0.0), 0.0)
        if not delay:
            self._waiting.append(node)
            return
        self._retrying[node.id] = node
        self._recorder.turn.timers.append(Timer(node.id, delay))

    def _policy(self, node: Node) -> RetryPolicy:
        return node.task.retry if node.task else RetryPolicy()

    def _record_outputs(self, node: Node, result: StepResult) -> None:
        now = self._context.now()
        artifacts: dict[str, tuple[ArtifactRow, ...]] = {}
        for name, drafts in result.artifacts.items():
            artifacts[name] = tuple(
                ArtifactRow(
                    artifact_id=self._context.new_id(),
                    namespace=self._context.job.namespace,
                    name=draft.output,
                    type=artifact_type(draft.schema_title),
                    uri=draft.uri,
                    created_at=now,
                    schema_title=draft.schema_title,
                    schema_version=draft.schema_version,
                    metadata=draft.metadata,
                    stored=draft.stored,
                    producer_run_id=self._context.run_id,
                    **(asdict(draft.measure) if draft.measure is not None else {}),
                )
                for draft in drafts
            )
            for artifact in artifacts[name]:
                self._recorder.add_artifact(artifact)
        node.outputs = Outputs(dict(result.parameters), artifacts)
        self._recorder.link_outputs(node)
