"""Measures large artifacts after their steps have ended, so that no step waits for it: one at a time, in a thread.

The driver hands over what it has just committed; what a process that died did not come to is taken up at the next
start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from sampan.components.pipelines.store import artifacts
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.store.artifacts import measuring
from sampan.store.database import Database, StorageError

log = get_logger(__name__)

_START_DELAY_SECONDS = 20.0
"""What was left over is read when the platform has started and its runs are under way."""
_MOST_LEFT_OVER = 1000


class LateMeasures:
    """For one event loop. `start` before, `stop` after; what is not done then is done next time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: asyncio.Queue[ArtifactRow] = asyncio.Queue()
        self._tasks = TaskSet("measures")

    def start(self) -> None:
        self._tasks.spawn(self._take_up(), name="left over")
        self._tasks.spawn(self._work(), name="measures")

    async def stop(self) -> None:
        await self._tasks.close()

    def add(self, rows: Iterable[ArtifactRow]) -> None:
        """Those that are not measured yet and can be, of artifacts that are committed."""
        for row in rows:
            if row.stored and not row.digest and row.uri.startswith("/"):
                self._queue.put_nowait(row)

    async def _take_up(self) -> None:
        await asyncio.sleep(_START_DELAY_SECONDS)
        self.add(
            await self._database.read(lambda connection: artifacts.unmeasured(connection, _MOST_LEFT_OVER))
        )

    async def _work(self) -> None:
        while True:
            row = await self._queue.get()
            try:
                found = await asyncio.to_thread(measuring.measure, Path(row.uri))
                if found is not None:
                    await self._note(row.artifact_id, found)
            except (OSError, StorageError) as error:
                log.warning("an artifact could not be measured", uri=row.uri, error=str(error))

    async def _note(self, artifact_id: str, found: measuring.Measure) -> None:
        await self._database.write(lambda connection: artifacts.set_measure(connection, artifact_id, found))
