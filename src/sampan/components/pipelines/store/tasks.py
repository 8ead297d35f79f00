"""Tasks of runs: the rows. The engine writes them, one transaction a transition; REST reads them.

Every function works inside the caller's transaction. JSON columns are decoded here; their shapes are the dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import sqlalchemy as sa

from sampan.components.pipelines.api.states import IOType, RuntimeState, TaskType
from sampan.components.pipelines.store import artifacts, tables
from sampan.components.pipelines.store.long_values import MOST_CHARACTERS, short_value, short_values

_TASKS = tables.tasks
_JSON_COLUMNS = ("state_history", "attempts", "inputs", "outputs", "details", "overlay")
_IN_LIMIT = 500


class AttemptRow(msgspec.Struct, omit_defaults=True, frozen=True):
    """One pod that ran, or runs, the task.

    `state` is CANCELED for one that was stopped, or lost through no fault of the step (a node shutdown, say).
    """

    pod: str
    state: RuntimeState
    uid: str = ""
    exit_code: int | None = None
    message: str = ""
    started_at: int = 0
    finished_at: int = 0
    counts: bool = True
    """Against the retry policy: False for attempts from before the user retried the run."""
    launched_at: int = 0
    """When its pod was asked for. Of one that has ended; until then `started_at` says it."""
    scheduled_at: int = 0
    """When its pod was given a node, likewise."""


class StateRow(msgspec.Struct, omit_defaults=True, frozen=True):
    """One entry of the history, in the shape of the KFP API."""

    update_time: str
    state: RuntimeState


class ParameterSource(msgspec.Struct, omit_defaults=True, frozen=True):
    """Where an input's value came from."""

    type: IOType
    producer: str = ""


class InputsRow(msgspec.Struct, omit_defaults=True, frozen=True):
    """Resolved inputs. Artifacts by id."""

    parameters: dict[str, Any] = {}
    artifacts: dict[str, list[str]] = {}
    sources: dict[str, ParameterSource] = {}
    """Of the parameters; artifacts have theirs in `artifact_tasks`."""


class OutputsRow(msgspec.Struct, omit_defaults=True, frozen=True):
    """Recorded outputs. Artifacts by id."""

    parameters: dict[str, Any] = {}
    artifacts: dict[str, list[str]] = {}


class PodRow(msgspec.Struct, omit_defaults=True, frozen=True):
    name: str
    uid: str = ""
    type: str = "EXECUTOR"


class ParameterRow(msgspec.Struct, omit_defaults=True, frozen=True):
    """One entry of a list of parameters: a key may come several times, from several producers."""

    value: Any
    key: str = ""
    type: IOType = IOType.UNSPECIFIED
    producer: str = ""
    iteration: int = -1


class OverlayRow(msgspec.Struct, omit_defaults=True, frozen=True):
    """What clients have said of a task. None where they have said nothing, and the engine's word counts."""

    pods: tuple[PodRow, ...] | None = None
    inputs: tuple[ParameterRow, ...] | None = None
    outputs: tuple[ParameterRow, ...] | None = None
    custom_properties: dict[str, Any] = {}
    download_to_workspace: bool = False


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of one run. Times are microseconds, 0 for none; indexes are -1 for none."""

    task_id: str
    run_id: str
    parent_task_id: str
    name: str
    scope_path: str
    display_name: str
    type: TaskType
    state: RuntimeState
    created_at: int
    started_at: int = 0
    finished_at: int = 0
    iteration_index: int = -1
    iteration_count: int = -1
    state_history: Sequence[StateRow] = ()
    error: str = ""
    attempts: Sequence[AttemptRow] = ()
    inputs: InputsRow = field(default_factory=InputsRow)
    outputs: OutputsRow = field(default_factory=OutputsRow)
    cache_fingerprint: str = ""
    cached_from_task_id: str = ""
    reason: str = ""
    """Why it runs, or whose result it has: for people."""
    former: bool = False
    """Of an earlier try of the run: decided anew when its turn comes."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What only the language of the run knows about the task."""
    recorded: bool = False
    """Whether a client recorded it through the API: the engine leaves such a task alone."""
    overlay: OverlayRow = field(default_factory=OverlayRow)
    """What clients say of it. The engine does not read this."""


_DECODERS: Mapping[str, msgspec.json.Decoder[Any]] = {
    "state_history": msgspec.json.Decoder(list[StateRow]),
    "attempts": msgspec.json.Decoder(list[AttemptRow]),
    "inputs": msgspec.json.Decoder(InputsRow),
    "outputs": msgspec.json.Decoder(OutputsRow),
    "details": msgspec.json.Decoder(dict[str, Any]),
    "overlay": msgspec.json.Decoder(OverlayRow),
}

