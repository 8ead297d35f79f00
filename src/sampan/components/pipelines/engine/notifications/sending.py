"""Works the outbox off: every notice is sent at least once, or given up with the reason kept.

Each notification sends one notice at a time, all of them side by side: a receiver that is slow or dead delays nobody
else. What fails is tried again, ever more seldom, over restarts. Made and stopped by the component; decision 26.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from sampan.components.pipelines.api.errors import UnavailableError
from sampan.components.pipelines.api.notice_texts import Notice
from sampan.components.pipelines.engine.notifications.composing import Composer, sample
from sampan.components.pipelines.store import notices
from sampan.components.pipelines.store.notices import NoticeRow, NotificationRow
from sampan.lib.clock import Clock, to_micros
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.lib.waking import woken_or_later
from sampan.store.database import Database

log = get_logger(__name__)

MICROS = 1_000_000
MOST_ATTEMPTS = 12
"""In about four hours."""
_BACKOFF_SECONDS = (10.0, 3600.0)
_LOOK_SECONDS = 15.0
_LATE_SECONDS = 5.0
"""How often to look for runs that take too long, where anybody wants to know."""
_BREATH_SECONDS = 0.05
_MOST = 200
"""Notifications that are sending at one time."""


class Undelivered(Exception):  # noqa: N818  what it says of a notice
    def __init__(self, message: str, *, for_good: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.for_good = for_good
        self.retry_after = retry_after


class Channels(Protocol):
    """`channels.Channels`, which loads late."""

    async def send(self, notification: NotificationRow, notice: Notice) -> None:
        """Raises Undelivered."""
        ...

    def close(self) -> None: ...


def pause_after(attempts: int, jitter: float) -> float:
    """Seconds until the next try. `jitter` is between 0 and 1: many that fail together come back one by one."""
    first, longest = _BACKOFF_SECONDS
    return min(first * 2.0 ** min(attempts, 20), longest) * (0.75 + jitter / 2)


class Sender:
    """For one event loop. `wake` whenever something may have happened."""

    def __init__(
        self, database: Database, clock: Clock, composer: Composer, load: Callable[[], Awaitable[Channels]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._composer = composer
        self._load = load
        self._channels: asyncio.Task[Channels] | None = None
        self._woken = asyncio.Event()
        self._tasks = TaskSet("notifications")
        self._sending: dict[str, asyncio.Task[None]] = {}
        """By notification."""

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            try:
                pause = await self.turn()
            except Exception as error:
                log.error("notifications were not looked at", exc=error)
                pause = _LOOK_SECONDS
            await asyncio.sleep(_BREATH_SECONDS)
            await woken_or_later(self._woken, min(pause, _LOOK_SECONDS))

    async def close(self) -> None:
        """Leaves what is being sent; it is sent again at the next start."""
        await self._tasks.close()
        loading = self._channels
        if loading is not None and loading.done() and not loading.cancelled() and loading.exception() is None:
            loading.result().close()

    async def turn(self) -> float:
        """Begins to send what is due. How many seconds until something may be due again."""
        now = self._now()
        looks_for_late = await self._database.read(notices.waits_for_late)
        if looks_for_late and await self._database.read(lambda c: notices.is_any_late(c, now)):
            await self._database.write(lambda connection: notices.note_late(connection, now))
        due = await self._database.read(lambda connection: notices.due(connection, now, _MOST))
        for row in due:
            if row.notification_id not in self._sending and len(self._sending) < _MOST:
                task = self._tasks.spawn(self._send(row), name=row.notice_id)
                self._sending[row.notification_id] = task
                task.add_done_callback(partial(self._done, row.notification_id))
        coming = await self._database.read(lambda connection: notices.next_after(connection, now))
        pauses = [max(coming - self._now(), 0) / MICROS] if coming else []
        return min([*pauses, _LATE_SECONDS if looks_for_late else _LOOK_SECONDS])

    async def finish(self) -> None:
        """Waits for what is being sent now."""
        while self._sending:
            await asyncio.wait(list(self._sending.values()))
            await asyncio.sleep(0)

    async def send_test(self, notification: NotificationRow) -> None:
        """Sends a sample now, and once. Raises UnavailableError, which says why it was not taken."""
        notice = sample(notification, self._now())
        try:
            await (await self._loaded()).send(notification, notice)
        except Undelivered as error:
            raise UnavailableError(f"notification {notification.display_name!r}: {error}") from error

    def _done(self, notification_id: str, _task: asyncio.Task[None]) -> None:
        self._sending.pop(notification_id, None)
        self.wake()

    async def _send(self, row: NoticeRow) -> None:
        notification = await self._database.read(
            lambda connection: notices.get(connection, row.notification_id)
        )
        if notification is None:
            return
        try:
            notice = await self._composer.compose(notification, row)
            await (await self._loaded()).send(notification, notice)
        except Undelivered as error:
            await self._failed(row, error)
        except Exception as error:
            log.error("a notification could not be made up", notification=row.notification_id, exc=error)
            await self._failed(row, Undelivered("the server failed at making it up; its log says why"))
        else:
            now = self._now()
            await self._database.write(lambda connection: notices.settle(connection, row, now))

    async def _failed(self, row: NoticeRow, error: Undelivered) -> None:
        now, attempts = self._now(), row.attempts + 1
        if error.for_good or attempts >= MOST_ATTEMPTS:
            why = str(error) if error.for_good else f"given up after {attempts} tries: {error}"
            log.warning("a notification is given up", notification=row.notification_id, reason=why)
            await self._database.write(lambda connection: notices.settle(connection, row, now, why))
            return
        pause = max(
            pause_after(row.attempts, random.random()),  # noqa: S311  spreads load, keeps no secret
            min(error.retry_after, _BACKOFF_SECONDS[1]),
        )
        next_at = now + int(pause * MICROS)
        await self._database.write(
            lambda connection: notices.postpone(connection, row, now, next_at, str(error))
        )

    async def _loaded(self) -> Channels:
        if self._channels is None or (self._channels.done() and self._channels.exception() is not None):
            self._channels = asyncio.ensure_future(self._load())
        return await asyncio.shield(self._channels)

    def _now(self) -> int:
        return to_micros(self._clock.now())
