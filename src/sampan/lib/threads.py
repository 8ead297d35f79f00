"""Work in threads: such as nobody turns away from while it goes on, and such as nobody waits for at the end.

Whoever awaits `asyncio.to_thread` may be cancelled, by a request that hangs up or a pod that is deleted; the thread
goes on. What comes next would remove the folder that it writes to, close the file that it reads, or begin the same
anew: `to_end`. What waits for others, over a network say, may wait for long: it has `Threads` of its own, so that
what everybody shares (six threads, on two cores) stays free.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_ends: contextvars.ContextVar[tuple[threading.Event, ...]] = contextvars.ContextVar("ends", default=())
"""In a thread of `Threads`: the ends of these, and of those that they work for."""


class ClosedError(Exception):
    """Nobody wants any more what a thread is about to do."""


def check_wanted() -> None:
    """Between two pieces of what takes long. Raises ClosedError where the `Threads` that do it are closed."""
    if any(end.is_set() for end in _ends.get()):
        raise ClosedError("it is not wanted any more")


class _Thread(threading.Thread):
    """The end of the process waits for none: a store may say nothing for a minute, and a download take an hour."""

    def __init__(self, name: str, target: Callable[[], None]) -> None:
        super().__init__(name=name, target=target, daemon=True)


class Threads:
    """At most so many at a time, begun as they are needed. May be called from any thread."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._running = 0
        self._end = threading.Event()

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """As `asyncio.to_thread`."""
        return await asyncio.wrap_future(self.submit(function, *arguments))

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Raises ClosedError."""
        context = contextvars.copy_context()
        context.run(_ends.set, (*_ends.get(), self._end))
        future: Future[T] = Future()
        with self._lock:
            if self._end.is_set():
                raise ClosedError(f"{self._name} are closed")
            self._waiting.append((future, partial(context.run, function, *arguments)))
            if self._running < self._most:
                self._running += 1
                _Thread(self._name, self._work).start()
        return future

    def close(self) -> None:
        """What waits is not begun; what is under way may go on, and hears of it by `check_wanted`."""
        with self._lock:
            self._end.set()
            waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            future.cancel()
            # Whoever waits for several by `wait` is told only then.
            future.set_running_or_notify_cancel()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                future, call = self._waiting.popleft()
            _answer(future, call)
            # Not held while there is nothing to do.
            del future, call


def _answer(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        found = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(found)


def have_ended(seconds: float) -> bool:
    """Whether the threads of all `Threads` are at their end, or come to it in this time. Blocks."""
    deadline = time.monotonic() + seconds
    threads = [thread for thread in threading.enumerate() if isinstance(thread, _Thread)]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


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
