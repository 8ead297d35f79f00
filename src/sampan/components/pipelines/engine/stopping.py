"""Stopping a run: what goes, what still begins, and in which state it ends. Pure.

A first request ends everything but exit tasks. Those that run go on, those that have not begun are told that what they
wait for was canceled, and run; then the run ends. A second request ends them too. A deadline is a stop whose final
state is FAILED, and so is one of a run that is paused on a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.graph import is_exit_task
from sampan.components.pipelines.engine.node import Node

_NAMED = 5
"""Steps that an error names before it only counts them."""


@dataclass(frozen=True, slots=True)
class Stop:
    why: str
    final: RuntimeState = RuntimeState.CANCELED
    is_forced: bool = False
    """Exit tasks end too."""

    def lets(self, node: Node) -> bool:
        """Whether the node may go on, or begin."""
        return not self.is_forced and node.goes_on

    @property
    def error(self) -> str:
        return self.why if self.final is RuntimeState.FAILED else ""


def stop_tree(root: Node, stop: Stop) -> list[Node]:
    """Marks exit tasks that go on, closes all other DAGs, and gives the steps that must end."""
    leaves: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.state.is_final:
            continue
        if node.state is RuntimeState.PAUSED:
            leaves.append(node)  # also a group or a loop that failed before it had begun
            continue
        if node.task is not None and is_exit_task(node.task):
            node.is_exempt = True
        if stop.lets(node):
            continue
        if node.component.dag is not None and node.loop is None:
            close_scope(node, stop)
        if is_scope(node):
            stack.extend(node.children.values())
        else:
            leaves.append(node)
    # Those that began first end first: the order in which users see them.
    return sorted(leaves, key=lambda node: node.created_at)


def close_scope(scope: Node, stop: Stop) -> None:
    """Nothing begins in the DAG any more, unless exit tasks are still to come in it.

    Tasks that will never begin get no rows then: a run of thousands is stopped as fast as a small one.
    """
    dag = scope.component.dag
    assert dag is not None
    to_come = any(task.after_completion and name not in scope.children for name, task in dag.tasks.items())
    if stop.is_forced or not to_come:
        scope.is_closed = True
        scope.open = sum(not child.state.is_final for child in scope.children.values())


def is_scope(node: Node) -> bool:
    """A DAG, a loop, or an iteration whose body is a DAG."""
    return node.component.dag is not None or node.loop is not None


def running(nodes: Iterable[Node]) -> str:
    """Which steps were running, in words for an error."""
    places = [node.place for node in nodes]
    if not places:
        return ""
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return f"; running were: {', '.join(places[:_NAMED])}{more}"
