"""Fan-out of changes to watchers: one bounded ring of recent changes a resource, and cursors into it.

A watcher owns no buffer. It keeps the revision up to which it has seen everything; a slow one finds that
the ring has moved on and reads what it missed from the tables, until compaction ends that too (410). So neither
the number nor the slowness of watchers costs memory. For one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from sampan.kube.meta import Object

_RING_EVENTS = 1024
_RING_BYTES = 4 * 1024 * 1024
_DECODED_SECONDS = 0.5
"""For which a change keeps what was decoded for its watchers: five to ten times its data, and most read it at once."""
BATCH_BYTES = 64 * 1024
"""What one watcher is handed at once, and so keeps from the others' memory while it does not read."""

_decode = msgspec.json.Decoder().decode


class Change:
    """One committed change of one object."""

    __slots__ = (
        *("_is_fresh", "_object", "_previous_object"),
        *("data", "deleted", "name", "namespace", "previous", "resource", "rev"),
    )

    def __init__(  # noqa: PLR0913  a row of the log, column by column
        self,
        rev: int,
        resource: str,
        namespace: str,
        name: str,
        *,
        deleted: bool,
        data: bytes,
        previous: bytes | None,
    ) -> None:
        self.rev = rev
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.deleted = deleted
        self.data = data
        """The object after the change; of a deletion, its last state."""
        self.previous = previous
        self._object: Object | None = None
        self._previous_object: Object | None = None
        self._is_fresh = True

    @property
    def type(self) -> Literal["ADDED", "MODIFIED", "DELETED"]:
        if self.deleted:
            return "DELETED"
        return "ADDED" if self.previous is None else "MODIFIED"

    # Shared by all watchers and whoever they hand them to, hence never to be changed.

    @property
    def object(self) -> Object:
        found: Object = self._object or _decode(self.data)
        if self._is_fresh:
            self._object = found
        return found

    @property
    def previous_object(self) -> Object | None:
        if self.previous is None:
            return None
        found: Object = self._previous_object or _decode(self.previous)
        if self._is_fresh:
            self._previous_object = found
        return found

    def settle(self) -> None:
        """Most have seen it: what is decoded from now on is not kept."""
        self._is_fresh = False
        self._object = self._previous_object = None

    @property
    def size(self) -> int:
        return len(self.data) + len(self.previous or b"")


