"""Retrying a run: what of it stays, what runs anew. Pure.

Tasks that succeeded stay as they are, as long as what they gave is still there. Those that failed or were stopped, and
all that came after them, exit tasks too, are decided anew: a row that has attempts stays, marked as former, so that its
logs do, and its next attempt counts on; one without goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from sampan.components.pipelines.api.errors import FailedPreconditionError, NotFoundError
from sampan.components.pipelines.api.ir_model import Component
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.language import Retry
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import OutputsRow, StateRow, TaskRow
from sampan.lib.clock import from_micros, rfc3339

_UNDONE = frozenset({RuntimeState.FAILED, RuntimeState.CANCELED, RuntimeState.PAUSED})


def check_retriable(run: RunRow | None, run_id: str) -> None:
    """Raises NotFoundError, FailedPreconditionError."""
    if run is None:
        raise NotFoundError(f"run {run_id} not found")
    if not run.runtime_state.is_final:
        raise FailedPreconditionError(
            f"run {run_id} is {run.state}; only a run that has ended can be retried"
        )
    if run.runtime_state is RuntimeState.SUCCEEDED:
        raise FailedPreconditionError(f"run {run_id} succeeded; there is nothing to retry")


def retry(context: RunContext, rows: Sequence[TaskRow], now: int, lost: Mapping[str, str]) -> Retry:
    """`rows` are all tasks of the run, parents before children; `now` is in microseconds.

    `lost` has, by task id, why the result of a task that succeeded cannot be used any more.
    """
    components = _components(context, rows)
    children: dict[str, list[TaskRow]] = {}
    for row in rows:
        children.setdefault(row.parent_task_id, []).append(row)
    again = _again(rows, children, lost)
    gone: set[str] = set()
    reopened: list[TaskRow] = []
    for row in rows:
        below = children.get(row.task_id, ())
        is_anew = row.task_id in again and not below and row.parent_task_id
        if row.parent_task_id in gone or row.task_id in gone or is_anew:
            gone.add(row.task_id)
            continue
        if row.task_id in again:
            reopened.append(_moved(row, now, RuntimeState.RUNNING))
        gone |= _outdated(context, components[row.task_id], row, below, again)
    kept = _with_attempts(rows, gone)
    former = [
        replace(_moved(row, now, RuntimeState.PENDING), former=True, reason=lost.get(row.task_id, ""))
        for row in rows
        if row.task_id in kept
    ]
    return Retry([*reopened, *former], sorted(gone - kept), sorted(kept))


def proceed(rows: Sequence[TaskRow], now: int) -> Retry:
    """Of a paused run: the steps that have failed are decided anew, everything else stays where it is."""
    held = [row for row in rows if row.state is RuntimeState.PAUSED]
    kept = [row for row in held if row.attempts]
    former = [replace(_moved(row, now, RuntimeState.PENDING), former=True, reason="") for row in kept]
    # The time that the user took counts against no deadline.
    root = [replace(row, started_at=now) for row in rows if not row.parent_task_id]
    deleted = [row.task_id for row in held if not row.attempts]
    return Retry([*root, *former], deleted, [row.task_id for row in kept])


def _again(
    rows: Sequence[TaskRow], children: Mapping[str, Sequence[TaskRow]], lost: Mapping[str, str]
) -> set[str]:
    """Tasks that do not stay as they are: those that must run, and all DAGs and loops around them."""
    again: set[str] = set()
    for row in reversed(rows):
        below = children.get(row.task_id, ())
        if row.task_id in lost or row.state in _UNDONE or any(child.task_id in again for child in below):
            again.add(row.task_id)
    return again


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
    context: RunContext, component: Component, scope: TaskRow, children: Sequence[TaskRow], again: set[str]
) -> set[str]:
    """Tasks of a DAG that came after one that runs again."""
    if component.dag is None or scope.type is TaskType.LOOP:
        return set()
    undone = {row.name for row in children if row.task_id in again}
    later = context.graph(component).downstream(undone)
    return {
        row.task_id for row in children if row.name in later or (row.state is RuntimeState.SKIPPED and undone)
    }


def _with_attempts(rows: Sequence[TaskRow], gone: set[str]) -> set[str]:
    """Of `gone`, the tasks that have run, and what is around them."""
    kept: set[str] = set()
    for row in reversed(rows):
        if row.task_id in gone and (row.attempts or row.task_id in kept):
            kept |= {row.task_id, row.parent_task_id}
    return kept & gone


def _moved(row: TaskRow, now: int, state: RuntimeState) -> TaskRow:
    """The task is not over any more. Old attempts no longer count against the retry policy."""
    return replace(
        row,
        state=state,
        state_history=(*row.state_history, StateRow(rfc3339(from_micros(now), micro=True), state)),
        error="",
        started_at=row.started_at if row.parent_task_id else now,
        finished_at=0,
        attempts=[msgspec.structs.replace(attempt, counts=False) for attempt in row.attempts],
        outputs=OutputsRow(),
        cached_from_task_id="",
    )
