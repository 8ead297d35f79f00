"""Observation logs: written by collectors and by what trials push, read to sum trials up and to draw their curves.

Answers what upstream's DB manager answers (kubeflow/katib 0.19 pkg/db/v1beta1), with the namespace beside the trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import sqlalchemy as sa

from sampan.components.tuning.api.observing import MetricLog, in_utc, microseconds, short, storable
from sampan.components.tuning.store.tables import observations
from sampan.store.database import Database
from sampan.store.inserting import insert_new

_ROWS = observations.c
_BOUND: dict[str, sa.BindParameter[Any]] = {
    name: sa.bindparam(name) for name in ("namespace", "trial", "at", "time", "name", "value", "origin")
}
_MOST_OF_NAME, _MOST_OF_ORIGIN = 1024, 512
"""Bytes: both are in an index, and PostgreSQL takes less than 2704 in one."""


class Observations:
    """Of all trials."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insert_new(observations, database.dialect)
        self._insert_one = database.prepare(self._insert.values(_BOUND).inline())

    async def report(self, namespace: str, trial: str, logs: Sequence[MetricLog]) -> None:
        """Adds them, durably, all or none; lines whose origin is there already are left out. Characters that are no
        text are U+FFFD afterwards; a name or an origin that is too long ends with a digest.

        Raises ValueError for a time that is none, StorageError.
        """
        if rows := _rows(namespace, trial, logs):
            await self._database.write(lambda connection: self._add(connection, rows))

    def joined(self, namespace: str, trial: str, logs: Sequence[MetricLog]) -> AbstractContextManager[None]:
        """As `report`, together with what this task writes within it: both are kept, or neither. Raises ValueError."""
        rows = _rows(namespace, trial, logs)
        if not rows:
            return nullcontext()
        return self._database.joined(lambda connection: self._add(connection, rows))

    def _add(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        if len(rows) > 1:
            connection.execute(self._insert, rows)
        else:
            # As most reports of trials are: a quarter of the other's cost.
            self._insert_one.execute(connection, rows[0])

    async def of(
        self, namespace: str, trial: str, metric: str = "", start: str = "", end: str = ""
    ) -> list[MetricLog]:
        """In order of time, and in the order of their coming where that is the same. Empty arguments do not limit; the
        times, in RFC 3339, are both included. Raises ValueError for a time that is none."""
        query = sa.select(_ROWS.time, _ROWS.name, _ROWS.value, _ROWS.origin).where(
            _ROWS.namespace == namespace, _ROWS.trial == trial
        )
        if metric:
            query = query.where(_ROWS.name == _name(metric))
        if start:
            query = query.where(_ROWS.at >= microseconds(start))
        if end:
            query = query.where(_ROWS.at <= microseconds(end))
        query = query.order_by(_ROWS.at, _ROWS.id)

        def read(connection: sa.Connection) -> list[MetricLog]:
            return [
                MetricLog(row.time, row.name, row.value, row.origin or "")
                for row in connection.execute(query)
            ]

        return await self._database.read(read)

    async def delete(self, namespace: str, trial: str) -> None:
        """All of a trial. Raises StorageError."""
        chosen = sa.and_(_ROWS.namespace == namespace, _ROWS.trial == trial)
        await self._database.write(
            lambda connection: connection.execute(sa.delete(observations).where(chosen))
        )

    async def delete_read(self, namespace: str, trial: str, origins: Sequence[str]) -> None:
        """Of a trial, what was read at places whose names begin with one of `origins`. Raises StorageError."""
        begins = [_ROWS.origin.startswith(each, autoescape=True) for each in origins]
        if begins:
            chosen = sa.and_(_ROWS.namespace == namespace, _ROWS.trial == trial, sa.or_(*begins))
            await self._database.write(
                lambda connection: connection.execute(sa.delete(observations).where(chosen))
            )


def _rows(namespace: str, trial: str, logs: Sequence[MetricLog]) -> list[dict[str, Any]]:
    return [
        {
            "namespace": namespace,
            "trial": trial,
            "at": microseconds(each.time),
            "time": in_utc(each.time),
            "name": _name(each.name),
            "value": storable(each.value),
            "origin": short(each.origin, _MOST_OF_ORIGIN) or None,
        }
        for each in logs
    ]


def _name(text: str) -> str:
    return short(storable(text), _MOST_OF_NAME)
