"""What became of a recurring run's past ticks, and why some have no run. Pure; called by `recurring_runs`.

Only what rows still say can be told: a tick has the run whose id is made of it, or it has none. Ticks up to `progress`
are done with; the switch was last thrown at `updated_at`, unless a later tick has moved that on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.engine.schedules import MICROS, run_of_tick
from sampan.components.pipelines.store.schedules import ScheduleRow, Status


def past(row: ScheduleRow, ticks: Iterable[int], states: Mapping[str, str]) -> list[dict[str, Any]]:
    """`ticks` in seconds, the newest first; `states` of those of their runs that are there."""
    return [_tick(row, tick, states) for tick in ticks]


def _tick(row: ScheduleRow, tick: int, states: Mapping[str, str]) -> dict[str, Any]:
    run_id = run_of_tick(row.recurring_run_id, tick)
    if run_id in states:
        return {"at": time_of(tick * MICROS), "run_id": run_id, "state": states[run_id]}
    waits = row.status == Status.ENABLED and tick * MICROS > row.progress
    return present(
        at=time_of(tick * MICROS), state="WAITING" if waits else "MISSED", reason=_reason(row, tick, waits)
    )


def _reason(row: ScheduleRow, tick: int, waits: bool) -> str:
    if waits and row.error:
        return f"its run could not be made: {json.loads(row.error)['message']}"
    if waits:
        return "it waits until an earlier run of this schedule has ended"
    if tick * MICROS < row.created_at:
        return "it was due before the recurring run was made"
    if row.status != Status.ENABLED and tick * MICROS > row.progress:
        return "the recurring run was paused"
    if row.no_catchup:
        return "it was paused or the server was not running, and catch-up is off; or its run was deleted"
    return "it was paused then, or its run was deleted"
