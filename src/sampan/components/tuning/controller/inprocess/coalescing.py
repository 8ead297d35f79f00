"""Writes that say how things are: many changes, few writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_SHARE = 9
"""How much longer to wait than a write took: a large object costs the server a tenth of its time at most."""


class Coalesced:
    """Calls `write` a while after `touch`, however often that was called. For one event loop."""

    def __init__(self, write: Callable[[], Awaitable[None]], pause_seconds: float) -> None:
        self._write = write
        self._pause_seconds = pause_seconds
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()

    def touch(self) -> None:
        self._dirty.set()

    async def run(self) -> None:
        """Until it is cancelled. Raises what `write` raises."""
        while True:
            await self._dirty.wait()
            took = await self.flush()
            await asyncio.sleep(max(self._pause_seconds, _SHARE * took))

    async def flush(self) -> float:
        """Writes now, whatever is to be written; the seconds that it took."""
        async with self._writing:
            self._dirty.clear()
            start = time.monotonic()
            await self._write()
            return time.monotonic() - start
