"""What is known of pipelines beyond their own rows: how many versions, which is the latest, which run was the last.

Asked for the pipelines of one page at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sampan.components.pipelines.store import tables

_VERSIONS = tables.pipeline_versions.c
_RUNS = tables.runs.c
_SCHEDULES = tables.schedules.c


@dataclass(frozen=True, slots=True)
class LatestVersion:
    pipeline_version_id: str
    display_name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class LastRun:
    run_id: str
    display_name: str
    state: str
    created_at: int


@dataclass(frozen=True, slots=True)
class PipelineFacts:
    """Of one pipeline."""

    version_count: int = 0
    schedule_count: int = 0
    latest_version: LatestVersion | None = None
    last_run: LastRun | None = None


def of_pipelines(connection: sa.Connection, pipeline_ids: Sequence[str]) -> dict[str, PipelineFacts]:
    """By the pipeline's id; of all that are given."""
    versions = _counts(connection, _VERSIONS.pipeline_id, pipeline_ids)
    schedules = _counts(connection, _SCHEDULES.pipeline_id, pipeline_ids)
    return {
        each: PipelineFacts(
            versions.get(each, 0),
            schedules.get(each, 0),
            _latest_version(connection, each),
            _last_run(connection, each),
        )
        for each in pipeline_ids
    }


def _counts(connection: sa.Connection, column: sa.Column[str], values: Sequence[str]) -> dict[str, int]:
    found = sa.select(column, sa.func.count()).where(column.in_(values)).group_by(column)
    return {row[0]: row[1] for row in connection.execute(found)}


def _latest_version(connection: sa.Connection, pipeline_id: str) -> LatestVersion | None:
    found = connection.execute(
        sa.select(_VERSIONS.pipeline_version_id, _VERSIONS.display_name, _VERSIONS.created_at)
        .where(_VERSIONS.pipeline_id == pipeline_id)
        .order_by(_VERSIONS.created_at.desc(), _VERSIONS.pipeline_version_id.desc())
        .limit(1)
    ).first()
    return LatestVersion(*found) if found is not None else None


def _last_run(connection: sa.Connection, pipeline_id: str) -> LastRun | None:
    # The second condition lets the partial index be used.
    found = connection.execute(
        sa.select(_RUNS.run_id, _RUNS.display_name, _RUNS.state, _RUNS.created_at)
        .where(_RUNS.pipeline_id == pipeline_id, _RUNS.pipeline_id != sa.literal("", literal_execute=True))
        .order_by(_RUNS.created_at.desc())
        .limit(1)
    ).first()
    return LastRun(*found) if found is not None else None
