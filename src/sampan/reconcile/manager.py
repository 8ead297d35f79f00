"""Starts controllers and the caches they read, in an order that works, and stops them in the opposite one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from sampan.lib.log import get_logger
from sampan.reconcile.cache import Cache

log = get_logger(__name__)


class Runnable(Protocol):
    """What a manager runs: a Controller, or anything of that shape such as the scheduler."""

    @property
    def name(self) -> str: ...

    @property
    def caches(self) -> Sequence[Cache]:
        """The caches it reads. They may be shared with others."""
        ...

    async def start(self) -> None:
        """Returns when it works. Its caches run, but may not be complete yet."""
        ...

    async def stop(self) -> None:
        """Called once, after `start` returned."""
        ...


class Manager:
    """Owns the caches of its runnables."""

    def __init__(self, runnables: Sequence[Runnable]) -> None:
        self._runnables = runnables
        self._caches = tuple(dict.fromkeys(cache for each in runnables for cache in each.caches))
        self._started: list[Runnable] = []

    async def start(self) -> None:
        """Returns when every cache is complete and every runnable works. On failure all stops."""
        try:
            for cache in self._caches:
                cache.start()
            await asyncio.gather(*(cache.synced() for cache in self._caches))
            for runnable in self._runnables:
                await runnable.start()
                self._started.append(runnable)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops all, whatever fails on the way."""
        for runnable in reversed(self._started):
            try:
                await runnable.stop()
            except Exception as error:
                log.error("stopping failed", runnable=runnable.name, exc=error)
        self._started.clear()
        await asyncio.gather(*(cache.stop() for cache in self._caches))
