"""Deliveries: what came of each event that a trigger was told of. The rows are the queue, too.

An event is taken in once for each trigger, whatever happens: its key is unique, and the run that it starts has an id
made of both. Every function works inside the caller's transaction.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.events import Event
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import event_tables, tables
from sampan.components.pipelines.store.event_triggers import Status
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, select_page
from sampan.lib.ids import new_uid

_DELIVERIES = event_tables.deliveries
_COLUMNS = _DELIVERIES.c
_RUNS = tables.runs
_TRIGGERS = event_tables.triggers
_UNFINISHED = tuple(state.value for state in RuntimeState if not state.is_final)
_IDS = uuid.UUID("0f4f3b1e-5a0e-4d5b-8c1c-8c3c3f3f5d11")

_MOST_LEFT_OUT = 500
KEPT = 200
"""Deliveries of a trigger that are kept when they are done with, of those that started runs and of the others."""
MOST_WAITING = 1000
"""Of one trigger: what comes then is refused."""
MOST_DEPTH = 10
"""Runs that may start each other by triggers, one after the other: more is taken for a circle."""

LISTABLE = Listable(
    kind="delivery",
    table=_DELIVERIES,
    key=_COLUMNS.delivery_id,
    fields={
        "delivery_id": _COLUMNS.delivery_id,
        "id": _COLUMNS.delivery_id,
        "created_at": _COLUMNS.created_at,
        "state": _COLUMNS.state,
        "run_id": _COLUMNS.run_id,
    },
)


class DeliveryState(StrEnum):
    PENDING = "PENDING"
    """Waits for its turn, or to be tried again."""
    STARTED = "STARTED"
    SKIPPED = "SKIPPED"
    """The event is not one that starts runs."""
    FAILED = "FAILED"
    """The run could not be made; tried again when somebody asks for it."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """JSON columns are text; times are microseconds, 0 for none."""

    delivery_id: str
    trigger_id: str
    namespace: str
    event_key: str
    event: str
    run_id: str
    created_at: int
    state: str = DeliveryState.PENDING
    depth: int = 0
    error: str = ""
    attempts: int = 0
    attempted_at: int = 0
    next_at: int = 0


_HAS = sa.select(_COLUMNS.delivery_id).where(
    _COLUMNS.trigger_id == sa.bindparam("trigger_id"), _COLUMNS.event_key == sa.bindparam("event_key")
)
_DEPTH = sa.select(_COLUMNS.depth).where(
    _COLUMNS.run_id == sa.bindparam("run_id"), _COLUMNS.state == DeliveryState.STARTED.value
)


def run_id_of(trigger_id: str, event_key: str) -> str:
    """Of the run that this event starts."""
    return str(uuid.uuid5(_IDS, f"{trigger_id}/{event_key}"))


def take_in(connection: sa.Connection, trigger_id: str, event: Event, now_micros: int) -> DeliveryRow | None:
    """Queues the event for the trigger; None when it is there already."""
    key = event.key
    if connection.execute(_HAS, {"trigger_id": trigger_id, "event_key": key}).first() is not None:
        return None
    row = DeliveryRow(
        delivery_id=new_uid(),
        trigger_id=trigger_id,
        namespace=event.namespace,
        event_key=key,
        event=json.dumps(dict(event.data), ensure_ascii=False),
        run_id=run_id_of(trigger_id, key),
        created_at=now_micros,
        depth=depth_of(connection, event.run_id) + 1 if event.run_id else 1,
        next_at=now_micros,
    )
    if row.depth > MOST_DEPTH:
        row = _refused(
            row, f"{MOST_DEPTH} runs have started each other by triggers: this is taken for a circle", 9
        )
    elif waiting(connection, trigger_id) >= MOST_WAITING:
        row = _refused(row, f"{MOST_WAITING} events of this trigger wait for their runs already", 8)
    connection.execute(_DELIVERIES.insert(), asdict(row))
    return row


def _refused(row: DeliveryRow, why: str, code: int) -> DeliveryRow:
    error = json.dumps({"code": code, "message": why})
    values = asdict(row) | {"state": DeliveryState.FAILED, "next_at": 0, "error": error}
    return DeliveryRow(**values)


def depth_of(connection: sa.Connection, run_id: str) -> int:
    """How many triggers in a row led to this run."""
    return int(connection.execute(_DEPTH, {"run_id": run_id}).scalar() or 0)


def get(connection: sa.Connection, delivery_id: str) -> DeliveryRow | None:
    found = connection.execute(
        sa.select(_DELIVERIES).where(_COLUMNS.delivery_id == delivery_id)
    ).one_or_none()
    return DeliveryRow(**found._mapping) if found is not None else None


def find(connection: sa.Connection, trigger_id: str, event_key: str) -> DeliveryRow | None:
    query = sa.select(_DELIVERIES).where(_COLUMNS.trigger_id == trigger_id, _COLUMNS.event_key == event_key)
    found = connection.execute(query).one_or_none()
    return DeliveryRow(**found._mapping) if found is not None else None


def list_page(connection: sa.Connection, request: ListRequest, trigger_id: str) -> Page[DeliveryRow]:
    where = [_COLUMNS.trigger_id == trigger_id]
    return select_page(connection, LISTABLE, request, where).mapped(
        lambda found: DeliveryRow(**found._mapping)
    )


def waiting(connection: sa.Connection, trigger_id: str) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(_DELIVERIES)
        .where(_COLUMNS.trigger_id == trigger_id, _COLUMNS.next_at > sa.literal(0, literal_execute=True))
    )
    return int(connection.execute(query).scalar_one())


def due(
    connection: sa.Connection, now_micros: int, limit: int, without: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """(trigger, delivery) of what waits and may be tried, of enabled triggers, the oldest first.

    `without` are triggers that may start nothing for now: a long queue of theirs must hide nobody else's.
    """
    query = (
        sa.select(_COLUMNS.trigger_id, _COLUMNS.delivery_id)
        .join_from(_DELIVERIES, _TRIGGERS, _TRIGGERS.c.trigger_id == _COLUMNS.trigger_id)
        .where(
            _COLUMNS.next_at > sa.literal(0, literal_execute=True),
            _COLUMNS.next_at <= now_micros,
            _TRIGGERS.c.status == Status.ENABLED.value,
            _COLUMNS.trigger_id.not_in(without[:_MOST_LEFT_OUT]),
        )
        .order_by(_COLUMNS.next_at, _COLUMNS.created_at, _COLUMNS.delivery_id)
        .limit(limit)
    )
    return [(trigger_id, delivery_id) for trigger_id, delivery_id in connection.execute(query)]


def next_after(connection: sa.Connection, now_micros: int) -> int:
    """When the first of those that wait longer may be tried; 0 when there is none."""
    query = sa.select(sa.func.min(_COLUMNS.next_at)).where(
        _COLUMNS.next_at > sa.literal(0, literal_execute=True), _COLUMNS.next_at > now_micros
    )
    return int(connection.execute(query).scalar() or 0)


def unfinished_runs(connection: sa.Connection, trigger_id: str) -> int:
    query = (
        sa.select(sa.func.count())
        .join_from(_DELIVERIES, _RUNS, _RUNS.c.run_id == _COLUMNS.run_id)
        .where(
            _COLUMNS.trigger_id == trigger_id,
            _COLUMNS.state == DeliveryState.STARTED.value,
            _RUNS.c.state.in_(_UNFINISHED),
        )
    )
    return int(connection.execute(query).scalar_one())


def settle(
    connection: sa.Connection, row: DeliveryRow, state: DeliveryState, now_micros: int, error: str = ""
) -> None:
    """It is done with, unless it was already."""
    _update_waiting(
        connection,
        row.delivery_id,
        {
            "state": state.value,
            "error": error,
            "attempts": row.attempts + 1,
            "attempted_at": now_micros,
            "next_at": 0,
        },
    )
    _prune(connection, row.trigger_id)


def postpone(connection: sa.Connection, row: DeliveryRow, now_micros: int, next_at: int, error: str) -> None:
    """It is tried again later, unless it is done with."""
    values = {"error": error, "attempts": row.attempts + 1, "attempted_at": now_micros, "next_at": next_at}
    _update_waiting(connection, row.delivery_id, values)


def revive(connection: sa.Connection, delivery_id: str, now_micros: int) -> None:
    """One that failed, or was skipped, waits for its turn again."""
    _update(
        connection,
        delivery_id,
        {"state": DeliveryState.PENDING.value, "error": "", "next_at": now_micros, "depth": 1},
    )


def _update_waiting(connection: sa.Connection, delivery_id: str, values: dict[str, Any]) -> None:
    is_waiting = _COLUMNS.state == DeliveryState.PENDING.value
    connection.execute(
        _DELIVERIES.update().where(_COLUMNS.delivery_id == delivery_id, is_waiting).values(values)
    )


def _prune(connection: sa.Connection, trigger_id: str) -> None:
    """Old ones go, but not those whose runs are unfinished: they are counted."""
    started = _COLUMNS.state == DeliveryState.STARTED.value
    live = sa.exists().where(_RUNS.c.run_id == _COLUMNS.run_id, _RUNS.c.state.in_(_UNFINISHED))
    done = (_COLUMNS.trigger_id == trigger_id, _COLUMNS.next_at == 0)
    for mine in (started, sa.not_(started)):
        edge = connection.execute(
            sa.select(_COLUMNS.created_at)
            .where(*done, mine)
            .order_by(_COLUMNS.created_at.desc(), _COLUMNS.delivery_id.desc())
            .offset(KEPT)
            .limit(1)
        ).scalar()
        if edge is not None:
            connection.execute(
                _DELIVERIES.delete().where(*done, mine, _COLUMNS.created_at <= edge, sa.not_(live))
            )


def _update(connection: sa.Connection, delivery_id: str, values: dict[str, Any]) -> None:
    connection.execute(_DELIVERIES.update().where(_COLUMNS.delivery_id == delivery_id).values(values))


def trigger_of(connection: sa.Connection, run_id: str) -> str:
    """The name of the trigger that started a run; empty for none."""
    query = (
        sa.select(_TRIGGERS.c.display_name)
        .join_from(_DELIVERIES, _TRIGGERS, _TRIGGERS.c.trigger_id == _COLUMNS.trigger_id)
        .where(_COLUMNS.run_id == run_id, _COLUMNS.state == DeliveryState.STARTED.value)
    )
    return str(connection.execute(query).scalar() or "")
