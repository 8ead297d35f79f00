"""Tells whoever looks that a run has changed: for live pages, within this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """Tasks whose rows are new or changed; the run's own state when `is_over`, or when there are none."""

    run_id: str
    task_ids: frozenset[str]
    is_over: bool = False


class Changes:
    """For one event loop. Costs nothing while nobody looks; a slow reader gets several changes merged into one."""

    def __init__(self) -> None:
        self._readers: dict[str, set[_Reader]] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls `listener` for every change of every run. It must be quick, and must not fail."""
        self._listeners.append(listener)

    def publish(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)
        for reader in self._readers.get(change.run_id, ()):
            reader.add(change)

    async def of(self, run_id: str) -> AsyncIterator[Change]:
        """Every change from now on. Ends with the run's last one."""
        reader = _Reader()
        self._readers.setdefault(run_id, set()).add(reader)
        try:
            while True:
                change = await reader.following()
                yield change
                if change.is_over:
                    return
        finally:
            readers = self._readers[run_id]
            readers.discard(reader)
            if not readers:
                del self._readers[run_id]


class _Reader:
    def __init__(self) -> None:
        self._pending: Change | None = None
        self._arrived = asyncio.Event()

    def add(self, change: Change) -> None:
        pending = self._pending
        if pending is not None:
            change = Change(
                change.run_id, pending.task_ids | change.task_ids, pending.is_over or change.is_over
            )
        self._pending = change
        self._arrived.set()

    async def following(self) -> Change:
        await self._arrived.wait()
        self._arrived.clear()
        change, self._pending = self._pending, None
        assert change is not None
        return change
