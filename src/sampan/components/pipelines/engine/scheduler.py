"""Starts the runs of recurring runs when they are due: one loop, one timer, and an index of the database as its heap.

A tick, its run and the schedule's progress are one transaction, and the run's id is made of the schedule and the tick:
a crash at any point, or a clock that goes back, makes no second run and loses none. Made and stopped by the component.

Source for the behaviour: kubeflow/pipelines 2.17, backend/src/crd/controller/scheduledworkflow; decision 21.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.api.macros import Macros
from sampan.components.pipelines.engine.creation import RunCreator, RunRequest
from sampan.components.pipelines.engine.schedules import MICROS, run_name, run_of_tick, source_of, table_of
from sampan.components.pipelines.store import runs, schedules
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.schedules import ScheduleRow, Status
from sampan.lib.clock import Clock, to_micros
from sampan.lib.log import get_logger
from sampan.lib.waking import woken_or_later
from sampan.store.database import Database

log = get_logger(__name__)

_LOOK_SECONDS = 15.0
"""The longest sleep: a clock that jumps, or a machine that slept, is noticed after it."""
_BUSY_SECONDS = 1.0
"""How soon to look again whether a run has ended, at a schedule that may start no more meanwhile."""
_BACKOFF_SECONDS = (10.0, 360.0)
"""Between tries of a tick whose run cannot be made: the first pause, doubled up to the last. Upstream's."""
_AT_ONCE = 8
"""Ticks of different schedules that are worked on together."""


class _OvertakenError(Exception):
    """The schedule was changed, or another run began, since the tick was found due."""


@dataclass(slots=True)
class _Held:
    """Why a schedule that is due is left alone for now."""

    until: float
    """On the monotonic clock."""
    failures: int = 0