class ChangeFeed:
    """The recent changes of one resource."""

    def __init__(self, hub: ChangeHub) -> None:
        self.hub = hub
        self.complete_since = hub.started
        """The ring holds everything after this revision."""
        self.ended = False
        """The kind is no longer served: nothing comes any more."""
        self._ring: deque[Change] = deque()
        self._bytes = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._is_waking = False
        self._fresh: list[Change] = []

    def append(self, change: Change) -> None:
        self._ring.append(change)
        self._bytes += change.size
        while len(self._ring) > _RING_EVENTS or (self._bytes > _RING_BYTES and len(self._ring) > 1):
            evicted = self._ring.popleft()
            self._bytes -= evicted.size
            self.complete_since = evicted.rev
        loop = asyncio.get_running_loop()
        if not self._fresh:
            loop.call_later(_DECODED_SECONDS, self._settle)
        self._fresh.append(change)
        if not self._is_waking:
            # In a moment: who wrote goes on first, and what was committed together is seen together.
            self._is_waking = True
            loop.call_soon(self._wake)

    def _settle(self) -> None:
        fresh, self._fresh = self._fresh, []
        for change in fresh:
            change.settle()

    def end(self) -> None:
        """Watchers see what is left, and then the end."""
        self.ended = True
        self._wake()

    def after(self, rev: int) -> list[Change]:
        """The oldest changes after `rev`, as many as make a batch."""
        newer = []
        for change in reversed(self._ring):
            if change.rev <= rev:
                break
            newer.append(change)
        newer.reverse()
        size = 0
        for count, change in enumerate(newer):
            if size >= BATCH_BYTES:
                return newer[:count]
            size += change.size
        return newer

    @property
    def newest(self) -> int:
        """The revision of the newest change in the ring; 0 where it is empty."""
        return self._ring[-1].rev if self._ring else 0

    async def changed(self, within_seconds: float | None) -> None:
        """Returns at the next change, or after `within_seconds`."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiters.add(waiter)
        # `asyncio.wait` costs more than all else that a watcher does for a change.
        timer = None if within_seconds is None else loop.call_later(within_seconds, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()

    def forget(self, rev: int) -> None:
        """Changes up to `rev` may be missing here: watchers read them from the tables."""
        self._ring.clear()
        self._bytes = 0
        self.complete_since = rev
        self._wake()

    def _wake(self) -> None:
        self._is_waking = False
        if self._waiters:
            waiters, self._waiters = self._waiters, set()
            for waiter in waiters:
                _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class ChangeHub:
    """All feeds, and the newest published revision."""

    def __init__(self, revision: int) -> None:
        self.started = revision
        self.revision = revision
        self._feeds: dict[str, ChangeFeed] = {}
        self.observers: dict[str, list[Callable[[Change], None]]] = {}
        """By resource: called before who wrote is answered. They must not raise, nor wait."""

    def feed(self, resource: str) -> ChangeFeed:
        feed = self._feeds.get(resource)
        if feed is None:
            feed = self._feeds[resource] = ChangeFeed(self)
        return feed

    def forget(self, rev: int) -> None:
        """After a commit that may have happened unseen. Before a change of `rev` + 1 is published."""
        self.started = rev
        for feed in self._feeds.values():
            feed.forget(rev)

    def publish(self, change: Change) -> None:
        self.revision = change.rev
        self.feed(change.resource).append(change)
        for observe in self.observers.get(change.resource, ()):
            observe(change)

    def end(self, resource: str) -> None:
        """Ends every watch of the resource. One that begins later has a feed of its own."""
        feed = self._feeds.pop(resource, None)
        if feed is not None:
            self.feed(resource).complete_since = self.revision
            feed.end()


class Subscription:
    """One watcher's cursor. Changes come once each, in order of their revisions."""

    def __init__(
        self,
        feed: ChangeFeed,
        history: Callable[[int], Awaitable[tuple[Sequence[Change], int]]],
        *,
        namespace: str | None,
        name: str | None,
        since: int,
    ) -> None:
        self._feed = feed
        self._history = history
        self._namespace = namespace
        self._name = name
        self.revision = since
        """Every change up to here was delivered: what a bookmark may say."""

    @property
    def ended(self) -> bool:
        return self._feed.ended

    async def next(self, within_seconds: float | None = None) -> list[Change]:
        """The next changes, at least one; none when `within_seconds` have gone by, or at the end. ExpiredError."""
        loop = asyncio.get_running_loop()
        deadline = None if within_seconds is None else loop.time() + within_seconds
        while True:
            from_ring = self._is_in_ring
            changes = await self._pull()
            if changes:
                return changes
            if self._feed.ended:
                return []
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return []
            # While the tables were read a change may have come, and gone by: look into the ring before waiting.
            if from_ring and self._is_in_ring and self.revision >= self._feed.newest:
                await self._feed.changed(left)

    @property
    def _is_in_ring(self) -> bool:
        """Whether the ring holds everything that is still to come."""
        return self.revision >= self._feed.complete_since

    async def _pull(self) -> list[Change]:
        if self._is_in_ring:
            changes: Sequence[Change] = self._feed.after(self.revision)
            newest = self._feed.newest
            # Where the batch is not all there is, the rest is still to come.
            reached = changes[-1].rev if changes and changes[-1].rev < newest else self._feed.hub.revision
            self.revision = max(self.revision, reached)
        else:
            changes, self.revision = await self._history(self.revision)
        return [
            change
            for change in changes
            if (self._namespace is None or change.namespace == self._namespace)
            and (self._name is None or change.name == self._name)
        ]
