"""New and changed files and objects become deliveries: places are looked at in turn, as long as triggers watch any.

A version of a file is noted as seen in the transaction that stores its delivery: over restarts each starts one run. A
file counts once it has not changed for the trigger's settle time. Several triggers on one place share one look, and a
look that takes long is followed by a long pause. Made and stopped by the component.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sampan.components.pipelines.api.events import Event, EventKind
from sampan.components.pipelines.api.globs import matches_path
from sampan.components.pipelines.engine.triggers.places import Place, PlaceError, Places
from sampan.components.pipelines.store import deliveries, event_triggers
from sampan.components.pipelines.store.deliveries import MOST_WAITING
from sampan.components.pipelines.store.event_triggers import Status, TriggerRow
from sampan.lib.clock import Clock, from_micros, rfc3339, to_micros
from sampan.lib.log import get_logger
from sampan.lib.waking import woken_or_later
from sampan.store.database import Database

log = get_logger(__name__)

_EVERY_SECONDS = {EventKind.FILE: 2.0, EventKind.OBJECT: 15.0}
_COST = 20
"""A look may take a twentieth of the time."""
_IDLE_SECONDS = 600.0
_MOST_AT_ONCE = 100
"""Files of one trigger in one transaction."""


@dataclass(slots=True)
class _Watched:
    """What is known of one trigger."""

    row: TriggerRow
    source: Mapping[str, Any]
    seen: dict[str, str]
    settling: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Versions that have not started a run yet, and since when they are as they are."""


@dataclass(slots=True)
class _Look:
    """When a place is looked at next, and what was there last."""

    next_at: float = 0.0
    found: Mapping[str, str] | None = None


