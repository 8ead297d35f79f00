"""One workflow's state machine, without I/O: events in, a turn of changes out. Implements `language.Machine`.

Level-based, as Argo's controller is: whatever has changed is looked at again, and does what its state asks for. What it
knows is a cache of the rows; made anew from them it goes on where this one was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.argo.beginning import Beginning, Control
from sampan.components.pipelines.engine.argo.calling import Calling
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.dags import Dags
from sampan.components.pipelines.engine.argo.hooks import Hooks
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType
from sampan.components.pipelines.engine.argo.podplan import has_pod
from sampan.components.pipelines.engine.argo.retrying import Retrying
from sampan.components.pipelines.engine.argo.rows import restored
from sampan.components.pipelines.engine.argo.scoping import Globals
from sampan.components.pipelines.engine.argo.steps import Steps
from sampan.components.pipelines.engine.argo.tree import Tree
from sampan.components.pipelines.engine.argo.whole import Whole
from sampan.components.pipelines.engine.turn import Removal, Turn
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow

_DEADLINE = "Step exceeded its deadline"


class ArgoMachine:
    def __init__(self, context: ArgoContext, wake: Callable[[str], None] = lambda task_id: None) -> None:
        self._context = context
        self._tree = Tree(context)
        self._control = Control()
        self._globals = Globals(context)
        self.steps = Leaves(self._tree, wake)
        self._beginning = Beginning(self._tree, self._globals, self.steps, self._control)
        self.steps.variables_of = self._beginning.variables
        calling = Calling(self._tree, self._globals)
        self._steps = Steps(self._tree, calling, self.steps)
        self._dags = Dags(self._tree, calling, self.steps)
        self._retrying = Retrying(self._tree, self._beginning, self.steps, self._control)
        self._hooks = Hooks(self._tree, self._globals, calling, self._steps, self._dags)
        self._whole = Whole(self._tree, self._globals, self.steps, self._hooks, self._control)
        self._tree.on_end(self._ended)

    @property
    def is_over(self) -> bool:
        return self._whole.is_over

    def is_leaving(self, task_id: str) -> bool:
        return task_id in self.steps.leaving

    # Events

    def start(self) -> None:
        root = self._tree.add(None, "root", NodeType.WORKFLOW, name=self._context.name)
        self._tree.set_run(RuntimeState.RUNNING)
        self._tree.run(root)
        self._whole.begin(root)
        self.settle()

    def resume(self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> None:
        self._restore(rows)
        self._take_up()
        self.settle()

    def resume_canceling(
        self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow], pods: Mapping[str, str]
    ) -> None:
        self._restore(rows)
        for task_id, pod in pods.items():
            node = self._tree.nodes.get(task_id)
            if node is not None and node.phase.is_final:
                self.steps.leaving[task_id] = node
                self._tree.turn.removals.append(Removal(task_id, pod, awaited=True))
        if not self._control.shutdown:
            self.cancel("the run was stopped")
        self._take_up()
        self.settle()

    def cancel(
        self, why: str, final: RuntimeState = RuntimeState.CANCELED, *, is_forced: bool = False
    ) -> None:
        again = bool(self._control.shutdown)
        self._whole.shut_down("Terminate" if is_forced or again else "Stop", why, final)

    def shut_down(self, strategy: str) -> None:
        """`spec.shutdown`: Stop lets exit handlers run, Terminate does not. The workflow fails."""
        why = f"workflow shutdown with strategy:  {strategy}"
        self._whole.shut_down(strategy, why, RuntimeState.FAILED)

    def suspend(self, *, suspended: bool) -> None:
        """`spec.suspend`: nothing begins while it holds."""
        self._whole.suspend(suspended=suspended)

    def approve(self, task_id: str, parameters: Mapping[str, str], failure: str = "") -> None:
        """A suspended node goes on."""
        node = self._tree.nodes.get(task_id)
        if node is not None and node.type is NodeType.SUSPEND and not node.phase.is_final:
            self.steps.approve(node, parameters, failure)

    def pod_gone(self, task_id: str) -> None:
        node = self.steps.leaving.pop(task_id, None)
        if node is not None:
            self._tree.mark(self._tree.root)

    def deadline_passed(self) -> None:
        self._whole.shut_down("Stop", _DEADLINE, RuntimeState.FAILED)

    def look_at(self, task_id: str) -> None:
        """From without: a lock may have come free."""
        self._tree.mark(self._tree.nodes.get(task_id))

    def settle(self) -> None:
        while (node := self._tree.next_dirty()) is not None and not self.is_over:
            self._look(node)

    def take(self) -> Turn:
        return self._tree.take()

    # Looking

    def _look(self, node: ArgoNode) -> None:
        if node.type is NodeType.WORKFLOW:
            self._whole.look(node)
            return
        if node.phase.is_final:
            self._hooks.look(node, self._control)
            if node.is_complete:
                self._tree.complete(node)
            return
        if self._is_late(node):
            return
        if not node.has_begun and node.called is not None:
            self._beginning.begin(node)
            return
        self._hooks.look(node, self._control)
        if node.is_daemoned and node.is_complete:
            self._tree.complete(node)
        self._look_below(node)

    def _look_below(self, node: ArgoNode) -> None:
        if node.type is NodeType.STEPS:
            self._steps.look(node)
        elif node.type is NodeType.STEP_GROUP:
            self._steps.look_at_group(node)
        elif node.type is NodeType.DAG:
            self._dags.look(node)
        elif node.type is NodeType.TASK_GROUP:
            self._dags.look_at_group(node)
        elif node.type is NodeType.RETRY:
            self._retrying.look(node)
        else:
            self.steps.look(node)

    def _is_late(self, node: ArgoNode) -> bool:
        deadline = node.kept.get("deadline")
        if deadline is None or self._context.now() / 1e6 < deadline:
            return False
        self._whole.stop_below(node, _DEADLINE)
        return True

    def _ended(self, node: ArgoNode) -> None:
        self._context.locks.release(node.id)
        self._globals.add_outputs(node)
        self._beginning.next_in(node)
        if self._hooks.has_workflow_hooks:
            self._tree.mark(self._tree.root)

    # Restoring

    def _restore(self, rows: Sequence[TaskRow]) -> None:
        nodes: dict[str, ArgoNode] = {}
        for row in rows:
            node = restored(row, nodes.get(row.parent_task_id), self._context.document)
            nodes[node.id] = node
            self._tree.adopt(node)
        self._tree.recount()
        for node in sorted(nodes.values(), key=lambda node: node.finished_at):
            self._globals.add_outputs(node)
            if not node.phase.is_final and node.kept.get("locks"):
                self._context.locks.hold(self._context.run_id, node.id, tuple(node.kept["locks"]))

    def _take_up(self) -> None:
        root = self._tree.root
        assert root is not None
        self._whole.take_up(root)
        for node in list(self._tree.nodes.values()):
            if node.phase.is_final or node is root:
                continue
            if node.type is NodeType.POD and node.has_begun and _has_pod(node):
                self.steps.resume(node)
            for key in ("deadline", "until"):
                if key in node.kept:
                    self.steps.set_timer(node, node.kept[key])
            self._tree.mark(node)
        self._tree.mark(root)


def _has_pod(node: ArgoNode) -> bool:
    return node.called is not None and has_pod(node.called.template)
