"""Where runs came from, by name: what a list shows beside them without a question for each. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.store import event_tables, tables
from sampan.components.pipelines.store.runs import RunRow

_DELIVERIES, _TRIGGERS = event_tables.deliveries.c, event_tables.triggers.c


def of_runs(connection: sa.Connection, rows: Sequence[RunRow]) -> Mapping[str, Mapping[str, str]]:
    """By run: `experiment`, `pipeline`, `pipeline_version`, `recurring_run`, and `trigger` with its `trigger_id`.

    What has been deleted meanwhile has no name. A specification of its own gives the pipeline its name.
    """
    experiments = _names(connection, tables.experiments, (row.experiment_id for row in rows))
    pipelines = _names(connection, tables.pipelines, (row.pipeline_id for row in rows))
    versions = _names(connection, tables.pipeline_versions, (row.pipeline_version_id for row in rows))
    schedules = _names(connection, tables.schedules, (row.recurring_run_id for row in rows))
    started = _triggers(connection, [row.run_id for row in rows])
    found = {}
    for row in rows:
        trigger_id, trigger = started.get(row.run_id, ("", ""))
        names = {
            "experiment": experiments.get(row.experiment_id, ""),
            "pipeline": pipelines.get(row.pipeline_id, "") or row.pipeline_name,
            "pipeline_version": versions.get(row.pipeline_version_id, ""),
            "recurring_run": schedules.get(row.recurring_run_id, ""),
            "trigger": trigger,
            "trigger_id": trigger_id,
        }
        found[row.run_id] = {key: name for key, name in names.items() if name}
    return found


def _names(connection: sa.Connection, table: sa.Table, ids: Iterable[str]) -> dict[str, str]:
    """Display names by key; of what is there."""
    wanted = {each for each in ids if each}
    if not wanted:
        return {}
    [key] = table.primary_key.columns
    query = sa.select(key, table.c.display_name).where(key.in_(wanted))
    return {found: str(name) for found, name in connection.execute(query)}


def _triggers(connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """The trigger that started each of these runs: its id and its name."""
    if not run_ids:
        return {}
    query = (
        sa.select(_DELIVERIES.run_id, _TRIGGERS.trigger_id, _TRIGGERS.display_name)
        .join_from(
            event_tables.deliveries, event_tables.triggers, _DELIVERIES.trigger_id == _TRIGGERS.trigger_id
        )
        .where(_DELIVERIES.run_id.in_(run_ids), _DELIVERIES.state == "STARTED")
    )
    return {run_id: (trigger_id, name) for run_id, trigger_id, name in connection.execute(query)}
