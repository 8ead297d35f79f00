"""Retrying a run: what of it stays, what runs anew. Pure.

Tasks that succeeded stay as they are. Those that failed or were stopped get new attempts beside their old ones; all
that came after them, exit tasks too, is forgotten and decided again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from sampan.components.pipelines.api.ir_model import Component
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.language import Retry
from sampan.components.pipelines.store.tasks import StateRow, TaskRow
from sampan.lib.clock import from_micros, rfc3339

_UNDONE = frozenset({RuntimeState.FAILED, RuntimeState.CANCELED})


def retry(context: RunContext, rows: Sequence[TaskRow], now: int) -> Retry:
    """`rows` are all tasks of the run, parents before children; `now` is in microseconds."""
    components = _components(context, rows)
    children: dict[str, list[TaskRow]] = {}
    for row in rows:
        children.setdefault(row.parent_task_id, []).append(row)
    updated: list[TaskRow] = []
    gone: set[str] = set()
    for row in rows:
        below = children.get(row.task_id, [])
        # What failed before it had begun is decided anew; an iteration's place in its loop must stay.
        is_empty = not row.attempts and not below and row.iteration_index < 0 and row.parent_task_id
        if row.parent_task_id in gone or row.task_id in gone or (row.state in _UNDONE and is_empty):
            gone.add(row.task_id)
            continue
        if row.state in _UNDONE:
            updated.append(_again(row, now))
        gone |= _outdated(context, components[row.task_id], row, below)
    return Retry(updated, sorted(gone))


def _components(context: RunContext, rows: Sequence[TaskRow]) -> Mapping[str, Component]:
    """By task id."""
    found: dict[str, Component] = {}
    for row in rows:
        parent = found.get(row.parent_task_id)
        if parent is None:
            found[row.task_id] = context.pipeline.root
        elif row.iteration_index >= 0:
            found[row.task_id] = parent
        else:
            assert parent.dag is not None
            found[row.task_id] = context.pipeline.components[parent.dag.tasks[row.name].component]
    return found


def _outdated(
    context: RunContext, component: Component, scope: TaskRow, children: Sequence[TaskRow]
) -> set[str]:
    """Tasks of a DAG that came after one that runs again."""
    if component.dag is None or scope.type is TaskType.LOOP:
        return set()
    again = {row.name for row in children if row.state in _UNDONE}
    later = context.graph(component).downstream(again)
    return {
        row.task_id for row in children if row.name in later or (row.state is RuntimeState.SKIPPED and again)
    }


def _again(row: TaskRow, now: int) -> TaskRow:
    """A step waits for its next attempt; a DAG runs. Old attempts no longer count against the retry policy."""
    state = RuntimeState.PENDING if row.type is TaskType.RUNTIME else RuntimeState.RUNNING
    return replace(
        row,
        state=state,
        state_history=(*row.state_history, StateRow(rfc3339(from_micros(now), micro=True), state)),
        error="",
        started_at=row.started_at if row.parent_task_id else now,
        finished_at=0,
        attempts=[msgspec.structs.replace(attempt, counts=False) for attempt in row.attempts],
    )
