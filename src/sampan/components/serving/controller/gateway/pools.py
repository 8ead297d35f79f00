"""The pods of one backend, the connections to them, and the requests that wait for one with room.

A request gets the pod with the fewest, of these the one whose turn it is. Who finds none waits in a queue, first come
first served, until a pod is ready, has room again, or cannot come.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from sampan.components.serving.engine.gateway.places import Place, State
from sampan.web.upstream import Upstream

IDLE_SECONDS = 30.0
"""A connection that was not used for so long is closed."""
_MOST_IDLE = 256
"""Connections of one pod."""
_REST_SECONDS = 0.1
"""For a pod that did not take a connection; doubled each time."""
_MOST_REST_SECONDS = 1.0


class Waiter(Protocol):
    def leased(self, member: Member) -> None:
        """Its turn: to be given back by `Pool.release`."""
        ...

    def refused(self, status: int, why: str) -> None: ...

    def moved(self) -> None:
        """The pool is no more: what it waits for may be elsewhere now."""
        ...


class Member:
    """A pod."""

    __slots__ = ("failures", "idle", "in_flight", "not_before", "on_done", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.in_flight = 0
        self.idle: list[Upstream] = []
        """The last one used is the last in the list, and the first to be used again."""
        self.not_before = 0.0
        self.failures = 0
        self.on_done: list[asyncio.Future[None]] = []
        """Of those who wait until no request is with it any more."""


class Parting:
    """Pods that no pool has any more, and that still answer what they were asked."""

    def __init__(self) -> None:
        self.members: dict[str, list[Member]] = {}

    def add(self, member: Member) -> None:
        self.members.setdefault(member.place.uid, []).append(member)

    def done(self, member: Member) -> None:
        left = [each for each in self.members.get(member.place.uid, ()) if each is not member]
        if left:
            self.members[member.place.uid] = left
        else:
            self.members.pop(member.place.uid, None)


class Pool:
    """For one event loop. `most` requests at a time may be with one pod, 0 for any number."""

    def __init__(self, now: Callable[[], float], most: int = 0, parting: Parting | None = None) -> None:
        self.most = most
        self._parting = parting or Parting()
        self.members: dict[str, Member] = {}
        self.waiting: deque[Waiter] = deque()
        self.is_closed = False
        self._now = now
        self._turn = 0
        self._retry: asyncio.TimerHandle | None = None

    # Pods.

    def put(self, place: Place) -> None:
        """A pod has come, or changed."""
        member = self.members.get(place.uid)
        if member is None:
            if place.state is State.LEAVING:
                return
            member = self.members[place.uid] = Member(place)
        before, member.place = member.place, place
        if place.state is State.LEAVING or (before.address, before.port) != (place.address, place.port):
            self._drop_idle(member)
        if place.state is State.READY and before.state is not State.READY:
            member.not_before, member.failures = 0.0, 0
        self.serve()

    def drop(self, uid: str) -> None:
        member = self.members.pop(uid, None)
        if member is not None:
            self._drop_idle(member)
            if member.in_flight:
                self._parting.add(member)

    @property
    def has_coming(self) -> bool:
        """Whether a pod is there that may still take requests."""
        return any(member.place.state is not State.LEAVING for member in self.members.values())

    @property
    def ready(self) -> int:
        return sum(1 for member in self.members.values() if member.place.state is State.READY)

    # Requests.

    def acquire(self) -> Member | None:
        """The member that takes one more request, if any has room; those who wait already come first."""
        return None if self.waiting else self._take()

    def join(self, waiter: Waiter) -> None:
        """The queue. It may be that every pod only rests, and that nothing else will happen."""
        self.waiting.append(waiter)
        self._look_again()

    def release(self, member: Member) -> None:
        member.in_flight -= 1
        if not member.in_flight:
            self._parting.done(member)
            waiting, member.on_done = member.on_done, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)
        if self.waiting:
            self.serve()

    def failed(self, member: Member) -> None:
        """It did not take a connection: a moment of rest, in which it may turn out that it is gone."""
        rest = min(_REST_SECONDS * 2.0**member.failures, _MOST_REST_SECONDS)
        member.failures += 1
        member.not_before = self._now() + rest

    def worked(self, member: Member) -> None:
        member.failures = 0

    def serve(self) -> None:
        """Gives whoever waits what has become free."""
        while self.waiting:
            member = self._take()
            if member is None:
                self._look_again()
                return
            self.waiting.popleft().leased(member)

    def refuse(self, status: int, why: str) -> None:
        """All who wait now."""
        waiting, self.waiting = self.waiting, deque()
        for waiter in waiting:
            waiter.refused(status, why)

    # Connections.

    def idle_connection(self, member: Member) -> Upstream | None:
        while member.idle:
            connection = member.idle.pop()
            if connection.is_open and self._now() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def keep(self, member: Member, connection: Upstream) -> None:
        """For another request, if it can be."""
        if (
            connection.can_be_reused
            and connection.is_open
            and len(member.idle) < _MOST_IDLE
            and member.place.state is not State.LEAVING
            and self.members.get(member.place.uid) is member
        ):
            connection.idle_since = self._now()
            member.idle.append(connection)
        else:
            connection.close()

    def lost(self, connection: Upstream) -> None:
        """An idle one."""
        for member in self.members.values():
            if connection in member.idle:
                member.idle.remove(connection)

    def close_old(self) -> None:
        """To be called now and then."""
        oldest = self._now() - IDLE_SECONDS
        for member in self.members.values():
            while member.idle and member.idle[0].idle_since < oldest:
                member.idle.pop(0).close()

    def close(self) -> None:
        """No route leads here any more."""
        self.is_closed = True
        if self._retry is not None:
            self._retry.cancel()
        for uid in list(self.members):
            self.drop(uid)
        waiting, self.waiting = self.waiting, deque()
        for waiter in waiting:
            waiter.moved()

    def _take(self) -> Member | None:
        now, best, fewest = self._now(), None, 0
        members = list(self.members.values())
        first = self._turn % len(members) if members else 0
        for member in (*members[first:], *members[:first]) if first else members:
            if member.place.state is not State.READY or member.not_before > now:
                continue
            if self.most and member.in_flight >= self.most:
                continue
            if best is None or member.in_flight < fewest:
                best, fewest = member, member.in_flight
        if best is not None:
            best.in_flight += 1
            self._turn += 1
        return best

    def _look_again(self) -> None:
        """When the first of those that rest has rested."""
        now = self._now()
        rests = [
            member.not_before - now
            for member in self.members.values()
            if member.place.state is State.READY and member.not_before > now
        ]
        if rests and self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(min(rests) + 0.001, self._rested)

    def _rested(self) -> None:
        self._retry = None
        self.serve()

    def _drop_idle(self, member: Member) -> None:
        idle, member.idle = member.idle, []
        for connection in idle:
            connection.close()
