"""Mutexes and semaphores over all runs of this engine. For one event loop; nothing is stored: holders are in the rows.

While the engine takes runs up nothing can be acquired: a run that is taken up early must not get what another one, not
read yet, holds already.

Source: docs/synchronization.md, argo-workflows v3.7: who waits is served by priority, then by age.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Want:
    """Somebody who wants locks: all of them at once."""

    run_id: str
    owner: str
    """A task id."""
    locks: tuple[tuple[str, int], ...]
    """Names, and how many may hold each."""
    priority: int
    created_at: int
    wake: Callable[[], None] = field(compare=False)


class Locks:
    def __init__(self, *, is_open: bool = True) -> None:
        self._holders: dict[str, set[str]] = {}
        self._waiting: dict[str, Want] = {}
        self._owners: dict[str, set[str]] = {}
        """By run, who has asked."""
        self._is_open = is_open

    def open(self) -> None:
        """All runs are taken up."""
        self._is_open = True
        self._wake()

    def hold(self, run_id: str, owner: str, locks: tuple[str, ...]) -> None:
        """After a restart: the owner had them."""
        self._owners.setdefault(run_id, set()).add(owner)
        for name in locks:
            self._holders.setdefault(name, set()).add(owner)

    def acquire(self, want: Want) -> bool:
        """Takes all of the locks, or none and waits: `wake` is then called when it is worth asking again."""
        self._waiting[want.owner] = want
        self._owners.setdefault(want.run_id, set()).add(want.owner)
        if not self._is_open or not self._may(want):
            return False
        del self._waiting[want.owner]
        for name, _ in want.locks:
            self._holders.setdefault(name, set()).add(want.owner)
        return True

    def blocked_by(self, want: Want) -> str:
        """The first lock that is not to be had."""
        return next((name for name, limit in want.locks if not self._has_room(name, limit, want)), "")

    def release(self, owner: str) -> None:
        """Gives back what the owner holds, and its place in the line."""
        self._waiting.pop(owner, None)
        freed = [name for name, holders in self._holders.items() if owner in holders]
        for name in freed:
            self._holders[name].discard(owner)
            if not self._holders[name]:
                del self._holders[name]
        if freed:
            self._wake()

    def forget(self, run_id: str) -> None:
        """The run is over, or was let go of where it stood."""
        for owner in self._owners.pop(run_id, ()):
            self.release(owner)

    def _may(self, want: Want) -> bool:
        return all(self._has_room(name, limit, want) for name, limit in want.locks)

    def _has_room(self, name: str, limit: int, want: Want) -> bool:
        holders = self._holders.get(name, set())
        if want.owner in holders:
            return True
        # Those before in the line for this lock come first.
        ahead = sum(
            1
            for other in self._waiting.values()
            if other.owner != want.owner
            and any(other_name == name for other_name, _ in other.locks)
            and _rank(other) < _rank(want)
        )
        return len(holders) + ahead < limit

    def _wake(self) -> None:
        for want in sorted(self._waiting.values(), key=_rank):
            want.wake()


def _rank(want: Want) -> tuple[int, int, str]:
    return (-want.priority, want.created_at, want.owner)
