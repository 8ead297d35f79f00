"""Answers the machine's questions about earlier runs from the database: `context.Lookups`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sampan.components.pipelines.engine.context import CachedResult
from sampan.components.pipelines.engine.resolve import Outputs
from sampan.components.pipelines.store import artifacts, tasks
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.store.database import Database


class StoredLookups:
    """Point look-ups by index in the event loop's own thread: a change of thread would cost more."""

    def __init__(self, database: Database, namespace: str, cached_since: Callable[[], int] = int) -> None:
        """`cached_since` says how old a result may be, in microseconds since the epoch; 0 for any age."""
        self._database = database
        self._namespace = namespace
        self._cached_since = cached_since

    def cached(self, fingerprint: str) -> Iterator[CachedResult]:
        since = self._cached_since()
        rows = self._database.read_now(lambda connection: tasks.find_cached(connection, fingerprint, since))
        for row in rows:
            ids = [item for listed in row.outputs.artifacts.values() for item in listed]
            found = self._artifacts(ids) if ids else {}
            if len(found) == len(set(ids)):
                outputs = {
                    name: tuple(found[item] for item in listed)
                    for name, listed in row.outputs.artifacts.items()
                }
                yield CachedResult(
                    row.cached_from_task_id or row.task_id, Outputs(dict(row.outputs.parameters), outputs)
                )

    def imported(self, uri: str, schema_title: str) -> Sequence[ArtifactRow]:
        return self._database.read_now(
            lambda connection: artifacts.find_imported(connection, self._namespace, uri, schema_title)
        )

    def _artifacts(self, ids: Sequence[str]) -> dict[str, ArtifactRow]:
        return self._database.read_now(lambda connection: artifacts.get_many(connection, ids))