_LONG_COLUMNS = ("inputs", "outputs", "overlay")
_SHORT_COLUMNS = [
    sa.case((sa.func.length(column) <= MOST_CHARACTERS, column)).label(column.name)
    if column.name in _LONG_COLUMNS
    else column
    for column in _TASKS.columns
]

# Built once: compiling a statement costs more than running it.
_UPDATE = (
    _TASKS.update()
    .where(_TASKS.c.task_id == sa.bindparam("key"))
    .values(
        {
            column.name: sa.bindparam(column.name)
            for column in _TASKS.columns
            if column.name not in ("task_id", "run_id", "parent_task_id")
        }
    )
)


def insert(connection: sa.Connection, rows: Sequence[TaskRow]) -> None:
    if rows:
        connection.execute(_TASKS.insert(), [_values(row) for row in rows])


def update(connection: sa.Connection, rows: Sequence[TaskRow]) -> None:
    """Writes every column of rows that exist. A row that is gone, because its run was deleted, stays gone."""
    if rows:
        values = []
        for row in rows:
            value = _values(row)
            value["key"] = value.pop("task_id")
            del value["run_id"], value["parent_task_id"]
            values.append(value)
        connection.execute(_UPDATE, values)


def delete(connection: sa.Connection, task_ids: Sequence[str]) -> None:
    """Removes tasks that will run anew, with their links to artifacts."""
    artifacts.unlink_tasks(connection, task_ids)
    for start in range(0, len(task_ids), _IN_LIMIT):
        chunk = task_ids[start : start + _IN_LIMIT]
        connection.execute(_TASKS.delete().where(_TASKS.c.task_id.in_(chunk)))


def get(connection: sa.Connection, task_id: str) -> TaskRow | None:
    found = connection.execute(sa.select(_TASKS).where(_TASKS.c.task_id == task_id)).one_or_none()
    return _row(found) if found is not None else None


def list_by_run(connection: sa.Connection, run_id: str) -> list[TaskRow]:
    """In the order of their making: a task comes after its parent."""
    return _parents_first([_row(found) for found in connection.execute(_of_run(run_id))])


def shown_by_run(connection: sa.Connection, run_id: str) -> list[TaskRow]:
    """As `list_by_run`, without long values."""
    rows = []
    for found in connection.execute(_of_run(run_id).with_only_columns(*_SHORT_COLUMNS)).all():
        if None not in found:
            rows.append(_row(found))
        elif (row := get(connection, found.task_id)) is not None:
            # One after the other: together they might not fit into memory.
            rows.append(short(row))
    return rows


def short(row: TaskRow) -> TaskRow:
    """Without long values, for lists."""
    overlay = row.overlay
    said = {"inputs": overlay.inputs, "outputs": overlay.outputs}
    given = {
        side: tuple(msgspec.structs.replace(each, value=short_value(each.value)) for each in found)
        for side, found in said.items()
        if found
    }
    return replace(
        row,
        inputs=msgspec.structs.replace(row.inputs, parameters=short_values(row.inputs.parameters)),
        outputs=msgspec.structs.replace(row.outputs, parameters=short_values(row.outputs.parameters)),
        overlay=msgspec.structs.replace(overlay, **given) if given else overlay,
    )


def executed(connection: sa.Connection, run_id: str) -> list[TaskRow]:
    """As `list_by_run`, without what clients have recorded: what the engine knows of its own run."""
    query = _of_run(run_id).where(_TASKS.c.recorded == sa.false())
    return _parents_first([_row(found) for found in connection.execute(query)])


def _parents_first(rows: list[TaskRow]) -> list[TaskRow]:
    """Times do not always say it: the machine's clock may have been set back in between."""
    seen: set[str] = set()
    for row in rows:
        if row.parent_task_id and row.parent_task_id not in seen:
            break
        seen.add(row.task_id)
    else:
        return rows
    children: dict[str, list[TaskRow]] = {}
    for row in rows:
        children.setdefault(row.parent_task_id, []).append(row)
    ordered: list[TaskRow] = []
    layer = children.get("", [])
    while layer:
        ordered += layer
        layer = [child for row in layer for child in children.get(row.task_id, ())]
    return ordered


def _of_run(run_id: str) -> sa.Select[Any]:
    return (
        sa.select(_TASKS)
        .where(_TASKS.c.run_id == run_id)
        .order_by(_TASKS.c.created_at, _TASKS.c.scope_path, _TASKS.c.task_id)
    )


