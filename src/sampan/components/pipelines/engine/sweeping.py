"""Removes the files of deleted runs: what `store.garbage` names, but what a record still needs.

The rows are there first, so a crash at any point, or a store that is away, only delays. A run's pods may write for a
while after it was deleted: its files are looked at once more before their row goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sampan.components.pipelines.engine.step_files import StepFiles
from sampan.components.pipelines.store import garbage
from sampan.components.pipelines.store.garbage import GarbageRow
from sampan.lib.clock import Clock, to_micros
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.lib.threads import Threads
from sampan.store.artifacts.protocol import StoreError
from sampan.store.database import Database, StorageError

log = get_logger(__name__)

_FIRST_LOOK_SECONDS = 30.0
_AGAIN_SECONDS = 60.0
"""Longer than a pod may take to end."""


class Sweeper:
    """For one event loop. `start` before, `stop` after; what is not done then is done next time."""

    def __init__(self, database: Database, clock: Clock, files: StepFiles, asking: Threads) -> None:
        self._database = database
        self._clock = clock
        self._files = files
        self._asking = asking
        self._wake = asyncio.Event()
        self._sweeping = asyncio.Lock()
        self._tasks = TaskSet("sweeping")

    def start(self) -> None:
        self._tasks.spawn(self._work(), name="sweeping")

    async def stop(self) -> None:
        await self._tasks.close()

    def wake(self) -> None:
        """A run was deleted."""
        self._wake.set()

    async def sweep(self) -> int:
        """One round; how many rows remain."""
        async with self._sweeping:
            return await self._sweep()

    async def _sweep(self) -> int:
        rows = await self._database.read(garbage.pending)
        swept = [row for row in rows if await self._remove(row)]
        old = to_micros(self._clock.now()) - int(_AGAIN_SECONDS * 1e6)
        over = [row.id for row in swept if row.created_at < old]
        if over:
            await self._database.write(lambda connection: garbage.done(connection, over))
        return len(rows) - len(over)

    async def _work(self) -> None:
        wait = _FIRST_LOOK_SECONDS
        while True:
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                left = await self.sweep()
            except StorageError as error:
                log.warning("the files of deleted runs cannot be looked up", error=str(error))
                left = 1
            wait = _AGAIN_SECONDS if left else 3600.0

    async def _remove(self, row: GarbageRow) -> bool:
        """Whether what was to be removed is gone."""
        kept: Sequence[str] = await self._database.read(
            lambda connection: garbage.needed(connection, row.uri)
        )
        try:
            await self._asking.run(self._files.remove, row.uri, row.namespace, kept)
            if row.run_id:
                await asyncio.to_thread(self._files.forget, row.run_id)
        except (OSError, StoreError) as error:
            log.warning("files of a deleted run remain, trying again", uri=row.uri, error=str(error))
            return False
        return True
