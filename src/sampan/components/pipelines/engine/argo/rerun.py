"""Retrying a workflow that is over: what of it stays, what runs anew. Pure.

Nodes that succeeded stay. Leaves that failed or were stopped get new attempts beside their old ones; steps, DAGs and
loops around them go on; tasks that were skipped or omitted because of them, hooks and exit handlers are decided again.

Source: FormulateRetryWorkflow of workflow/util, argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.argo.node import NodeType, Phase
from sampan.components.pipelines.engine.language import Retry
from sampan.components.pipelines.store.tasks import OutputsRow, StateRow, TaskRow
from sampan.lib.clock import from_micros, rfc3339

_COMPOSED = frozenset(
    {
        NodeType.WORKFLOW,
        NodeType.STEPS,
        NodeType.DAG,
        NodeType.STEP_GROUP,
        NodeType.TASK_GROUP,
        NodeType.RETRY,
    }
)
_BAD = frozenset({Phase.FAILED, Phase.ERROR})


def rerun(rows: Sequence[TaskRow], now: int) -> Retry:
    """`rows` are all tasks of the run, parents before children; `now` is in microseconds."""
    children: dict[str, list[TaskRow]] = {}
    for row in rows:
        children.setdefault(row.parent_task_id, []).append(row)
    again = _again(rows, children)
    again -= _former_attempts(rows, children, again)
    gone: set[str] = set()
    updated: list[TaskRow] = []
    for row in rows:
        phase = Phase(row.details["phase"])
        # Hooks run anew with what they belong to; so does what was omitted because of it.
        is_decided = phase is Phase.OMITTED or bool(row.details.get("hook"))
        if row.parent_task_id in gone or (is_decided and row.parent_task_id in again):
            gone.add(row.task_id)
        elif row.task_id in again:
            below = children.get(row.task_id, [])
            kept = _kept(row, below, now, _reopened(below, children))
            if kept is None:
                gone.add(row.task_id)
            else:
                updated.append(kept)
    return Retry(updated, sorted(gone), [row.task_id for row in updated if row.attempts])


def _again(rows: Sequence[TaskRow], children: dict[str, list[TaskRow]]) -> set[str]:
    """What failed, and all that is around it."""
    again: set[str] = set()
    for row in reversed(rows):
        below = any(
            child.task_id in again and not child.details.get("hook")
            for child in children.get(row.task_id, ())
        )
        if not row.parent_task_id or Phase(row.details["phase"]) in _BAD or below:
            again.add(row.task_id)
    return again


def _former_attempts(
    rows: Sequence[TaskRow], children: dict[str, list[TaskRow]], again: set[str]
) -> set[str]:
    """What stays failed: attempts before one that is made anew, but for the last where that is steps or a DAG."""
    found: set[str] = set()
    for row in rows:
        if row.parent_task_id in found:
            found.add(row.task_id)
        elif row.details["type"] == NodeType.RETRY and row.task_id in again:
            attempts = children.get(row.task_id, [])
            goes_on = _reopened(attempts, children)
            found |= {attempt.task_id for attempt in attempts if attempt is not goes_on}
    return found


def _reopened(attempts: Sequence[TaskRow], children: dict[str, list[TaskRow]]) -> TaskRow | None:
    """The last attempt, if something of it can be kept."""
    last = max(attempts, key=lambda row: int(row.details.get("index", 0)), default=None)
    return last if last is not None and children.get(last.task_id) else None


def _kept(row: TaskRow, below: Sequence[TaskRow], now: int, reopened: TaskRow | None) -> TaskRow | None:
    """The row as it goes on; None for one that is decided anew."""
    type_ = NodeType(row.details["type"])
    if type_ in _COMPOSED and (below or not row.parent_task_id):
        details = _open(row, Phase.RUNNING)
        if type_ is NodeType.RETRY:
            details["kept"] = {**details.get("kept", {}), "discount": len(below) - (reopened is not None)}
        return _moved(row, RuntimeState.RUNNING, details, now)
    if not row.attempts:
        return None
    return _moved(row, RuntimeState.PENDING, _open(row, Phase.PENDING), now)


def _open(row: TaskRow, phase: Phase) -> dict[str, Any]:
    dropped = ("result", "exit_code", "message", "stopped", "daemoned", "address", "memo")
    details = {key: value for key, value in row.details.items() if key not in dropped}
    details["phase"] = phase.value
    kept = dict(details.get("kept") or {})
    for key in ("deadline", "until", "shutdown", "locks", "approved"):
        kept.pop(key, None)
    details["kept"] = kept
    artifacts = dict(details.get("artifacts") or {})
    artifacts.pop("outputs", None)
    details["artifacts"] = artifacts
    return details


def _moved(row: TaskRow, state: RuntimeState, details: dict[str, Any], now: int) -> TaskRow:
    return replace(
        row,
        state=state,
        state_history=(*row.state_history, StateRow(rfc3339(from_micros(now), micro=True), state)),
        error="",
        started_at=row.started_at if row.parent_task_id else now,
        finished_at=0,
        attempts=[msgspec.structs.replace(attempt, counts=False) for attempt in row.attempts],
        outputs=OutputsRow(),
        details=details,
    )