def list_by_parent(connection: sa.Connection, parent_task_id: str) -> list[TaskRow]:
    query = (
        sa.select(_TASKS)
        .where(_TASKS.c.parent_task_id == parent_task_id)
        .order_by(_TASKS.c.created_at, _TASKS.c.scope_path)
    )
    return [_row(found) for found in connection.execute(query)]


def find_cached(connection: sa.Connection, fingerprint: str, since: int = 0) -> list[TaskRow]:
    """Executions with this fingerprint that succeeded, at `since` or later, newest first: candidates for reuse.

    Where the one that was executed is deleted, those that have reused it stand for it.
    """
    found = _with_fingerprint(connection, fingerprint, RuntimeState.SUCCEEDED, since)
    # When the reused one was executed is not known any more.
    return found or ([] if since else _with_fingerprint(connection, fingerprint, RuntimeState.CACHED, 0))


def _with_fingerprint(
    connection: sa.Connection, fingerprint: str, state: RuntimeState, since: int
) -> list[TaskRow]:
    query = (
        sa.select(_TASKS)
        .where(
            _TASKS.c.cache_fingerprint == fingerprint,
            _TASKS.c.state == state.value,
            _TASKS.c.finished_at >= since,
            # Nobody but the engine says what a step's result is.
            _TASKS.c.recorded == sa.false(),
        )
        .order_by(_TASKS.c.finished_at.desc())
        .limit(5)
    )
    return [_row(found) for found in connection.execute(query)]


def _values(row: TaskRow) -> dict[str, Any]:
    encode = msgspec.json.encode
    return {
        "task_id": row.task_id,
        "run_id": row.run_id,
        "parent_task_id": row.parent_task_id,
        "name": row.name,
        "scope_path": row.scope_path,
        "display_name": row.display_name,
        "type": row.type.value,
        "iteration_index": row.iteration_index,
        "iteration_count": row.iteration_count,
        "state": row.state.value,
        "state_history": encode(row.state_history).decode(),
        "error": row.error,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "attempts": encode(row.attempts).decode(),
        "inputs": encode(row.inputs).decode(),
        "outputs": encode(row.outputs).decode(),
        "cache_fingerprint": row.cache_fingerprint,
        "cached_from_task_id": row.cached_from_task_id,
        "reason": row.reason,
        "former": row.former,
        "details": encode(row.details).decode() if row.details else "{}",
        "recorded": row.recorded,
        "overlay": encode(row.overlay).decode(),
    }


def _row(found: sa.Row[Any]) -> TaskRow:
    values = dict(zip(found._fields, found, strict=True))
    values["type"] = TaskType(values["type"])
    values["state"] = RuntimeState(values["state"])
    for column in _JSON_COLUMNS:
        values[column] = _DECODERS[column].decode(values[column])
    return TaskRow(**values)


def newest_with(connection: sa.Connection, namespace: str, fingerprint: str) -> TaskRow | None:
    """The newest task of a namespace's runs with this fingerprint that succeeded, whoever recorded it."""
    runs = tables.runs.c
    query = (
        sa.select(_TASKS)
        .join(tables.runs, runs.run_id == _TASKS.c.run_id)
        .where(
            _TASKS.c.cache_fingerprint == fingerprint,
            _TASKS.c.state == RuntimeState.SUCCEEDED.value,
            runs.namespace == namespace,
        )
        .order_by(_TASKS.c.created_at.desc(), _TASKS.c.task_id.desc())
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return _row(found) if found is not None else None


def find_same(connection: sa.Connection, row: TaskRow) -> TaskRow | None:
    """A task of the same run at the same place, of the same name, type and iteration."""
    query = sa.select(_TASKS).where(
        _TASKS.c.run_id == row.run_id,
        _TASKS.c.parent_task_id == row.parent_task_id,
        _TASKS.c.scope_path == row.scope_path,
        _TASKS.c.name == row.name,
        _TASKS.c.type == row.type.value,
        _TASKS.c.iteration_index == row.iteration_index,
    )
    found = connection.execute(query).first()
    return _row(found) if found is not None else None


def counts(connection: sa.Connection, run_ids: Sequence[str]) -> Mapping[str, int]:
    """How many tasks each of these runs has."""
    query = (
        sa.select(_TASKS.c.run_id, sa.func.count())
        .where(_TASKS.c.run_id.in_(run_ids))
        .group_by(_TASKS.c.run_id)
    )
    return {run_id: int(count) for run_id, count in connection.execute(query)}
