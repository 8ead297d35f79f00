"""Recurring runs as a service: made, switched on and off, deleted, and asked when they tick.

Called by every face of the API. The scheduler (`scheduler.py`) does the ticking; whatever changes here wakes it.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any

from sampan.components.pipelines.api.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from sampan.components.pipelines.api.macros import Macros
from sampan.components.pipelines.api.states import StorageState
from sampan.components.pipelines.api.triggers import Timetable, Trigger, read_trigger, timetable
from sampan.components.pipelines.engine.creation import (
    PipelineSource,
    RunCreator,
    RunRequest,
    usable_experiment,
)
from sampan.components.pipelines.store import experiments, schedules
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.schedules import ScheduleRow, Status
from sampan.lib.clock import Clock, to_micros
from sampan.lib.ids import new_uid, random_suffix
from sampan.store.database import Database

MICROS = 1_000_000
_MOST_CONCURRENT = 10
_MOST_TICKS = 100
_IDS = uuid.UUID("6c1d5a0e-9d35-4d36-9a0b-3f7f6f1f0f4e")
# As upstream names the ScheduledWorkflow (template.go, toSWFCRDResourceGeneratedName; the API server adds the suffix).
_NOT_IN_NAMES = re.compile("[^a-z0-9-]+")
_NAME_LENGTH = 25


@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    """What a recurring run is to be. Its name is checked by the caller."""

    namespace: str
    display_name: str
    source: PipelineSource
    trigger: Trigger
    max_concurrency: int = 1
    no_catchup: bool = False
    enabled: bool = True
    experiment_id: str = ""
    description: str = ""
    service_account: str = ""
    runtime_config: Mapping[str, Any] = field(default_factory=dict)
    plugins_input: Mapping[str, Any] = field(default_factory=dict)


class Schedules:
    """For one event loop. `wake` tells the scheduler to look again."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        creator: RunCreator,
        zone: tzinfo,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._creator = creator
        self._zone = zone
        self._wake = wake

    async def create(self, request: ScheduleRequest) -> ScheduleRow:
        """Raises InvalidArgumentError, NotFoundError, FailedPreconditionError, which name the field."""
        if not 1 <= request.max_concurrency <= _MOST_CONCURRENT:
            raise InvalidArgumentError(
                f"recurring_run.max_concurrency must be at least 1 and at most {_MOST_CONCURRENT}, "
                f"not {request.max_concurrency}"
            )
        # What would run today must be able to run; a schedule without a version looks again at each tick.
        found = await self._creator.specify(
            request.namespace, request.source, request.runtime_config.get("parameters", {})
        )
        now = to_micros(self._clock.now())
        follows_latest = not request.source.pipeline_version_id
        row = ScheduleRow(
            recurring_run_id=new_uid(),
            experiment_id=request.experiment_id,
            namespace=request.namespace,
            display_name=request.display_name,
            resource_name=resource_name(request.display_name),
            trigger=json.dumps(request.trigger.to_json()),
            max_concurrency=request.max_concurrency,
            created_at=now,
            updated_at=now,
            description=request.description,
            service_account=request.service_account,
            status=Status.ENABLED if request.enabled else Status.DISABLED,
            no_catchup=request.no_catchup,
            pipeline_id=found.pipeline_id,
            pipeline_version_id="" if follows_latest else found.pipeline_version_id,
            spec="" if not found.spec_inline and follows_latest else found.spec,
            runtime_config=json.dumps(dict(request.runtime_config), ensure_ascii=False),
            plugins_input=json.dumps(dict(request.plugins_input), ensure_ascii=False),
        )
        table = table_of(row, self._zone)
        progress = 0 if request.trigger.is_once else table.origin
        next_tick = table.following(progress) if request.enabled else None
        row = replace(row, progress=progress * MICROS, next_tick=(next_tick or 0) * MICROS)

        def store(connection: Any) -> ScheduleRow:
            experiment = usable_experiment(
                connection, row.namespace, row.experiment_id, now, owner="recurring_run"
            )
            stored = replace(row, experiment_id=experiment.experiment_id)
            schedules.insert(connection, stored)
            return stored

        stored = await self._database.write(store)
        self._wake()
        return stored

    async def enable(self, recurring_run_id: str) -> None:
        """Ticks count from now on: what was missed while it was disabled stays missed. Nothing if it is enabled."""
        now = to_micros(self._clock.now())

        def write(connection: Any) -> None:
            row = found(connection, recurring_run_id)
            if row.status == Status.ENABLED:
                return
            experiment = experiments.get(connection, row.experiment_id)
            if experiment is not None and experiment.storage_state == StorageState.ARCHIVED:
                raise FailedPreconditionError(
                    f"the recurring run's experiment {experiment.display_name!r} is archived: un-archive it first"
                )
            table = table_of(row, self._zone)
            waits = table.trigger.is_once and row.runs_started == 0
            progress = row.progress // MICROS if waits else now // MICROS
            next_tick = table.following(progress) or 0
            schedules.enable(connection, recurring_run_id, now, progress * MICROS, next_tick * MICROS)

        await self._database.write(write)
        self._wake()

    async def disable(self, recurring_run_id: str) -> None:
        """Runs that were started go on."""
        now = to_micros(self._clock.now())

        def write(connection: Any) -> None:
            if found(connection, recurring_run_id).status == Status.ENABLED:
                schedules.disable(connection, recurring_run_id, now)

        await self._database.write(write)

    async def delete(self, recurring_run_id: str) -> None:
        """Runs that were started stay, and go on."""
        await self._database.write(lambda connection: schedules.delete(connection, recurring_run_id))

    async def run_now(self, recurring_run_id: str) -> RunRow:
        """A run as of a tick that is due this moment, beside those of the ticks; also of a disabled schedule.

        Raises NotFoundError, and what creating a run raises.
        """
        row = await self._database.read(lambda connection: found(connection, recurring_run_id))
        now, run_id, index = to_micros(self._clock.now()), new_uid(), row.runs_started + 1

        def count(connection: Any, run: RunRow) -> None:
            found(connection, recurring_run_id)
            schedules.count_run(connection, recurring_run_id)

        named = Macros(run_id, now // MICROS, scheduled=now // MICROS, index=index).format(row.display_name)
        request = RunRequest(
            namespace=row.namespace,
            display_name=named if named != row.display_name else run_name(row.resource_name, index),
            source=source_of(row),
            experiment_id=row.experiment_id,
            service_account=row.service_account,
            runtime_config=json.loads(row.runtime_config),
            recurring_run_id=recurring_run_id,
            scheduled_at=now // MICROS * MICROS,
            index=index,
            run_id=run_id,
        )
        return await self._creator.create(request, also=count)

    def past_ticks(self, row: ScheduleRow, count: int) -> list[int]:
        """The last moments, in seconds, at which its timetable has ticked, the newest first."""
        table = table_of(row, self._zone)
        begin = row.created_at // MICROS - 1 if table.trigger.is_once else table.origin
        moment = to_micros(self._clock.now()) // MICROS
        ticks: list[int] = []
        while len(ticks) < min(count, _MOST_TICKS) and (tick := table.latest(begin, moment)) is not None:
            ticks.append(tick)
            moment = tick - 1
        return ticks

    def next_ticks(self, row: ScheduleRow, count: int) -> list[int]:
        """The next moments, in seconds, at which an enabled schedule starts a run, or a disabled one would."""
        table = table_of(row, self._zone)
        now = to_micros(self._clock.now()) // MICROS
        # What is missed and still to be caught up comes first.
        behind = row.status == Status.ENABLED and not row.no_catchup
        moment = row.progress // MICROS if behind or table.trigger.is_once else now
        if row.status == Status.ENABLED:
            moment = max(moment, row.progress // MICROS)
        ticks: list[int] = []
        while len(ticks) < min(count, _MOST_TICKS) and (tick := table.following(moment)) is not None:
            ticks.append(tick)
            moment = tick
        return ticks

    def zone_of(self, row: ScheduleRow) -> str:
        """In which its fields are read."""
        return str(table_of(row, self._zone).zone)


def table_of(row: ScheduleRow, zone: tzinfo) -> Timetable:
    return timetable(
        read_trigger(json.loads(row.trigger), "recurring_run.trigger"), row.created_at // MICROS, zone
    )


def found(connection: Any, recurring_run_id: str) -> ScheduleRow:
    """Raises NotFoundError."""
    row = schedules.get(connection, recurring_run_id)
    if row is None:
        raise NotFoundError(f"recurring run {recurring_run_id!r} not found")
    return row


def run_of_tick(recurring_run_id: str, tick: int) -> str:
    """The id of a tick's run: the same whenever it is asked for, so that no tick has two."""
    return str(uuid.uuid5(_IDS, f"{recurring_run_id}/{tick}"))


def source_of(row: ScheduleRow) -> PipelineSource:
    if row.spec_inline:
        return PipelineSource(pipeline_spec=json.loads(row.spec))
    return PipelineSource(
        pipeline_id=row.pipeline_id, pipeline_version_id=row.pipeline_version_id, kept=row.spec
    )


def resource_name(display_name: str) -> str:
    return (_NOT_IN_NAMES.sub("", display_name.lower()) or "job-")[:_NAME_LENGTH] + random_suffix()


def run_name(resource: str, index: int) -> str:
    """As upstream names the run of a tick (scheduled_workflow.go, NextResourceName): with the FNV-1a of its name."""
    name = f"{resource}-{index}"
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) % (1 << 32)
    return f"{name}-{value}"
