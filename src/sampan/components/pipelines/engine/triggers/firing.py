"""Deliveries become runs: one loop, one timer, and the waiting rows as its queue.

The run and the delivery's word that it was started are one transaction, and the run's id is made of the trigger and the
event: a crash at any point makes no second run and loses none. Made and stopped by the component; decision 26.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.errors import PipelinesError, UnavailableError
from sampan.components.pipelines.api.event_values import LATE_ROOTS, fill, roots_asked_for, typed, unmet
from sampan.components.pipelines.api.events import EventKind
from sampan.components.pipelines.engine.creation import PipelineSource, RunCreator, RunRequest
from sampan.components.pipelines.engine.triggers.specs import declared_types
from sampan.components.pipelines.store import deliveries, event_triggers, run_facts, runs
from sampan.components.pipelines.store.deliveries import DeliveryRow, DeliveryState
from sampan.components.pipelines.store.event_triggers import Status, TriggerRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.lib.clock import Clock, to_micros
from sampan.lib.log import get_logger
from sampan.lib.waking import woken_or_later
from sampan.store.database import Database

log = get_logger(__name__)

MICROS = 1_000_000
_LOOK_SECONDS = 15.0
"""The longest sleep: a clock that jumps, or a machine that slept, is noticed after it."""
_BUSY_SECONDS = 1.0
"""How soon to look again whether a run has ended, at a trigger that may start no more meanwhile."""
_BACKOFF_SECONDS = (5.0, 360.0)
_BREATH_SECONDS = 0.05
"""Between two looks, however often it is woken."""
_AT_ONCE = 8
_MOST = 200


class _OvertakenError(Exception):
    """The trigger was changed, or another run began, since the delivery was found due."""


@dataclass(slots=True)
class _Turns:
    """One delivery of a trigger at a time, whoever brings it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Firing:
    """For one event loop. `run` once runs can be created; `wake` whenever something may have happened."""

    def __init__(self, database: Database, clock: Clock, creator: RunCreator) -> None:
        self._database = database
        self._clock = clock
        self._creator = creator
        self._woken = asyncio.Event()
        self._held: dict[str, float] = {}
        """Triggers that may start no more for now, until when on the monotonic clock."""
        self._working: dict[str, _Turns] = {}

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            try:
                pause = await self.turn()
            except Exception as error:
                # The disk is full, or the database away: neither is a reason to give triggers up.
                log.error("triggers were not looked at", exc=error)
                pause = _LOOK_SECONDS
            if pause > 0:
                await asyncio.sleep(_BREATH_SECONDS)
                await woken_or_later(self._woken, min(pause, _LOOK_SECONDS))

    async def turn(self) -> float:
        """Starts what waits. How many seconds it is until something may be due again; 0: there is more."""
        now, monotonic = self._now(), self._clock.monotonic()
        self._held = {key: until for key, until in self._held.items() if until > monotonic}
        due = await self._database.read(
            lambda connection: deliveries.due(connection, now, _MOST, list(self._held))
        )
        queues: dict[str, list[str]] = {}
        for trigger_id, delivery_id in due:
            queues.setdefault(trigger_id, []).append(delivery_id)
        done = 0
        waiting = list(queues.values())
        for begin in range(0, len(waiting), _AT_ONCE):
            done += sum(await asyncio.gather(*map(self._work_off, waiting[begin : begin + _AT_ONCE])))
        if done:
            return 0
        coming = await self._database.read(lambda connection: deliveries.next_after(connection, now))
        pauses = [max(coming - self._now(), 0) / MICROS] if coming else []
        pauses += [max(until - monotonic, _BREATH_SECONDS) for until in self._held.values()]
        return min(pauses, default=_LOOK_SECONDS)

    async def fire(self, delivery_id: str) -> bool:
        """Works on one delivery. Whether it is done with; else it waits, or is tried again later."""
        row = await self._database.read(lambda connection: deliveries.get(connection, delivery_id))
        if row is None:
            return False
        turns = self._working.setdefault(row.trigger_id, _Turns())
        turns.waiting += 1
        try:
            async with turns.lock:
                return await self._fire(delivery_id)
        finally:
            turns.waiting -= 1
            if not turns.waiting:
                del self._working[row.trigger_id]

    async def _work_off(self, delivery_ids: list[str]) -> int:
        """Of one trigger, in the order they came; how many are done with."""
        done = 0
        for delivery_id in delivery_ids:
            if not await self.fire(delivery_id):
                break
            done += 1
        return done

    async def _fire(self, delivery_id: str) -> bool:
        row, trigger = await self._database.read(lambda connection: _found(connection, delivery_id))
        if (
            row is None
            or trigger is None
            or row.state != DeliveryState.PENDING
            or trigger.status != Status.ENABLED
        ):
            return False
        unfinished = await self._database.read(
            lambda connection: deliveries.unfinished_runs(connection, row.trigger_id)
        )
        if unfinished >= trigger.max_concurrency:
            self._held[row.trigger_id] = self._clock.monotonic() + _BUSY_SECONDS
            return False
        try:
            await self._start(row, trigger)
        except _OvertakenError:
            return False
        except UnavailableError as error:
            await self._postpone(row, error.message)
            return False
        except PipelinesError as error:
            await self._fail(row, error)
        except Exception as error:
            log.error("a trigger could not start a run", trigger=row.trigger_id, exc=error)
            await self._postpone(row, "the server failed at making the run; its log says why")
            return False
        return True

    async def _start(self, row: DeliveryRow, trigger: TriggerRow) -> None:
        """The run of a delivery, and that it was started, or neither."""
        config, conditions = json.loads(trigger.runtime_config), json.loads(trigger.conditions)
        parameters = config.get("parameters") or {}
        data = await self._data(row, trigger, roots_asked_for(parameters, conditions))
        if why := unmet(conditions, data):
            await self._settle(row, DeliveryState.SKIPPED, json.dumps({"code": 0, "message": why}))
            return
        source = _source(trigger)
        filled = fill(parameters, data)
        if filled.from_event:
            types = await self._database.read(
                lambda connection: declared_types(connection, trigger.namespace, source)
            )
            for name in filled.from_event:
                filled.parameters[name] = typed(filled.parameters[name], types.get(name, ""))
        if await self._database.read(lambda connection: runs.get(connection, row.run_id)) is not None:
            await self._settle(
                row, DeliveryState.STARTED
            )  # it is told of a second time, long after the first
            return

        def progress(connection: Any, run: RunRow) -> None:
            self._check_and_mark(connection, row)

        request = RunRequest(
            namespace=trigger.namespace,
            display_name=_run_name(trigger, row),
            source=source,
            experiment_id=trigger.experiment_id,
            description=f"started by the trigger {trigger.display_name!r}",
            service_account=trigger.service_account,
            runtime_config=config | {"parameters": filled.parameters},
            run_id=row.run_id,
        )
        await self._creator.create(request, also=progress)
        log.info("a trigger started a run", trigger=row.trigger_id, delivery=row.delivery_id, run=row.run_id)

    def _check_and_mark(self, connection: Any, row: DeliveryRow) -> None:
        """In the transaction that stores the run. Raises _OvertakenError."""
        current, trigger = _found(connection, row.delivery_id)
        if current is None or trigger is None or current.state != DeliveryState.PENDING:
            raise _OvertakenError
        if (
            trigger.status != Status.ENABLED
            or deliveries.unfinished_runs(connection, row.trigger_id) >= trigger.max_concurrency
        ):
            raise _OvertakenError
        deliveries.settle(connection, current, DeliveryState.STARTED, self._now())
        event_triggers.count_run(connection, row.trigger_id)

    async def _data(self, row: DeliveryRow, trigger: TriggerRow, roots: set[str]) -> Mapping[str, Any]:
        """The event, with what of a run's results is asked for."""
        data = json.loads(row.event)
        if trigger.kind == EventKind.RUN and roots & set(LATE_ROOTS):
            late = await self._database.read(
                lambda connection: run_facts.results(connection, data.get("run_id", ""), roots)
            )
            return {**data, **late}
        return dict(data)

    async def _settle(self, row: DeliveryRow, state: DeliveryState, error: str = "") -> None:
        now = self._now()
        await self._database.write(lambda connection: deliveries.settle(connection, row, state, now, error))

    async def _fail(self, row: DeliveryRow, error: PipelinesError) -> None:
        """Nothing will come of it by itself: the delivery and the trigger say why."""
        log.warning("a trigger cannot start a run", trigger=row.trigger_id, reason=error.message)
        status = json.dumps({"code": error.code, "message": error.message}, ensure_ascii=False)
        now = self._now()

        def write(connection: Any) -> None:
            deliveries.settle(connection, row, DeliveryState.FAILED, now, status)
            event_triggers.set_error(connection, row.trigger_id, status, now)

        await self._database.write(write)

    async def _postpone(self, row: DeliveryRow, why: str) -> None:
        first, longest = _BACKOFF_SECONDS
        pause = min(first * 2.0 ** min(row.attempts, 10), longest)
        status, now = json.dumps({"code": UnavailableError.code, "message": why}), self._now()

        def write(connection: Any) -> None:
            deliveries.postpone(connection, row, now, now + int(pause * MICROS), status)
            event_triggers.set_error(connection, row.trigger_id, status, now)

        await self._database.write(write)

    def _now(self) -> int:
        return to_micros(self._clock.now())


def _found(connection: Any, delivery_id: str) -> tuple[DeliveryRow | None, TriggerRow | None]:
    row = deliveries.get(connection, delivery_id)
    return row, event_triggers.get(connection, row.trigger_id) if row is not None else None


def _source(row: TriggerRow) -> PipelineSource:
    if row.spec_inline:
        return PipelineSource(pipeline_spec=json.loads(row.spec))
    return PipelineSource(
        pipeline_id=row.pipeline_id, pipeline_version_id=row.pipeline_version_id, kept=row.spec
    )


def _run_name(trigger: TriggerRow, row: DeliveryRow) -> str:
    """Short enough for a run, and one that no two runs of a trigger share."""
    return f"{trigger.display_name[:240]} {row.delivery_id[:8]}"
