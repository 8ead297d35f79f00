"""Background asyncio tasks that are neither lost nor silent."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from sampan.lib.log import get_logger

log = get_logger(__name__)


class TaskSet:
    """Owns background tasks: keeps them referenced, logs their failures, cancels them on `close`.

    For use in one event loop only.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, coro: Coroutine[Any, Any, Any], *, name: str = "") -> asyncio.Task[Any]:
        task = asyncio.create_task(coro, name=f"{self._name}/{name or getattr(coro, '__qualname__', 'task')}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        """Cancels what still runs and waits for it to end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task failed", task=task.get_name(), exc=error)
