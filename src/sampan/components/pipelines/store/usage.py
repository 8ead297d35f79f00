"""How much artifacts take, by what the rows say: nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import tables

_RUNS, _ARTIFACTS, _EXPERIMENTS = tables.runs.c, tables.artifacts.c, tables.experiments.c
_FINAL = tuple(state.value for state in RuntimeState if state.is_final)


class By(StrEnum):
    RUN = "run"
    EXPERIMENT = "experiment"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class Usage:
    id: str
    """Empty for what runs that were deleted have left to others."""
    name: str
    size_bytes: int
    artifacts: int
    runs: int


@dataclass(frozen=True, slots=True)
class KeptRun:
    """An ended run, as retention sees it."""

    run_id: str
    namespace: str
    experiment_id: str
    finished_at: int
    size_bytes: int
    pinned: bool


def of_namespace(connection: sa.Connection, namespace: str, by: By, limit: int) -> tuple[list[Usage], int]:
    """The largest first; and the bytes of the whole namespace."""
    key, name = {
        By.RUN: (_RUNS.run_id, _RUNS.display_name),
        By.EXPERIMENT: (_RUNS.experiment_id, _EXPERIMENTS.display_name),
        By.PIPELINE: (_RUNS.pipeline_name, _RUNS.pipeline_name),
    }[by]
    size = sa.func.sum(_ARTIFACTS.size_bytes)
    where = (_ARTIFACTS.namespace == namespace, _ARTIFACTS.producer_run_id != "")
    joined = tables.artifacts.outerjoin(tables.runs, _RUNS.run_id == _ARTIFACTS.producer_run_id).outerjoin(
        tables.experiments, _EXPERIMENTS.experiment_id == _RUNS.experiment_id
    )
    # Grouped from outside: databases differ in when they see that two expressions are the same.
    each = (
        sa.select(
            sa.func.coalesce(key, "").label("id"),
            sa.func.coalesce(name, "").label("name"),
            _ARTIFACTS.size_bytes,
            _RUNS.run_id,
        )
        .select_from(joined)
        .where(*where)
        .subquery()
    )
    used = sa.func.sum(each.c.size_bytes)
    runs = sa.func.count(sa.distinct(each.c.run_id))
    query = (
        sa.select(each.c.id, sa.func.max(each.c.name), used, sa.func.count(), runs)
        .group_by(each.c.id)
        .order_by(used.desc())
        .limit(limit)
    )
    found = [
        Usage(str(key), str(name), int(size or 0), int(count), int(runs))
        for key, name, size, count, runs in connection.execute(query)
    ]
    total = connection.execute(sa.select(size).where(*where)).scalar_one()
    return found, int(total or 0)


def ended_runs(connection: sa.Connection) -> list[KeptRun]:
    """Every ended run of every namespace, the newest first."""
    sizes = (
        sa.select(_ARTIFACTS.producer_run_id, sa.func.sum(_ARTIFACTS.size_bytes).label("size"))
        .where(_ARTIFACTS.producer_run_id != "")
        .group_by(_ARTIFACTS.producer_run_id)
        .subquery()
    )
    query = (
        sa.select(
            _RUNS.run_id,
            _RUNS.namespace,
            _RUNS.experiment_id,
            _RUNS.finished_at,
            sa.func.coalesce(sizes.c.size, 0),
            _RUNS.pinned,
        )
        .select_from(tables.runs.outerjoin(sizes, sizes.c.producer_run_id == _RUNS.run_id))
        .where(_RUNS.state.in_(_FINAL))
        .order_by(_RUNS.finished_at.desc(), _RUNS.run_id)
    )
    return [
        KeptRun(run_id, namespace, experiment_id, finished_at, int(size), bool(pinned))
        for run_id, namespace, experiment_id, finished_at, size, pinned in connection.execute(query)
    ]


def pin(connection: sa.Connection, run_id: str, *, pinned: bool) -> None:
    connection.execute(tables.runs.update().where(_RUNS.run_id == run_id).values(pinned=pinned))
