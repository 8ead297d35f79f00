"""Which pods a trial has had: they go with their run object, while what they printed stays at `logs/NAMESPACE/UID`.

Written by `controller.remembering`, read by whoever shows logs. For pods of this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sampan.components.tuning.store.tables import trial_pods
from sampan.store.database import Database
from sampan.store.inserting import insert_new

_ROWS = trial_pods.c


@dataclass(frozen=True, slots=True)
class TrialPod:
    uid: str
    namespace: str
    trial: str
    name: str
    created: str
    """RFC 3339."""
    containers: tuple[str, ...]
    labels: dict[str, str]


class TrialPods:
    """Of all trials."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, pods: Sequence[TrialPod]) -> None:
        """Those that are known stay as they are. Raises StorageError."""
        rows = [
            {
                "uid": each.uid,
                "namespace": each.namespace,
                "trial": each.trial,
                "name": each.name,
                "created": each.created,
                "containers": list(each.containers),
                "labels": each.labels,
            }
            for each in pods
        ]
        if rows:
            await self._database.write(lambda connection: _insert(connection, rows))

    async def of(self, namespace: str, trial: str) -> list[TrialPod]:
        """Oldest first."""
        query = (
            sa.select(trial_pods)
            .where(_ROWS.namespace == namespace, _ROWS.trial == trial)
            .order_by(_ROWS.created, _ROWS.uid)
        )

        def read(connection: sa.Connection) -> list[TrialPod]:
            return [_pod(row) for row in connection.execute(query)]

        return await self._database.read(read)

    async def trials(self, after: tuple[str, str], most: int) -> list[tuple[str, str]]:
        """Namespaces and names of those that have had pods, in order, from behind `after` on."""
        query = (
            sa.select(_ROWS.namespace, _ROWS.trial)
            .where(sa.tuple_(_ROWS.namespace, _ROWS.trial) > sa.tuple_(*map(sa.literal, after)))
            .distinct()
            .order_by(_ROWS.namespace, _ROWS.trial)
            .limit(most)
        )

        def read(connection: sa.Connection) -> list[tuple[str, str]]:
            return [(row.namespace, row.trial) for row in connection.execute(query)]

        return await self._database.read(read)

    async def forget(self, uids: Sequence[str]) -> None:
        """Raises StorageError."""
        await self._database.write(
            lambda connection: connection.execute(sa.delete(trial_pods).where(_ROWS.uid.in_(uids)))
        )


def _pod(row: Any) -> TrialPod:
    return TrialPod(
        row.uid, row.namespace, row.trial, row.name, row.created, tuple(row.containers), dict(row.labels)
    )


def _insert(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert_new(trial_pods, connection.dialect.name), rows)
