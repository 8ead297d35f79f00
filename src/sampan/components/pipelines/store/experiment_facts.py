"""What is known of experiments beyond their own rows: how their runs stand, the newest of them, what starts more.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import StorageState
from sampan.components.pipelines.store import event_tables, schedules, tables

_RUNS, _SCHEDULES, _TRIGGERS = tables.runs.c, tables.schedules.c, event_tables.triggers.c
_LAST = 12

_NEWEST = (
    sa.select(_RUNS.run_id, _RUNS.display_name, _RUNS.state, _RUNS.created_at, _RUNS.finished_at)
    .where(_RUNS.experiment_id == sa.bindparam("id"))
    .order_by(_RUNS.created_at.desc())
    .limit(_LAST)
)


@dataclass(slots=True)
class ExperimentFacts:
    states: dict[str, int] = field(default_factory=dict)
    """How many runs are in each state; archived ones are not among them."""
    archived_runs: int = 0
    last_runs: Sequence[Mapping[str, Any]] = ()
    """The newest first, archived ones among them."""
    recurring_runs: int = 0
    enabled_recurring_runs: int = 0
    triggers: int = 0


def of_experiments(
    connection: sa.Connection, namespace: str, experiment_ids: Sequence[str]
) -> dict[str, ExperimentFacts]:
    """By id; of some experiments of one namespace."""
    found = {experiment_id: ExperimentFacts() for experiment_id in experiment_ids}
    if not found:
        return found
    for experiment_id, storage, state, count in connection.execute(_counts(namespace, experiment_ids)):
        facts = found[experiment_id]
        if storage == StorageState.ARCHIVED.value:
            facts.archived_runs += count
        else:
            facts.states[state] = facts.states.get(state, 0) + count
    for experiment_id, facts in found.items():
        newest = connection.execute(_NEWEST, {"id": experiment_id})
        facts.last_runs = [dict(row._mapping) for row in newest]
    for experiment_id, status, count in connection.execute(_per_experiment(_SCHEDULES, experiment_ids)):
        found[experiment_id].recurring_runs += count
        if status == schedules.Status.ENABLED.value:
            found[experiment_id].enabled_recurring_runs += count
    for experiment_id, _, count in connection.execute(_per_experiment(_TRIGGERS, experiment_ids)):
        found[experiment_id].triggers += count
    return found


def _counts(namespace: str, experiment_ids: Sequence[str]) -> sa.Select[Any]:
    # Wrapped, so that the search stays on the index of listings, which has all that is counted: by the index of
    # experiments each run's own, wide row would be read.
    experiment = sa.func.coalesce(_RUNS.experiment_id, "")
    return (
        sa.select(experiment, _RUNS.storage_state, _RUNS.state, sa.func.count())
        .where(_RUNS.namespace == namespace, experiment.in_(experiment_ids))
        .group_by(experiment, _RUNS.storage_state, _RUNS.state)
    )


def _per_experiment(columns: Any, experiment_ids: Sequence[str]) -> sa.Select[Any]:
    return (
        sa.select(columns.experiment_id, columns.status, sa.func.count())
        .where(columns.experiment_id.in_(experiment_ids))
        .group_by(columns.experiment_id, columns.status)
    )
