"""Mutexes and semaphores of whole runs: who may run at once, and who waits for whom.

Called by the engine before a run begins. Nothing of this is stored: a run holds its locks from its first row to its
end, so that after a crash the rows say who held what. Runs wait in the order of their making, each for all of its locks
at once; one that waits keeps later ones from the locks it wants, so nobody starves and nobody waits in a circle.

As Argo Workflows' synchronization, which kubeflow/pipelines meant these for: a semaphore's size is a number in the
ConfigMap `semaphore-config` of the run's namespace (kubeflow/pipelines#11370; decision 25).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sampan.client.protocol import Reader
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS

CONFIG_MAP = "semaphore-config"


@dataclass(frozen=True, slots=True)
class Lock:
    """`key` names it among the semaphores of a namespace, or among its mutexes."""

    namespace: str
    key: str
    is_semaphore: bool = False

    def __str__(self) -> str:
        return f'{"semaphore" if self.is_semaphore else "mutex"} "{self.key}"'


@dataclass(frozen=True, slots=True)
class _Waiting:
    run_id: str
    since: int
    locks: tuple[Lock, ...]


class RunLocks:
    """For one event loop. Runs without locks need not be told of."""

    def __init__(self, client: Reader) -> None:
        self._client = client
        self._holders: dict[Lock, set[str]] = {}
        self._line: OrderedDict[str, _Waiting] = OrderedDict()
        self._why: dict[str, str] = {}

    @property
    def is_waited_for(self) -> bool:
        return bool(self._line)

    def why(self, run_id: str) -> str:
        """What the run waits for; empty when it does not."""
        return self._why.get(run_id, "") if run_id in self._line else ""

    def waits(self, run_id: str) -> bool:
        return run_id in self._line

    def hold(self, run_id: str, locks: Iterable[Lock]) -> None:
        """The run has begun already: it holds its locks, whoever else does."""
        for lock in locks:
            self._holders.setdefault(lock, set()).add(run_id)

    def join(self, run_id: str, since: int, locks: Sequence[Lock]) -> None:
        """Puts the run into the line. `since` is when it was made."""
        self._line[run_id] = _Waiting(run_id, since, tuple(locks))
        self._line = OrderedDict(sorted(self._line.items(), key=lambda item: item[1].since))

    def leave(self, run_id: str) -> None:
        """The run is over, or is not wanted any more."""
        self._line.pop(run_id, None)
        self._why.pop(run_id, None)
        for lock, holders in list(self._holders.items()):
            holders.discard(run_id)
            if not holders:
                del self._holders[lock]

    async def admitted(self) -> list[tuple[str, str]]:
        """The runs in the line that may begin now: they hold their locks from here on. The second text is empty, or
        why a run can never begin. Raises ApiError."""
        sizes = {lock: await self._size(lock) for lock in self._wanted()}
        found: list[tuple[str, str]] = []
        wanted: set[Lock] = set()
        # A run may have left the line while the sizes were read, and another have come.
        for waiting in [each for each in self._line.values() if all(lock in sizes for lock in each.locks)]:
            problems = [size for lock in waiting.locks if isinstance(size := sizes[lock], str)]
            if problems:
                found.append((waiting.run_id, problems[0]))
                self.leave(waiting.run_id)
            elif blocked := [
                lock for lock in waiting.locks if lock in wanted or not self._has_room(lock, sizes)
            ]:
                wanted.update(waiting.locks)
                self._why[waiting.run_id] = self._reason(blocked[0])
            else:
                del self._line[waiting.run_id]
                self.hold(waiting.run_id, waiting.locks)
                found.append((waiting.run_id, ""))
        return found

    def _wanted(self) -> list[Lock]:
        return list(dict.fromkeys(lock for waiting in self._line.values() for lock in waiting.locks))

    def _has_room(self, lock: Lock, sizes: dict[Lock, int | str]) -> bool:
        size = sizes[lock]
        return isinstance(size, int) and len(self._holders.get(lock, ())) < size

    def _reason(self, lock: Lock) -> str:
        holders = sorted(self._holders.get(lock, ()))
        if not holders:
            return f"it waits for {lock}, which an earlier run waits for too"
        more = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
        return f"it waits for {lock}, which run {holders[0]}{more} has"

    async def _size(self, lock: Lock) -> int | str:
        """How many may have it at once, or why that cannot be said."""
        if not lock.is_semaphore:
            return 1
        place = f'ConfigMap "{CONFIG_MAP}" in namespace {lock.namespace}'
        try:
            found = await self._client.get(CONFIG_MAPS, CONFIG_MAP, lock.namespace)
        except NotFoundError:
            return f'{lock}: there is no {place}; make it, with a number under the key "{lock.key}"'
        text = str((found.get("data") or {}).get(lock.key, ""))
        if not text.isascii() or not text.isdigit():
            was = f"{text[:20]!r}" if text else "nothing"
            return (
                f'{lock}: the {place} has {was} under the key "{lock.key}"; give the number of runs at once'
            )
        return int(text)
