"""Work in threads that nobody turns away from while it goes on.

Whoever awaits `asyncio.to_thread` may be cancelled, by a request that hangs up or a pod that is deleted; the thread
goes on. What comes next would remove the folder that it writes to, close the file that it reads, or begin the same
anew.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


async def to_end(function: Callable[..., T], *arguments: Any, undo: Callable[[T], object] | None = None) -> T:
    """As `asyncio.to_thread`, but a cancellation is raised only when the thread has ended. For what ends soon.

    `undo` is called with what the function gave where nobody is left to take it: a file that has to be closed.
    """
    call = partial(contextvars.copy_context().run, function, *arguments)
    # The executor's own future, no task: at the end of a loop all tasks are cancelled.
    running = asyncio.get_running_loop().run_in_executor(None, call)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return running.result()
    if running.exception() is None and undo is not None:
        undo(running.result())
    raise cancelled
