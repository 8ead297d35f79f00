"""How a run's tasks stand, without what went in and came out: what is asked again and again while a run is watched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.store import tables
from sampan.components.pipelines.store.long_values import MOST_CHARACTERS
from sampan.components.pipelines.store.tasks import AttemptRow, InputsRow

_TASKS = tables.tasks.c
_INPUTS = msgspec.json.Decoder(InputsRow)
_STEPS = (TaskType.RUNTIME.value, TaskType.IMPORTER.value)
_UNDER_WAY = (RuntimeState.PENDING.value, RuntimeState.RUNNING.value)
_COLUMNS = (
    _TASKS.task_id,
    _TASKS.parent_task_id,
    _TASKS.name,
    _TASKS.scope_path,
    _TASKS.display_name,
    _TASKS.type,
    _TASKS.state,
    _TASKS.created_at,
    _TASKS.started_at,
    _TASKS.finished_at,
    _TASKS.iteration_index,
    _TASKS.iteration_count,
    _TASKS.error,
    _TASKS.attempts,
    _TASKS.reason,
)
_OF_RUN = (
    sa.select(*_COLUMNS)
    .where(_TASKS.run_id == sa.bindparam("run_id"))
    .order_by(_TASKS.created_at, _TASKS.scope_path, _TASKS.task_id)
)
_NAMES = tuple(column.name for column in _COLUMNS)
_ATTEMPTS = msgspec.json.Decoder(list[AttemptRow])


@dataclass(frozen=True, slots=True)
class TaskState:
    """The columns of `tasks.TaskRow` that say how it goes."""

    task_id: str
    parent_task_id: str
    name: str
    scope_path: str
    display_name: str
    type: TaskType
    state: RuntimeState
    created_at: int
    started_at: int
    finished_at: int
    iteration_index: int
    iteration_count: int
    error: str
    attempts: Sequence[AttemptRow]
    reason: str


def of_run(connection: sa.Connection, run_id: str) -> list[TaskState]:
    """In the order of their making."""
    return [_state(found) for found in connection.execute(_OF_RUN, {"run_id": run_id})]


def counts(connection: sa.Connection, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """Of each run, how many of its steps are in which state. Conditions, loops and nested pipelines are no steps."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    query = (
        sa.select(_TASKS.run_id, _TASKS.state, sa.func.count())
        .where(_TASKS.run_id.in_(run_ids), _TASKS.type.in_(_STEPS))
        .group_by(_TASKS.run_id, _TASKS.state)
    )
    for run_id, state, count in connection.execute(query):
        found[run_id][state] = int(count)
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    step: str
    """The display name of the one that has waited longest."""
    message: str
    steps: int
    """How many wait."""


def waiting(connection: sa.Connection, run_ids: Sequence[str]) -> Mapping[str, Waiting]:
    """Of each run with steps that are under way and say what they wait for."""
    query = (
        sa.select(_TASKS.run_id, _TASKS.display_name, _TASKS.error)
        .where(
            _TASKS.run_id.in_(run_ids),
            _TASKS.type.in_(_STEPS),
            _TASKS.state.in_(_UNDER_WAY),
            _TASKS.error != "",
        )
        .order_by(_TASKS.created_at.desc())
    )
    found: dict[str, Waiting] = {}
    for run_id, name, message in connection.execute(query):
        count = found[run_id].steps + 1 if run_id in found else 1
        found[run_id] = Waiting(name, message, count)
    return found


def _state(found: Any) -> TaskState:
    values = dict(zip(_NAMES, found, strict=True))
    values["type"] = TaskType(values["type"])
    values["state"] = RuntimeState(values["state"])
    values["attempts"] = _ATTEMPTS.decode(values["attempts"])
    return TaskState(**values)


def root_parameters(connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """By run, what its pipeline got, defaults among them; not of runs that got very much, or have not begun."""
    query = sa.select(_TASKS.run_id, _TASKS.inputs).where(
        _TASKS.run_id.in_(run_ids),
        _TASKS.type == TaskType.ROOT.value,
        sa.func.length(_TASKS.inputs) <= MOST_CHARACTERS,
    )
    return {run_id: _INPUTS.decode(text).parameters for run_id, text in connection.execute(query)}