class Scheduler:
    """For one event loop. `start` once runs can be created; `wake` whenever schedules have changed."""

    def __init__(self, database: Database, clock: Clock, creator: RunCreator, zone: tzinfo) -> None:
        self._database = database
        self._clock = clock
        self._creator = creator
        self._zone = zone
        self._woken = asyncio.Event()
        self._held: dict[str, _Held] = {}

    def wake(self) -> None:
        """Something has changed: what failed is tried again at once."""
        self._held.clear()
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        is_current = False
        while True:
            self._woken.clear()
            try:
                if not is_current:
                    await self.recalculate()
                    is_current = True
                pause = await self.turn()
            except Exception as error:
                # The disk is full, or the database away: neither is a reason to give schedules up.
                log.error("schedules were not looked at", exc=error)
                pause = _LOOK_SECONDS
            if pause > 0:
                await woken_or_later(self._woken, min(pause, _LOOK_SECONDS))

    async def recalculate(self) -> None:
        """Works every next tick out anew: the server's time zone, or the zones' own rules, may be others by now."""
        for row in await self._database.read(schedules.enabled):
            try:
                next_tick = self._next_tick(row, row.progress // MICROS)
            except PipelinesError:
                # Its time zone, say, is not known to this machine: its next tick will fail and say so.
                continue
            if next_tick != row.next_tick:
                await self._fix(row, next_tick)

    async def turn(self) -> float:
        """Starts what is due, one tick of each schedule. How many seconds it is until something may be due again."""
        now = self._now()
        due = await self._database.read(lambda c: schedules.due(c, now))
        self._held = {each: self._held[each] for each in due if each in self._held}
        waiting = [each for each in due if self._is_free(each)]
        started = False
        for begin in range(0, len(waiting), _AT_ONCE):
            part = waiting[begin : begin + _AT_ONCE]
            started = any(await asyncio.gather(*map(self._tick, part))) or started
        if started:
            return 0
        coming = await self._database.read(lambda c: schedules.next_after(c, now))
        pauses = [max(coming - self._now(), 0) / MICROS] if coming else []
        monotonic = self._clock.monotonic()
        pauses += [max(held.until - monotonic, 0.05) for held in self._held.values()]
        return min(pauses, default=_LOOK_SECONDS)

    def _is_free(self, recurring_run_id: str) -> bool:
        held = self._held.get(recurring_run_id)
        return held is None or held.until <= self._clock.monotonic()

    async def _tick(self, recurring_run_id: str) -> bool:
        """One tick of one schedule. Whether it is done with, so that there may be another."""
        row = await self._database.read(lambda connection: schedules.get(connection, recurring_run_id))
        if row is None or row.status != Status.ENABLED:
            self._held.pop(recurring_run_id, None)
            return False
        try:
            is_done = await self._run_if_due(row)
        except _OvertakenError:
            is_done = False
        except Exception as error:
            await self._failed(row, error)
            return False
        if is_done is not None:
            self._held.pop(recurring_run_id, None)
        return bool(is_done)

    async def _run_if_due(self, row: ScheduleRow) -> bool | None:
        """Whether there was a tick and it is done with; None for one that waits until another run has ended."""
        schedule_id, now = row.recurring_run_id, self._now() // MICROS
        table = table_of(row, self._zone)
        done = row.progress // MICROS
        tick = table.latest(done, now) if row.no_catchup else table.following(done)
        if tick is None or tick > now:
            await self._fix(row, (table.following(done) or 0) * MICROS)
            return False
        unfinished = await self._database.read(lambda c: schedules.unfinished_runs(c, schedule_id))
        if unfinished >= row.max_concurrency:
            self._held[schedule_id] = _Held(self._clock.monotonic() + _BUSY_SECONDS)
            return None
        await self._start(row, tick, now)
        return True

    async def _start(self, row: ScheduleRow, tick: int, now: int) -> None:
        """The run of a tick, with the progress that it means, or neither."""
        run_id = run_of_tick(row.recurring_run_id, tick)
        index = row.runs_started + 1
        next_tick = self._next_tick(row, tick)

        def progress(connection: Any, run: RunRow | None) -> None:
            current = schedules.get(connection, row.recurring_run_id)
            if current is None or (current.status, current.progress) != (row.status, row.progress):
                raise _OvertakenError
            # The run that was just stored is one of them.
            unfinished = schedules.unfinished_runs(connection, row.recurring_run_id)
            if run is not None and unfinished > row.max_concurrency:
                raise _OvertakenError
            count = index if run is not None else row.runs_started
            schedules.record_tick(connection, row.recurring_run_id, tick * MICROS, next_tick, count)

        if await self._database.read(lambda connection: runs.get(connection, run_id)) is not None:
            # The clock went back and the schedule was switched on again: this tick has had its run.
            await self._database.write(lambda connection: progress(connection, None))
            return
        macros = Macros(run_id, now, scheduled=tick, index=index)
        named = macros.format(row.display_name)
        request = RunRequest(
            namespace=row.namespace,
            display_name=named if named != row.display_name else run_name(row.resource_name, index),
            source=source_of(row),
            experiment_id=row.experiment_id,
            service_account=row.service_account,
            runtime_config=json.loads(row.runtime_config),
            recurring_run_id=row.recurring_run_id,
            scheduled_at=tick * MICROS,
            index=index,
            run_id=run_id,
        )
        await self._creator.create(request, also=progress)
        log.info(
            "a recurring run's tick started a run", schedule=row.recurring_run_id, run=run_id, index=index
        )

    async def _failed(self, row: ScheduleRow, error: Exception) -> None:
        """The tick waits and is tried again; the schedule says why."""
        schedule_id = row.recurring_run_id
        previous = self._held.get(schedule_id)
        failures = previous.failures + 1 if previous is not None else 1
        first, longest = _BACKOFF_SECONDS
        pause = min(first * 2.0 ** min(failures - 1, 10), longest)
        self._held[schedule_id] = _Held(self._clock.monotonic() + pause, failures)
        if isinstance(error, PipelinesError):
            status = json.dumps({"code": error.code, "message": error.message}, ensure_ascii=False)
            if status != row.error:
                log.warning("a recurring run cannot start a run", schedule=schedule_id, reason=error.message)
                await self._database.write(
                    lambda c: schedules.set_error(c, schedule_id, row.progress, status)
                )
        else:
            log.error("a recurring run could not start a run", schedule=schedule_id, exc=error)

    async def _fix(self, row: ScheduleRow, next_tick: int) -> None:
        await self._database.write(
            lambda c: schedules.set_next_tick(c, row.recurring_run_id, row.progress, next_tick)
        )

    def _next_tick(self, row: ScheduleRow, progress: int) -> int:
        return (table_of(row, self._zone).following(progress) or 0) * MICROS

    def _now(self) -> int:
        return to_micros(self._clock.now())
