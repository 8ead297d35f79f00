"""A queue of what is to be done next: deduplicated, first come first served, with back-off for each item.

An item that is added while it waits is kept once; one that is added while it is worked on comes again
afterwards, so two workers never hold the same item. The delays are those of client-go,
util/workqueue/default_rate_limiters.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BASE_DELAY_SECONDS = 0.005
MAX_DELAY_SECONDS = 1000.0
_MAX_DOUBLINGS = 30  # beyond that the delay is the maximum anyway, and the float would overflow in time


class WorkQueue(Generic[K]):
    """For one event loop. Every `get` must be followed by `done`; `forget` ends an item's back-off."""

    def __init__(
        self, *, base_seconds: float = BASE_DELAY_SECONDS, max_seconds: float = MAX_DELAY_SECONDS
    ) -> None:
        self._base_seconds = base_seconds
        self._max_seconds = max_seconds
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._closed = False

    def __len__(self) -> int:
        """Items that could be taken now."""
        return self._ready.qsize()

    @property
    def idle(self) -> bool:
        """Whether nothing waits, is worked on or is delayed."""
        return not (self._dirty or self._processing or self._timers)

    def add(self, item: K) -> None:
        if self._closed or item in self._dirty:
            return
        self._dirty.add(item)
        if item not in self._processing:
            self._ready.put_nowait(item)

    def add_after(self, item: K, seconds: float) -> None:
        """Adds `item` after a delay; of several delays the one that ends first counts."""
        if self._closed:
            return
        if seconds <= 0:
            self.add(item)
            return
        loop = asyncio.get_running_loop()
        pending = self._timers.get(item)
        if pending is not None:
            if pending.when() <= loop.time() + seconds:
                return
            pending.cancel()
        self._timers[item] = loop.call_later(seconds, self._due, item)

    def add_rate_limited(self, item: K) -> float:
        """Adds `item` after its back-off, which doubles each time until `forget`; returns the delay in
        seconds.
        """
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        seconds = min(self._base_seconds * 2.0 ** min(failures, _MAX_DOUBLINGS), self._max_seconds)
        self.add_after(item, seconds)
        return seconds

    def forget(self, item: K) -> None:
        self._failures.pop(item, None)

    def failures(self, item: K) -> int:
        """How often `item` was added with back-off since it was last forgotten."""
        return self._failures.get(item, 0)

    async def get(self) -> K:
        """The next item, as soon as there is one."""
        item = await self._ready.get()
        self._dirty.discard(item)
        self._processing.add(item)
        return item

    def done(self, item: K) -> None:
        self._processing.discard(item)
        if item in self._dirty and not self._closed:
            self._ready.put_nowait(item)

    def close(self) -> None:
        """Takes nothing more and drops what waits."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._dirty.clear()
        while not self._ready.empty():
            self._ready.get_nowait()

    def _due(self, item: K) -> None:
        self._timers.pop(item, None)
        self.add(item)
