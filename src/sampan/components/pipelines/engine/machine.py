"""One run's state machine, without I/O: events in, a turn of changes out.

Called by the driver only, from one asyncio task. What it knows is a cache of the rows: a machine made anew from the
rows goes on where this one was. It may be ahead of the rows by the turn under way, the world never is.

DAGs and loops are here, what happens to a single step is in `steps`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sampan.components.pipelines.api.ir_model import Component, Task, Value
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.executor_input import given_artifacts
from sampan.components.pipelines.engine.graph import is_triggered, task_type
from sampan.components.pipelines.engine.iteration import Loop, collected, iteration_inputs, loop_items
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.planning import resolver_for
from sampan.components.pipelines.engine.recorder import Recorder
from sampan.components.pipelines.engine.resolve import Inputs, Resolver, dag_outputs
from sampan.components.pipelines.engine.restoring import again, given_up, restored
from sampan.components.pipelines.engine.steps import Steps
from sampan.components.pipelines.engine.stopping import Stop, close_scope, is_scope, running, stop_tree
from sampan.components.pipelines.engine.turn import Timer, Turn
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
        self._stop: Stop | None = None
        self._former: dict[str, TaskRow] = {}
        """Tasks of an earlier try that have not been decided yet, by path."""
        self._held: dict[str, Node] = {}
        """Steps that have failed, and whose failure waits for the user's word."""
        self.steps = Steps(context, self._recorder, self._finish, self._resolver)
        self.is_over = False

    @property
    def root(self) -> Node | None:
        """The tree as it is; None before the run began."""
        return self._root

    def is_leaving(self, task_id: str) -> bool:
        return task_id in self.steps.leaving

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

    def resume(self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> None:
        """The run goes on from its rows, parents before children."""
        nodes = self._restore(rows, artifacts)
        assert self._root is not None
        self._set_deadline((self._context.now() - self._root.started_at) / 1e6)
        for node in nodes:
            if not node.state.is_final:
                self._reopen(node)
        if self._root.state.is_final:
            self._end(self._root)
        self._drain()

    def cancel(
        self, why: str, final: RuntimeState = RuntimeState.CANCELED, *, is_forced: bool = False
    ) -> None:
        """Stops the run, which then has the state `final`. Exit tasks still run, unless this was said before."""
        if self.is_over:
            return
        if self._root is None:
            self.is_over = True
            self._recorder.set_run(final, why if final is RuntimeState.FAILED else "")
            return
        if self._stop is None:
            if self._held and final is RuntimeState.CANCELED:
                # Given up rather than stopped: what has failed says why.
                first = next(iter(self._held.values()))
                why, final = f"{first.place}: {first.error}", RuntimeState.FAILED
            self._stop = Stop(why, final, is_forced)
            self._root.error = self._stop.error  # by which a restarted engine knows
            self._recorder.touch(self._root)
            self._recorder.set_run(RuntimeState.CANCELING)
        else:
            self._stop = replace(self._stop, is_forced=True)
        for node in stop_tree(self._root, self._stop):
            if self._held.pop(node.id, None) is not None:
                self._finish(node, RuntimeState.FAILED, node.error)
            else:
                self.steps.cancel(node, why)
        self._drain()

    def resume_canceling(
        self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow], pods: Mapping[str, str]
    ) -> None:
        """A run that was being stopped goes on being so. `pods` are those that still run, by task id."""
        nodes = self._restore(rows, artifacts)
        assert self._root is not None
        error = self._root.error
        final = RuntimeState.FAILED if error else RuntimeState.CANCELED
        self._stop = Stop(error or "the run was stopped", final)
        leaves: list[Node] = []
        for node in nodes:
            # What a second request had stopped, or a first one because it is no exit task, bears its mark.
            was_stopped = bool(node.attempts) and node.attempts[-1].state is RuntimeState.CANCELED
            if node.task is not None and node.task.after_completion and not was_stopped:
                node.is_exempt = True
            if node.state.is_final:
                continue
            is_inner = is_scope(node) or node.type is TaskType.LOOP
            if node.state is not RuntimeState.PAUSED and (self._stop.lets(node) or is_inner):
                self._reopen(node)
            else:
                leaves.append(node)
        for node in leaves:
            if node.state is RuntimeState.PAUSED:
                self._finish(node, RuntimeState.FAILED, node.error)
            else:
                self.steps.resume_leaving(node, pods.get(node.id, ""))
        if self._root.state.is_final:
            self._end(self._root)
        self._drain()

    def pod_gone(self, task_id: str) -> None:
        """The pod of a step that was stopped has ended or was deleted."""
        self.steps.gone(task_id)
        self._drain()

    def settle(self) -> None:
        """After an event to `steps`: begins what it made possible."""
        self._drain()

    def take(self) -> Turn:
        return self._recorder.take()

    def deadline_passed(self) -> None:
        """Nothing happens while the run waits for its user, who gets the whole time again."""
        if self._held or self._stop is not None:
            return
        were = running(sorted(self.steps.in_flight.values(), key=lambda node: node.created_at))
        limit = self._context.deadline_seconds
        self.cancel(f"the run took longer than its limit of {limit} s{were}", RuntimeState.FAILED)

    # DAGs

    def _drain(self) -> None:
        # A worklist, not recursion: a chain of a thousand skipped tasks is as deep as it is long.
        while self._work and not self._is_forced:
            scope, name = self._work.popleft()
            self._begin(scope, name)
        if self._is_forced and not self.steps.leaving and not self.is_over:
            self._end_by_force()

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
        if self._context.reuse is not None:
            node.follows = self._context.reuse.follows(scope, upstream)
        if self._stop is not None and task.after_completion:
            node.is_exempt = True
        if not is_triggered(task, (scope.children[other].state for other in upstream)):
            self._finish(node, RuntimeState.SKIPPED)
            return
        if self._stop is not None and not self._stop.lets(node):
            self._finish(node, RuntimeState.CANCELED)
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
        self._take_over(node)
        return node

    def _take_over(self, node: Node) -> None:
        """What an earlier try of the run had at the node's place becomes the node's past."""
        if (row := self._former.pop(node.path, None)) is not None:
            again(node, row)

    def _finish(self, node: Node, state: RuntimeState, error: str = "") -> None:
        """The task has ended; what waited for it may begin."""
        node.error = error
        if self._is_forced:
            self._recorder.set_state(node, state)
            return
        if state is RuntimeState.FAILED and self._context.pauses and self._stop is None and not node.children:
            self._hold(node)
            return
        self._recorder.set_state(node, state)
        if self._context.reuse is not None:
            self._context.reuse.note(node)
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
        for name in () if parent.is_closed else self._context.graph(parent.component).successors[node.name]:
            parent.waiting[name] -= 1
            if not parent.waiting[name]:
                self._work.append((parent, name))
        if not parent.open:
            self._finish_scope(parent)

    def _hold(self, node: Node) -> None:
        """The step has failed, and nobody after it is told: the run waits for its user."""
        self._recorder.set_state(node, RuntimeState.PAUSED)
        if not self._held:
            self._recorder.set_run(RuntimeState.PAUSED)
        self._held[node.id] = node

    def _finish_scope(self, scope: Node) -> None:
        """All tasks of a DAG have ended. One that failed fails it, whatever exit tasks did."""
        given = {name: child.outputs for name, child in scope.children.items()}
        scope.outputs = dag_outputs(scope.component, given)
        failed = [child for child in scope.children.values() if child.state is RuntimeState.FAILED]
        if self._is_stopped(scope):
            assert self._stop is not None
            self._finish(scope, self._stop.final, self._stop.error)
        elif failed:
            more = f" (and {len(failed) - 1} more failed)" if len(failed) > 1 else ""
            self._finish(scope, RuntimeState.FAILED, scope.failure + more)
        else:
            self._finish(scope, RuntimeState.SUCCEEDED)

    def _is_stopped(self, scope: Node) -> bool:
        """Whether a DAG or loop that is over ends as the stopped run does: something in it was not allowed to end."""
        if self._stop is None or self._stop.lets(scope):
            return False
        canceled = any(child.state is RuntimeState.CANCELED for child in scope.children.values())
        return canceled or scope is self._root or (scope.loop is not None and not scope.loop.is_over)

    def _end(self, root: Node) -> None:
        self.is_over = True
        for row in self._former.values():
            self._recorder.turn.updated.append(given_up(row))
        self._former.clear()
        self._recorder.set_run(root.state, root.error)

    @property
    def _is_forced(self) -> bool:
        return self._stop is not None and self._stop.is_forced

    def _end_by_force(self) -> None:
        """All pods are gone: whatever has not ended does, without a word to what follows it."""
        assert self._root is not None
        assert self._stop is not None
        stack = list(self._root.children.values())
        while stack:
            node = stack.pop()
            stack.extend(node.children.values())
            if not node.state.is_final:
                self._recorder.set_state(node, RuntimeState.CANCELED)
        self._root.error = self._stop.error
        self._recorder.set_state(self._root, self._stop.final)
        self._end(self._root)

    # Loops

    def _begin_loop(self, node: Node) -> None:
        assert node.task is not None
        assert node.task.iterator is not None
        iterator = node.task.iterator
        node.loop = Loop.over(loop_items(iterator, node.inputs), iterator.parallelism_limit)
        self._recorder.set_state(node, RuntimeState.RUNNING)
        self._advance_loop(node, node.loop)

    def _advance_loop(self, node: Node, loop: Loop) -> None:
        # Iterations that end at once, thousands of cached ones say, must not recurse into each other.
        if loop.advancing:
            return
        loop.advancing = True
        is_stopped = self._stop is not None and not self._stop.lets(node)
        while loop.may_start and not is_stopped:
            self._begin_iteration(node, loop)
        loop.advancing = False
        if node.state.is_final or not (loop.is_over or (is_stopped and not loop.running)):
            return
        node.outputs = collected(node.component, loop)
        failed = sum(child.state is RuntimeState.FAILED for child in node.children.values())
        if self._is_stopped(node):
            assert self._stop is not None
            self._finish(node, self._stop.final, self._stop.error)
        elif failed:
            error = f"{failed} of {len(loop.items)} iterations failed; the first: {node.failure}"
            self._finish(node, RuntimeState.FAILED, error)
        else:
            self._finish(node, RuntimeState.SUCCEEDED)

    def _begin_iteration(self, node: Node, loop: Loop) -> None:
        assert node.task is not None
        assert node.task.iterator is not None
        index = loop.absent.popleft()
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
        child.follows = node.follows
        self._take_over(child)
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

    def _restore(self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> list[Node]:
        nodes = restored(self._context.pipeline, rows, artifacts)
        self._root = nodes[0]
        self._former = {row.scope_path: row for row in rows if row.former}
        if self._context.reuse is not None:
            self._context.reuse.restore(nodes)
        return nodes

    def _reopen(self, node: Node) -> None:
        """Rebuilds what the row does not hold, and continues."""
        failed = [child for child in node.children.values() if child.state is RuntimeState.FAILED]
        if failed:
            first = failed[0]
            node.failure = first.error if first.children else f"{first.place}: {first.error}"
        if node.state is RuntimeState.PAUSED:
            self._held[node.id] = node
        elif node.type is TaskType.LOOP:
            self._reopen_loop(node)
        elif node.component.dag is None:
            self.steps.resume(node)
        else:
            if self._stop is not None and not self._stop.lets(node):
                close_scope(node, self._stop)
            if not node.is_closed:
                self._open_scope(node)
            elif not node.open:
                self._finish_scope(node)

    def _reopen_loop(self, node: Node) -> None:
        assert node.task is not None
        assert node.task.iterator is not None
        children = list(node.children.values())
        over = [child for child in children if child.state.is_final]
        begun = {child.iteration_index for child in children}
        limit = node.task.iterator.parallelism_limit
        loop = Loop.over(loop_items(node.task.iterator, node.inputs), limit, begun)
        loop.finished = len(over)
        loop.running = len(children) - len(over)
        loop.outputs = {child.iteration_index: child.outputs for child in over}
        node.loop = loop
        self._advance_loop(node, loop)

    def _resolver(self, node: Node) -> Resolver:
        return resolver_for(self._context, node)

    def _set_deadline(self, elapsed_seconds: float) -> None:
        limit = self._context.deadline_seconds
        if limit > 0:
            self._recorder.turn.timers.append(Timer("", max(limit - max(elapsed_seconds, 0.0), 0.0)))
