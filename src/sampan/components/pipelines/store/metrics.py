"""Metrics of runs: what clients report, and what steps left as metric artifacts.

The API v1beta1 reports and shows them; lists of runs in both versions are sorted by them (`metric:NAME`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec
import sqlalchemy as sa

from sampan.components.pipelines.api.states import ArtifactType, IOType
from sampan.components.pipelines.store import tables

_METRICS = tables.run_metrics
_LINKS = tables.artifact_tasks.c
_ARTIFACTS = tables.artifacts.c


@dataclass(frozen=True, slots=True)
class MetricRow:
    """`format` is the API's name of it: UNSPECIFIED, RAW or PERCENTAGE."""

    run_id: str
    node_id: str
    name: str
    number_value: float
    format: str = "UNSPECIFIED"


def report(connection: sa.Connection, row: MetricRow) -> bool:
    """False when the run's node has already reported a metric of that name: the first one counts."""
    same = sa.select(_METRICS.c.name).where(
        _METRICS.c.run_id == row.run_id, _METRICS.c.node_id == row.node_id, _METRICS.c.name == row.name
    )
    if connection.execute(same).first() is not None:
        return False
    connection.execute(_METRICS.insert(), asdict(row))
    return True


def of_runs(connection: sa.Connection, run_ids: Sequence[str]) -> Mapping[str, Sequence[MetricRow]]:
    """By run: what was reported, and the numbers that the run's tasks left."""
    found: dict[str, list[MetricRow]] = defaultdict(list)
    reported = sa.select(_METRICS).where(_METRICS.c.run_id.in_(run_ids))
    for each in connection.execute(reported.order_by(_METRICS.c.node_id, _METRICS.c.name)):
        found[each.run_id].append(MetricRow(**each._mapping))
    left = (
        sa.select(
            _LINKS.run_id, _LINKS.task_id, _ARTIFACTS.name, _ARTIFACTS.number_value, _ARTIFACTS.metadata
        )
        .join_from(tables.artifact_tasks, tables.artifacts, _LINKS.artifact_id == _ARTIFACTS.artifact_id)
        .where(
            _LINKS.run_id.in_(run_ids),
            _LINKS.type.in_([IOType.OUTPUT.value, IOType.ITERATOR_OUTPUT.value]),
            _ARTIFACTS.type == ArtifactType.Metric.value,
            _ARTIFACTS.number_value.is_not(None),
        )
        .order_by(_ARTIFACTS.created_at, _ARTIFACTS.name)
    )
    for run_id, task_id, name, value, metadata in connection.execute(left):
        row = MetricRow(run_id, task_id, name, value, _format(metadata))
        if all((row.node_id, row.name) != (other.node_id, other.name) for other in found[run_id]):
            found[run_id].append(row)
    return found


def _format(metadata: str) -> str:
    """How a metric that a step left is to be shown."""
    found = msgspec.json.decode(metadata)
    shown = found.get("format") if isinstance(found, dict) else None
    return shown if shown in ("RAW", "PERCENTAGE") else "UNSPECIFIED"
