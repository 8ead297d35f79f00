"""Collects a turn: which nodes changed, which artifacts are new, what is to be done after the commit."""

from __future__ import annotations

from sampan.components.pipelines.api.states import ArtifactType, IOType, RuntimeState
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.node import Node, to_row
from sampan.components.pipelines.engine.outputs import metrics
from sampan.components.pipelines.engine.resolve import Source
from sampan.components.pipelines.engine.turn import RunChange, Turn
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.tasks import StateRow
from sampan.lib.clock import from_micros, rfc3339


class Recorder:
    """One a machine. Rows are taken when the turn is, so a node that changes often in a turn is written once."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._changed: dict[str, Node] = {}
        self.turn = Turn()

    def touch(self, node: Node) -> None:
        self._changed[node.id] = node

    def set_state(self, node: Node, state: RuntimeState) -> None:
        """Moves the node and notes it in its history."""
        now = self._context.now()
        if state is RuntimeState.RUNNING and not node.started_at:
            node.started_at = now
        # Not before its start, though the machine's clock may have been set back.
        node.finished_at = max(now, node.started_at) if state.is_final else 0
        if node.state is not state or not node.history:
            node.state = state
            node.history.append(StateRow(rfc3339(from_micros(now), micro=True), state))
        self.touch(node)

    def set_run(self, state: RuntimeState, error: str = "") -> None:
        self.turn.run.append(RunChange(state, self._context.now(), error))

    def add_artifact(self, artifact: ArtifactRow) -> None:
        self.turn.artifacts.append(artifact)

    def link_inputs(self, node: Node) -> None:
        for name, found in node.inputs.artifacts.items():
            source = node.inputs.sources.get(name, Source(IOType.COMPONENT_INPUT))
            for artifact in found:
                self._link(node, artifact, name, source)

    def link_outputs(self, node: Node) -> None:
        """Links what the step gave. Each number of a Metrics artifact becomes an artifact of its own beside it, as
        upstream's newest API has it: by these, runs are sorted."""
        given = Source(IOType.OUTPUT, node.name)
        for name, found in node.outputs.artifacts.items():
            for artifact in found:
                self._link(node, artifact, name, given)
                for metric, value in metrics(artifact.schema_title, artifact.metadata).items():
                    row = ArtifactRow(
                        artifact_id=self._context.new_id(),
                        namespace=artifact.namespace,
                        name=metric,
                        type=ArtifactType.Metric,
                        uri="",
                        created_at=self._context.now(),
                        schema_title=artifact.schema_title,
                        schema_version=artifact.schema_version,
                        number_value=value,
                    )
                    self.add_artifact(row)
                    self._link(node, row, metric, given)

    def take(self) -> Turn:
        """The turn so far; a new one begins."""
        turn, self.turn = self.turn, Turn()
        for node in self._changed.values():
            row = to_row(node, self._context.run_id)
            (turn.updated if node.is_stored else turn.inserted).append(row)
            node.is_stored = True
        self._changed.clear()
        return turn

    def _link(self, node: Node, artifact: ArtifactRow, name: str, source: Source) -> None:
        self.turn.links.append(
            ArtifactLink(
                id=self._context.new_id(),
                artifact_id=artifact.artifact_id,
                run_id=self._context.run_id,
                task_id=node.id,
                type=source.type,
                key=name,
                producer_task_name=source.producer,
                producer_iteration=node.iteration_index if source.type is IOType.OUTPUT else -1,
            )
        )
