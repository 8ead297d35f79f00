"""Triggers as a service: made, switched on and off, deleted; webhooks fired; deliveries tried again.

Called by the API. What changes here wakes the loops that watch and that start runs.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.components.pipelines.api.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
)
from sampan.components.pipelines.api.event_values import check_conditions, check_placeholders, sample
from sampan.components.pipelines.api.events import Event, EventKind
from sampan.components.pipelines.api.globs import matches_path
from sampan.components.pipelines.api.states import StorageState
from sampan.components.pipelines.api.trigger_sources import read_source
from sampan.components.pipelines.engine.creation import PipelineSource, RunCreator, usable_experiment
from sampan.components.pipelines.engine.triggers.places import AwayError, Place, PlaceError, Places
from sampan.components.pipelines.engine.triggers.specs import declared_types
from sampan.components.pipelines.store import deliveries, event_triggers, experiments, happenings, pipelines
from sampan.components.pipelines.store.deliveries import DeliveryRow, DeliveryState
from sampan.components.pipelines.store.event_triggers import Status, TriggerRow
from sampan.lib.clock import Clock, rfc3339, to_micros
from sampan.lib.ids import new_uid
from sampan.store.database import Database

_MOST_CONCURRENT = 100
_WATCHED = (EventKind.FILE, EventKind.OBJECT)


@dataclass(frozen=True, slots=True)
class TriggerRequest:
    """What a trigger is to be. Its name is checked by the caller."""

    namespace: str
    display_name: str
    source: PipelineSource
    given: Mapping[str, Any]
    """The message, with the one source of events in it."""
    max_concurrency: int = 10
    enabled: bool = True
    experiment_id: str = ""
    description: str = ""
    service_account: str = ""
    runtime_config: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loops:
    """What the service tells of its changes, and asks to start a run at once."""

    wake: Callable[[], None] = lambda: None
    fire_now: Callable[[str], Awaitable[None]] | None = None
    """Works on one delivery, and returns when that is done or must wait."""


class Triggers:
    """For one event loop."""

    def __init__(
        self, database: Database, clock: Clock, creator: RunCreator, places: Places, loops: Loops
    ) -> None:
        self._database = database
        self._clock = clock
        self._creator = creator
        self._places = places
        self._loops = loops

    async def create(self, request: TriggerRequest) -> tuple[TriggerRow, str]:
        """The row as stored, and the secret if one was made, which is told this once.

        Raises InvalidArgumentError, NotFoundError, FailedPreconditionError, which name the field.
        """
        row, source, made = await self._drafted(request, new_uid())
        return await self._stored(row, source, event_triggers.insert), row.secret if made else ""

    async def replace(self, trigger_id: str, request: TriggerRequest) -> tuple[TriggerRow, str]:
        """As `create`, in the place of one that is there: its deliveries, and a secret that it has, stay.

        What a folder or bucket that it did not watch before holds already starts nothing. Raises NotFoundError too.
        """
        current = await self._database.read(lambda connection: found_trigger(connection, trigger_id))
        row, source, made = await self._drafted(request, trigger_id, current)
        return await self._stored(row, source, event_triggers.replace), row.secret if made else ""

    async def _drafted(
        self, request: TriggerRequest, trigger_id: str, current: TriggerRow | None = None
    ) -> tuple[TriggerRow, dict[str, Any], bool]:
        """The row, its source, and whether a secret was made for it."""
        if not 1 <= request.max_concurrency <= _MOST_CONCURRENT:
            raise InvalidArgumentError(
                f"trigger.max_concurrency must be at least 1 and at most {_MOST_CONCURRENT}, "
                f"not {request.max_concurrency}"
            )
        kind, source = read_source(request.given)
        parameters = request.runtime_config.get("parameters", {})
        check_placeholders(parameters, kind, "trigger.runtime_config.parameters")
        check_conditions(request.conditions, kind, "trigger.conditions")
        found = await self._specify(request, parameters)
        keeps = current is not None and kind.value == current.kind
        secret, made = _secret(kind, source, current.secret if current is not None and keeps else "")
        now = to_micros(self._clock.now())
        follows_latest = not request.source.pipeline_version_id
        row = TriggerRow(
            trigger_id=trigger_id,
            namespace=request.namespace,
            display_name=request.display_name,
            experiment_id=request.experiment_id,
            kind=kind.value,
            source=json.dumps(source, ensure_ascii=False),
            max_concurrency=request.max_concurrency,
            created_at=current.created_at if current is not None else now,
            updated_at=now,
            description=request.description,
            service_account=request.service_account,
            status=Status.ENABLED if request.enabled else Status.DISABLED,
            conditions=json.dumps(dict(request.conditions), ensure_ascii=False),
            secret=secret,
            pipeline_id=found.pipeline_id,
            pipeline_version_id="" if follows_latest else found.pipeline_version_id,
            spec="" if not found.spec_inline and follows_latest else found.spec,
            runtime_config=json.dumps(dict(request.runtime_config), ensure_ascii=False),
            runs_started=current.runs_started if current is not None else 0,
        )
        return row, source, made

    async def _stored(
        self, row: TriggerRow, source: Mapping[str, Any], write: Callable[[Any, TriggerRow], None]
    ) -> TriggerRow:
        there = await self._there_already(row) if not source.get("include_existing") else {}

        def store(connection: Any) -> TriggerRow:
            _check_scope(connection, row.namespace, source, f"trigger.{row.kind}")
            experiment = usable_experiment(
                connection, row.namespace, row.experiment_id, row.updated_at, owner="trigger"
            )
            stored = replace(row, experiment_id=experiment.experiment_id)
            write(connection, stored)
            event_triggers.forget_all(connection, row.trigger_id)
            event_triggers.see(connection, row.trigger_id, there)
            return stored

        stored = await self._database.write(store)
        self._loops.wake()
        return stored

    async def enable(self, trigger_id: str) -> None:
        """What happened while it was disabled starts nothing. Nothing if it is enabled."""
        now = to_micros(self._clock.now())
        row = await self._database.read(lambda connection: found_trigger(connection, trigger_id))
        if row.status == Status.ENABLED:
            return
        there = await self._there_already(row)

        def write(connection: Any) -> None:
            current = found_trigger(connection, trigger_id)
            experiment = experiments.get(connection, current.experiment_id)
            if experiment is not None and experiment.storage_state == StorageState.ARCHIVED:
                raise FailedPreconditionError(
                    f"the trigger's experiment {experiment.display_name!r} is archived: un-archive it first"
                )
            if row.kind in _WATCHED:
                event_triggers.forget_all(connection, trigger_id)
                event_triggers.see(connection, trigger_id, there)
            event_triggers.set_error(connection, trigger_id, "", now)
            event_triggers.set_status(connection, trigger_id, Status.ENABLED, now)

        await self._database.write(write)
        self._loops.wake()

    async def disable(self, trigger_id: str) -> None:
        """What waits for its turn goes on waiting, and runs that were started go on."""
        now = to_micros(self._clock.now())

        def write(connection: Any) -> None:
            if found_trigger(connection, trigger_id).status == Status.ENABLED:
                event_triggers.set_status(connection, trigger_id, Status.DISABLED, now)

        await self._database.write(write)
        self._loops.wake()

    async def delete(self, trigger_id: str) -> None:
        """With its deliveries. Runs that were started stay, and go on."""
        await self._database.write(lambda connection: event_triggers.delete(connection, trigger_id))
        self._loops.wake()

    async def fire(self, trigger_id: str, event: Event, skipped: str = "") -> DeliveryRow:
        """An event that came to this trigger; a delivery that failed is tried again. How it stands afterwards.

        `skipped` says why it is to start nothing. Raises FailedPreconditionError for a disabled trigger.
        """
        now = to_micros(self._clock.now())

        def store(connection: Any) -> DeliveryRow:
            if found_trigger(connection, trigger_id).status != Status.ENABLED:
                raise FailedPreconditionError(f"trigger {trigger_id!r} is disabled: enable it first")
            there = deliveries.find(connection, trigger_id, event.key)
            if there is not None and there.state != DeliveryState.FAILED:
                return there
            if deliveries.waiting(connection, trigger_id) >= deliveries.MOST_WAITING:
                raise ResourceExhaustedError(
                    f"{deliveries.MOST_WAITING} events of trigger {trigger_id!r} wait for their runs already: "
                    "send it later"
                )
            row = deliveries.take_in(connection, trigger_id, event, now)
            if row is not None and skipped and row.state == DeliveryState.PENDING:
                error = json.dumps({"code": 0, "message": skipped})
                deliveries.settle(connection, row, DeliveryState.SKIPPED, now, error)
            elif there is not None:
                deliveries.revive(connection, there.delivery_id, now)
            current = deliveries.find(connection, trigger_id, event.key)
            assert current is not None
            return current

        return await self._worked_on(await self._database.write(store))

    async def retry(self, trigger_id: str, delivery_id: str) -> DeliveryRow:
        """Tries a delivery again that failed or was skipped. Raises NotFoundError, FailedPreconditionError."""
        now = to_micros(self._clock.now())

        def write(connection: Any) -> DeliveryRow:
            row = deliveries.get(connection, delivery_id)
            if row is None or row.trigger_id != trigger_id:
                raise NotFoundError(f"delivery {delivery_id!r} not found")
            if row.state not in (DeliveryState.FAILED, DeliveryState.SKIPPED):
                raise FailedPreconditionError(
                    f"delivery {delivery_id!r} is {row.state}; only one that failed can be tried again"
                )
            deliveries.revive(connection, delivery_id, now)
            revived = deliveries.get(connection, delivery_id)
            assert revived is not None
            return revived

        return await self._worked_on(await self._database.write(write))

    async def test(self, trigger_id: str, data: Mapping[str, Any]) -> DeliveryRow:
        """An event that somebody has made up, taken for one that came: it starts a run. Raises as `fire`."""
        row = await self._database.read(lambda connection: found_trigger(connection, trigger_id))
        told = {"time": rfc3339(self._clock.now(), micro=True), **data}
        return await self.fire(trigger_id, Event(EventKind(row.kind), row.namespace, new_uid(), told))

    async def publish(self, event: Event) -> int:
        """`api.events.EventSink`: for what happens outside of the pipelines."""
        now = to_micros(self._clock.now())
        count = await self._database.write(lambda connection: happenings.publish(connection, event, now))
        if count:
            self._loops.wake()
        return count

    async def _worked_on(self, row: DeliveryRow) -> DeliveryRow:
        if row.state != DeliveryState.PENDING:
            return row
        if self._loops.fire_now is not None:
            await self._loops.fire_now(row.delivery_id)
        return (
            await self._database.read(lambda connection: deliveries.get(connection, row.delivery_id)) or row
        )

    async def _specify(self, request: TriggerRequest, parameters: Mapping[str, Any]) -> Any:
        """What would run today must be able to run, with something of the right type for what the event will say."""
        types = await self._database.read(
            lambda connection: declared_types(connection, request.namespace, request.source)
        )
        samples = {name: sample(value, types.get(name, "")) for name, value in parameters.items()}
        return await self._creator.specify(request.namespace, request.source, samples)

    async def _there_already(self, row: TriggerRow) -> dict[str, str]:
        """What a trigger that watches finds when it begins: this starts nothing."""
        if row.kind not in _WATCHED:
            return {}
        source, kind = json.loads(row.source), EventKind(row.kind)
        place = Place.of(kind, row.namespace, source)
        path = f"trigger.{kind}.{'folder' if kind is EventKind.FILE else 'uri'}"
        await asyncio.to_thread(self._places.check, place, path)
        try:
            found = await self._places.look(place)
        except AwayError as error:
            raise UnavailableError(f"{path}: {error}") from error
        except PlaceError as error:
            raise InvalidArgumentError(f"{path}: {error}") from error
        return {name: version for name, version in found.items() if matches_path(name, source["glob"])}


def found_trigger(connection: Any, trigger_id: str) -> TriggerRow:
    """Raises NotFoundError."""
    row = event_triggers.get(connection, trigger_id)
    if row is None:
        raise NotFoundError(f"trigger {trigger_id!r} not found")
    return row


def _secret(kind: EventKind, source: dict[str, Any], there: str = "") -> tuple[str, bool]:
    """Taken out of the source: the webhook's secret, and whether it was made here. `there` is one that it has."""
    if kind is not EventKind.WEBHOOK or "secret_ref" in source:
        source.pop("secret", None)
        return "", False
    given = source.pop("secret", "") or there
    return given or secrets.token_urlsafe(32), not given


def _check_scope(connection: Any, namespace: str, source: Mapping[str, Any], path: str) -> None:
    """What a source names must be there, and the namespace's own. Raises NotFoundError."""
    if experiment_id := source.get("experiment_id", ""):
        experiment = experiments.get(connection, experiment_id)
        if experiment is None or experiment.namespace != namespace:
            raise NotFoundError(f"{path}.experiment_id: experiment {experiment_id!r} not found")
    if pipeline_id := source.get("pipeline_id", ""):
        pipeline = pipelines.get(connection, pipeline_id)
        if pipeline is None or pipeline.namespace != namespace:
            raise NotFoundError(f"{path}.pipeline_id: pipeline {pipeline_id!r} not found")
