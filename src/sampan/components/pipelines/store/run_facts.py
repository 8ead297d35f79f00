"""What became of a run, for triggers and notifications: its results, and where it failed. Reads only.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.store import artifacts, tables
from sampan.components.pipelines.store.tasks import AttemptRow, OutputsRow

_TASKS = tables.tasks.c
_RUNS = tables.runs.c
_OUTPUTS = msgspec.json.Decoder(OutputsRow)
_ATTEMPTS = msgspec.json.Decoder(list[AttemptRow])
_MOST_TASKS = 1000


@dataclass(frozen=True, slots=True)
class FailedStep:
    name: str
    path: str
    message: str
    attempts: list[AttemptRow]


def results(connection: sa.Connection, run_id: str, wanted: Set[str]) -> dict[str, Any]:
    """Of `parameters`, `outputs`, `artifacts` and `tasks`, those that are wanted; large values are only read then."""
    found: dict[str, Any] = {}
    if "parameters" in wanted:
        config = connection.execute(sa.select(_RUNS.runtime_config).where(_RUNS.run_id == run_id)).scalar()
        found["parameters"] = json.loads(config or "{}").get("parameters") or {}
    if wanted & {"outputs", "artifacts"}:
        root = sa.select(_TASKS.outputs).where(_TASKS.run_id == run_id, _TASKS.type == TaskType.ROOT.value)
        outputs = _OUTPUTS.decode(connection.execute(root).scalar() or "{}")
        found["outputs"] = outputs.parameters
        found["artifacts"] = _artifacts(connection, outputs)
    if "tasks" in wanted:
        found["tasks"] = _tasks(connection, run_id)
    return found


def failed_step(connection: sa.Connection, run_id: str) -> FailedStep | None:
    """The first step that failed by itself, not because of one inside of it or before it."""
    query = (
        sa.select(_TASKS.display_name, _TASKS.scope_path, _TASKS.error, _TASKS.attempts)
        .where(_TASKS.run_id == run_id, _TASKS.state == RuntimeState.FAILED.value)
        .order_by(
            sa.case((_TASKS.attempts != "[]", 0), else_=1),
            sa.case((_TASKS.type == TaskType.ROOT.value, 1), else_=0),
            _TASKS.finished_at,
            _TASKS.created_at.desc(),
        )
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return FailedStep(row.display_name, row.scope_path, row.error, _ATTEMPTS.decode(row.attempts))


def _tasks(connection: sa.Connection, run_id: str) -> dict[str, Any]:
    """By the path below the root, such as `train` or `for-loop-1/0/train`."""
    query = (
        sa.select(_TASKS.scope_path, _TASKS.state, _TASKS.outputs)
        .where(_TASKS.run_id == run_id, _TASKS.type != TaskType.ROOT.value)
        .limit(_MOST_TASKS)
    )
    found = {}
    for path, state, text in connection.execute(query).all():
        outputs = _OUTPUTS.decode(text)
        found[path.partition("/")[2] or path] = {
            "state": state,
            "outputs": outputs.parameters,
            "artifacts": _artifacts(connection, outputs),
        }
    return found


def _artifacts(connection: sa.Connection, outputs: OutputsRow) -> dict[str, Any]:
    rows = artifacts.get_many(connection, [each for ids in outputs.artifacts.values() for each in ids[:1]])
    return {
        name: {
            "artifact_id": row.artifact_id,
            "name": row.name,
            "type": row.schema_title,
            "uri": row.uri,
            "metadata": dict(row.metadata),
        }
        for name, ids in outputs.artifacts.items()
        if ids and (row := rows.get(ids[0])) is not None
    }