class Watcher:
    """For one event loop. `wake` when triggers have changed."""

    def __init__(self, database: Database, clock: Clock, places: Places, fire: Any) -> None:
        """`fire` is called when there are new deliveries."""
        self._database = database
        self._clock = clock
        self._places = places
        self._fire = fire
        self._woken = asyncio.Event()
        self._watched: dict[str, _Watched] = {}
        self._looks: dict[Place, _Look] = {}
        self._is_stale = True

    def wake(self) -> None:
        self._is_stale = True
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            try:
                pause = await self.turn()
            except Exception as error:
                log.error("watched folders were not looked at", exc=error)
                pause = _EVERY_SECONDS[EventKind.OBJECT]
            await woken_or_later(self._woken, max(pause, 0.05))

    async def turn(self) -> float:
        """Looks at the places whose time has come. How many seconds until the next."""
        if self._is_stale:
            self._is_stale = False
            try:
                await self._reload()
            except Exception:
                self._is_stale = True
                raise
        places: dict[Place, list[_Watched]] = {}
        for watched in self._watched.values():
            row = watched.row
            place = Place.of(EventKind(row.kind), row.namespace, watched.source)
            places.setdefault(place, []).append(watched)
        self._looks = {place: self._looks.get(place, _Look()) for place in places}
        due = [place for place, look in self._looks.items() if look.next_at <= self._clock.monotonic()]
        await asyncio.gather(*(self._visit(place, places[place]) for place in due))
        now = self._clock.monotonic()
        return min((look.next_at - now for look in self._looks.values()), default=_IDLE_SECONDS)

    async def _reload(self) -> None:
        rows = await self._database.read(event_triggers.watching)
        known = self._watched
        self._watched = {}
        for row in rows:
            before = known.get(row.trigger_id)
            if before is not None and before.row.updated_at == row.updated_at:
                self._watched[row.trigger_id] = before
                continue
            trigger_id = row.trigger_id
            seen = await self._seen(trigger_id)
            self._watched[trigger_id] = _Watched(row, json.loads(row.source), seen)
            # Whatever the place looked like before, this one has not seen it.
            place = Place.of(EventKind(row.kind), row.namespace, self._watched[trigger_id].source)
            self._looks.pop(place, None)

    async def _seen(self, trigger_id: str) -> dict[str, str]:
        return await self._database.read(lambda connection: event_triggers.seen(connection, trigger_id))

    async def _visit(self, place: Place, watching: list[_Watched]) -> None:
        look, began = self._looks[place], self._clock.monotonic()
        try:
            found = await self._places.look(place)
        except PlaceError as error:
            look.found = None
            for watched in watching:
                await self._tell(watched, str(error))
            look.next_at = began + _EVERY_SECONDS[EventKind.OBJECT]
            return
        took = self._clock.monotonic() - began
        look.next_at = began + max(_EVERY_SECONDS[place.kind], took * _COST)
        is_as_before = look.found is not None and found == look.found
        look.found = found
        for watched in watching:
            if is_as_before and not watched.settling:
                continue
            await self._tell(watched, "")
            await self._compare(place, watched, found)
            if watched.settling:
                soonest = (
                    min(since for _, since in watched.settling.values()) + watched.source["settle_seconds"]
                )
                look.next_at = min(look.next_at, max(soonest, began + took * _COST, began + 0.2))

    async def _compare(self, place: Place, watched: _Watched, found: Mapping[str, str]) -> None:
        now, settle = self._clock.monotonic(), watched.source["settle_seconds"]
        gone = [path for path in watched.seen if path not in found]
        settling = {}
        for path, version in found.items():
            if watched.seen.get(path) == version or not matches_path(path, watched.source["glob"]):
                continue
            before = watched.settling.get(path)
            settling[path] = before if before is not None and before[0] == version else (version, now)
        watched.settling = settling
        settled = [path for path, (_, since) in settling.items() if now - since >= settle][:_MOST_AT_ONCE]
        if gone or settled:
            await self._store(place, watched, gone, settled)

    async def _store(self, place: Place, watched: _Watched, gone: list[str], settled: list[str]) -> None:
        versions = {path: watched.settling[path][0] for path in settled}
        trigger_id, now = watched.row.trigger_id, to_micros(self._clock.now())
        events = [_event(place, path, version, now) for path, version in versions.items()]

        def write(connection: Any) -> bool:
            current = event_triggers.get(connection, trigger_id)
            if current is None or current.status != Status.ENABLED:
                return False
            event_triggers.forget(connection, trigger_id, gone)
            if deliveries.waiting(connection, trigger_id) + len(events) > MOST_WAITING:
                return False  # they stay where they are, and are new at the next look
            event_triggers.see(connection, trigger_id, versions)
            for event in events:
                deliveries.take_in(connection, trigger_id, event, now)
            return True

        kept = await self._database.write(write)
        for path in gone:
            watched.seen.pop(path, None)
        if kept:
            watched.seen.update(versions)
            for path in versions:
                watched.settling.pop(path, None)
            if versions:
                self._fire()

    async def _tell(self, watched: _Watched, error: str) -> None:
        """On the trigger, once; what is well again is said too."""
        row, now = watched.row, to_micros(self._clock.now())
        status = json.dumps({"code": 14, "message": error}, ensure_ascii=False) if error else ""
        current = await self._database.read(lambda connection: event_triggers.get(connection, row.trigger_id))
        if current is None or current.error == status:
            return
        if error or json.loads(current.error or "{}").get("code") == 14:
            await self._database.write(
                lambda connection: event_triggers.set_error(connection, row.trigger_id, status, now)
            )


def _event(place: Place, path: str, version: str, now_micros: int) -> Event:
    name = PurePosixPath(path).name
    data: dict[str, Any] = {
        "name": name,
        "version": version,
        "time": rfc3339(from_micros(now_micros), micro=True),
    }
    if place.kind is EventKind.FILE:
        size = int(version.partition("-")[0])
        data |= {
            "path": f"{place.where.rstrip('/')}/{path}",
            "folder": place.where,
            "relative_path": path,
            "size": size,
        }
    else:
        data |= {"uri": f"{place.where.rstrip('/')}/{path}", "key": path}
    return Event(place.kind, place.namespace, f"{place.where}\0{path}\0{version}", data)
