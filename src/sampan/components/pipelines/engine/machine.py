"""One run's state machine, without I/O: events in, a turn of changes out.

Called by the driver only, from one asyncio task. What it knows is a cache of the rows: a machine made anew from the
rows goes on where this one was. It may be ahead of the rows by the turn under way, the world never is.

DAGs and loops are here, what happens to a single step is in `steps`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from sampan.components.pipelines.api.ir_model import Component, Task, Value
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.executor_input import given_artifacts
from sampan.components.pipelines.engine.graph import is_triggered, task_type
from sampan.components.pipelines.engine.iteration import Loop, collected, iteration_inputs, loop_items
from sampan.components.pipelines.engine.node import Node, NodeScope, restore
from sampan.components.pipelines.engine.recorder import Recorder
from sampan.components.pipelines.engine.resolve import Inputs, Resolver, dag_outputs
from sampan.components.pipelines.engine.steps import Steps
from sampan.components.pipelines.engine.turn import Removal, Timer, Turn
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow

_ROOT = "root"


class RunMachine:
    """Every public method leaves the machine settled: all that can begin has begun or waits for a slot."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._recorder = Recorder(context)
        self._work: deque[tuple[Node, str]] = deque()
        self._root: Node | None = None
        self._canceling = ""
        """Why the run is being stopped; empty while it is not."""
        self._final = RuntimeState.CANCELED
        self.steps = Steps(context, self._recorder, self._finish, self._resolver)
        self.is_over = False

    @property
    def is_canceling(self) -> bool:
        return bool(self._canceling)

    # Events

    def start(self, parameters: Mapping[str, Value]) -> None:
        """The run begins."""
        root = Node(
            id=self._context.new_id(),
            parent=None,
            name=_ROOT,
            path=_ROOT,
            type=TaskType.ROOT,
            component=self._context.pipeline.root,
            created_at=self._context.now(),
            inputs=Inputs(dict(parameters)),
        )
        self._root = root
        self._recorder.set_run(RuntimeState.RUNNING)
        self._recorder.set_state(root, RuntimeState.RUNNING)
        self._set_deadline(0.0)
        self._open_scope(root)
        self._drain()

    def resume(self, rows: Iterable[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> None:
        """The run goes on from its rows, parents before children."""
        nodes = self._restore_all(rows, artifacts)
        assert self._root is not None
        self._set_deadline((self._context.now() - self._root.started_at) / 1e6)
        for node in nodes:
            if not node.state.is_final:
                self._reopen(node)
        if self._root.state.is_final:
            self._end(self._root)
        self._drain()

    def cancel(self, why: str, final: RuntimeState = RuntimeState.CANCELED) -> None:
        """Stops everything: nothing begins any more, pods go. `final` is the state that the run then has."""
        if self.is_over or self._canceling:
            return
        self._canceling, self._final = why, final
        self._work.clear()
        if final is RuntimeState.CANCELED:
            self._recorder.set_run(RuntimeState.CANCELING)
        stack = [self._root] if self._root else []
        while stack:
            node = stack.pop()
            stack.extend(child for child in node.children.values() if not child.state.is_final)
            if node is self._root and final is not RuntimeState.CANCELED:
                node.error = why
                self._recorder.set_state(node, final)
            elif not node.state.is_final:
                self.steps.cancel(node, why)
        self._end_if_gone()

    def resume_canceling(
        self, rows: Iterable[TaskRow], artifacts: Mapping[str, ArtifactRow], pods: Mapping[str, str]
    ) -> None:
        """A run that was being canceled goes on being so. `pods` are those that still run, by task id."""
        for node in self._restore_all(rows, artifacts):
            if node.id in pods:
                self.steps.in_flight[node.id] = node
                self._recorder.turn.removals.append(Removal(node.id, pods[node.id], awaited=True))
            if not node.state.is_final:
                self._recorder.set_state(node, RuntimeState.CANCELED)
        self._canceling = "canceled"
        self._end_if_gone()

    def pod_gone(self, task_id: str) -> None:
        """A pod of a canceled run has ended or was deleted."""
        self.steps.gone(task_id)
        self._end_if_gone()

    def settle(self) -> None:
        """After an event to `steps`: begins what it made possible."""
        self._drain()

    def take(self) -> Turn:
        return self._recorder.take()

    def deadline_passed(self) -> None:
        limit = self._context.pipeline.config.active_deadline_seconds
        self.cancel(f"the run took longer than its limit of {limit} s", RuntimeState.FAILED)

    # DAGs

    def _drain(self) -> None:
        # A worklist, not recursion: a chain of a thousand skipped tasks is as deep as it is long.
        while self._work and not self._canceling:
            scope, name = self._work.popleft()
            self._begin(scope, name)

    def _open_scope(self, scope: Node) -> None:
        dag = scope.component.dag
        assert dag is not None
        graph = self._context.graph(scope.component)
        over = {name for name, child in scope.children.items() if child.state.is_final}
        scope.open = len(dag.tasks) - len(over)
        scope.waiting = {name: len(wanted - over) for name, wanted in graph.dependencies.items()}
        for name in dag.tasks:
            if not scope.waiting[name] and name not in scope.children:
                self._work.append((scope, name))
        if not scope.open:
            self._finish_scope(scope)

    def _begin(self, scope: Node, name: str) -> None:
        assert scope.component.dag is not None
        task = scope.component.dag.tasks[name]
        component = self._context.pipeline.components[task.component]
        node = self._new(scope, task, component)
        upstream = self._context.graph(scope.component).dependencies[name]
        if not is_triggered(task, (scope.children[other].state for other in upstream)):
            self._finish(node, RuntimeState.SKIPPED)
            return
        try:
            node.inputs = self._resolver(node).inputs(task, component)
            if task.condition and not self._context.expressions.condition(
                task.condition, node.inputs.parameters, given_artifacts(node.inputs)
            ):
                self._finish(node, RuntimeState.SKIPPED)
                return
            if task.iterator is not None:
                self._begin_loop(node)
                return
        except StepError as error:
            self._finish(node, RuntimeState.FAILED, error.message)
            return
        self._begin_body(node)

    def _begin_body(self, node: Node) -> None:
        """A task, or one iteration, whose inputs are known."""
        if node.component.dag is None:
            self.steps.begin(node)
            return
        self._recorder.set_state(node, RuntimeState.RUNNING)
        self._open_scope(node)

    def _new(self, scope: Node, task: Task, component: Component) -> Node:
        node = Node(
            id=self._context.new_id(),
            parent=scope,
            name=task.name,
            path=f"{scope.path}/{task.name}",
            type=task_type(task, component, self._context.pipeline),
            component=component,
            created_at=self._context.now(),
            task=task,
        )
        scope.children[task.name] = node
        return node

    def _finish(self, node: Node, state: RuntimeState, error: str = "") -> None:
        """The task has ended; what waited for it may begin."""
        node.error = error
        self._recorder.set_state(node, state)
        parent = node.parent
        if parent is None:
            self._end(node)
            return
        if state is RuntimeState.FAILED and not parent.failure:
            parent.failure = node.failure or f"{node.place}: {error}"
        if parent.loop is not None:
            self._iteration_done(parent, parent.loop, node)
            return
        parent.open -= 1
        for name in self._context.graph(parent.component).successors[node.name]:
            parent.waiting[name] -= 1
            if not parent.waiting[name]:
                self._work.append((parent, name))
        if not parent.open:
            self._finish_scope(parent)

    def _finish_scope(self, scope: Node) -> None:
        """All tasks of a DAG have ended. One that failed fails it, whatever exit tasks did."""
        given = {name: child.outputs for name, child in scope.children.items()}
        scope.outputs = dag_outputs(scope.component, given)
        failed = [child for child in scope.children.values() if child.state is RuntimeState.FAILED]
        if failed:
            more = f" (and {len(failed) - 1} more failed)" if len(failed) > 1 else ""
            self._finish(scope, RuntimeState.FAILED, scope.failure + more)
        else:
            self._finish(scope, RuntimeState.SUCCEEDED)

    def _end(self, root: Node) -> None:
        self.is_over = True
        self._recorder.set_run(root.state, root.error)

    def _end_if_gone(self) -> None:
        if self._canceling and not self.steps.in_flight and not self.is_over:
            self.is_over = True
            error = self._canceling if self._final is RuntimeState.FAILED else ""
            self._recorder.set_run(self._final, error)

    # Loops

    def _begin_loop(self, node: Node) -> None:
        assert node.task is not None
        assert node.task.iterator is not None
        iterator = node.task.iterator
        node.loop = Loop(loop_items(iterator, node.inputs), iterator.parallelism_limit)
        self._recorder.set_state(node, RuntimeState.RUNNING)
        self._advance_loop(node, node.loop)

    def _advance_loop(self, node: Node, loop: Loop) -> None:
        # Iterations that end at once, thousands of cached ones say, must not recurse into each other.
        if self._canceling or loop.advancing:
            return
        loop.advancing = True
        while loop.may_start:
            self._begin_iteration(node, loop)
        loop.advancing = False
        if loop.is_over and not node.state.is_final:
            node.outputs = collected(node.component, loop)
            failed = sum(child.state is RuntimeState.FAILED for child in node.children.values())
            if failed:
                error = f"{failed} of {len(loop.items)} iterations failed; the first: {node.failure}"
                self._finish(node, RuntimeState.FAILED, error)
            else:
                self._finish(node, RuntimeState.SUCCEEDED)

    def _begin_iteration(self, node: Node, loop: Loop) -> None:
        assert node.task is not None
        assert node.task.iterator is not None
        index = loop.following
        loop.following += 1
        loop.running += 1
        child = Node(
            id=self._context.new_id(),
            parent=node,
            name=node.name,
            path=f"{node.path}/{index}",
            type=TaskType.LOOP_ITERATION if node.component.dag else TaskType.RUNTIME,
            component=node.component,
            created_at=self._context.now(),
            task=node.task,
            iteration_index=index,
        )
        node.children[str(index)] = child
        try:
            child.inputs = iteration_inputs(node.task.iterator, node.component, node.inputs, index, loop)
        except StepError as error:
            self._finish(child, RuntimeState.FAILED, error.message)
            return
        self._begin_body(child)

    def _iteration_done(self, node: Node, loop: Loop, child: Node) -> None:
        loop.running -= 1
        loop.finished += 1
        loop.outputs[child.iteration_index] = child.outputs
        self._advance_loop(node, loop)

    # Restoring

    def _restore_all(self, rows: Iterable[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> list[Node]:
        nodes: dict[str, Node] = {}
        for row in rows:
            parent = nodes.get(row.parent_task_id)
            node = self._restored(row, parent, artifacts)
            nodes[node.id] = node
            if parent is None:
                self._root = node
            else:
                parent.children[str(row.iteration_index) if node.is_iteration else row.name] = node
        return list(nodes.values())

    def _restored(self, row: TaskRow, parent: Node | None, artifacts: Mapping[str, ArtifactRow]) -> Node:
        pipeline = self._context.pipeline
        task: Task | None = None
        component = pipeline.root
        if parent is not None and row.iteration_index >= 0:
            task, component = parent.task, parent.component
        elif parent is not None:
            assert parent.component.dag is not None
            task = parent.component.dag.tasks[row.name]
            component = pipeline.components[task.component]
        node = Node(
            id=row.task_id,
            parent=parent,
            name=row.name,
            path=row.scope_path,
            type=row.type,
            component=component,
            created_at=row.created_at,
            task=task,
            iteration_index=row.iteration_index,
        )
        restore(node, row, artifacts)
        return node

    def _reopen(self, node: Node) -> None:
        """Rebuilds what the row does not hold, and continues."""
        failed = [child for child in node.children.values() if child.state is RuntimeState.FAILED]
        if failed:
            first = failed[0]
            node.failure = first.error if first.children else f"{first.place}: {first.error}"
        if node.type is TaskType.LOOP:
            self._reopen_loop(node)
        elif node.component.dag is not None:
            self._open_scope(node)
        else:
            self.steps.resume(node)

    def _reopen_loop(self, node: Node) -> None:
        assert node.task is not None
        assert node.task.iterator is not None
        loop = Loop(loop_items(node.task.iterator, node.inputs), node.task.iterator.parallelism_limit)
        children = list(node.children.values())
        over = [child for child in children if child.state.is_final]
        loop.finished = len(over)
        loop.running = len(children) - len(over)
        loop.following = 1 + max((child.iteration_index for child in children), default=-1)
        loop.outputs = {child.iteration_index: child.outputs for child in over}
        node.loop = loop
        self._advance_loop(node, loop)

    def _resolver(self, node: Node) -> Resolver:
        """For the inputs of `node`, in the DAG that holds it."""
        scope = node.parent
        while scope is not None and scope.loop is not None:
            scope = scope.parent  # an iteration's inputs are those of the loop, one level up
        assert scope is not None
        job = self._context.job.lookup(node.name, node.id)
        return Resolver(NodeScope(scope, self._context.job.resource_name), self._context.expressions, job)

    def _set_deadline(self, elapsed_seconds: float) -> None:
        limit = self._context.pipeline.config.active_deadline_seconds
        if limit > 0:
            self._recorder.turn.timers.append(Timer("", max(limit - elapsed_seconds, 0.0)))
