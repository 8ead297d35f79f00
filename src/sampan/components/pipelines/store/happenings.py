"""What happens to runs and artifacts, told to triggers and notifications in the very transaction it happens in.

Called by `transitions` and `artifacts`, so that nothing can end unnoticed: with the state of a run, the event that
starts another one and the notice that will be sent are stored, or none of them. Cheap while nobody listens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import sqlalchemy as sa

from sampan.components.pipelines.api.events import Event, EventKind
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.api.trigger_sources import is_meant
from sampan.components.pipelines.store import deliveries, event_triggers, notices, tables
from sampan.lib.clock import from_micros, rfc3339

_RUNS = tables.runs.c
_RUN = sa.select(
    _RUNS.run_id,
    _RUNS.namespace,
    _RUNS.display_name,
    _RUNS.experiment_id,
    _RUNS.pipeline_id,
    _RUNS.pipeline_version_id,
    _RUNS.service_account,
    _RUNS.recurring_run_id,
    _RUNS.created_at,
    _RUNS.error,
).where(_RUNS.run_id == sa.bindparam("run_id"))
_ORIGIN = sa.select(_RUNS.pipeline_id, _RUNS.experiment_id).where(_RUNS.run_id == sa.bindparam("run_id"))


class NewArtifact(Protocol):
    """Of `store.artifacts.ArtifactRow`, what is told."""

    @property
    def artifact_id(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def schema_title(self) -> str: ...
    @property
    def uri(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    @property
    def created_at(self) -> int: ...
    @property
    def producer_run_id(self) -> str: ...


def run_changed(connection: sa.Connection, run_id: str, state: RuntimeState, at_micros: int) -> None:
    """The run has just come into this state."""
    run = connection.execute(_RUN, {"run_id": run_id}).one_or_none()
    if run is None:
        return
    facts = {
        "run_id": run_id,
        "name": run.display_name,
        "state": state.value,
        "error": json.loads(run.error).get("message", "") if run.error else "",
        "pipeline_id": run.pipeline_id,
        "pipeline_version_id": run.pipeline_version_id,
        "experiment_id": run.experiment_id,
        "time": rfc3339(from_micros(at_micros), micro=True),
    }
    if state.is_final:
        event = Event(EventKind.RUN, run.namespace, f"{run_id}/{at_micros}", facts, run_id)
        publish(connection, event, at_micros)
    told = facts | {
        "service_account": run.service_account,
        "recurring_run_id": run.recurring_run_id,
        "created_at": run.created_at,
        "at": at_micros,
    }
    notices.note(connection, run.namespace, told)


def artifacts_made(connection: sa.Connection, rows: Iterable[NewArtifact]) -> None:
    """These were just recorded; what a step took from the cache was made before."""
    listening: dict[str, list[event_triggers.Listener]] = {}
    for row in rows:
        if row.namespace not in listening:
            listening[row.namespace] = event_triggers.listening(connection, EventKind.ARTIFACT, row.namespace)
        if listeners := listening[row.namespace]:
            _deliver(connection, listeners, _event_of(connection, row), row.created_at)


def publish(connection: sa.Connection, event: Event, now_micros: int) -> int:
    """Queues the event for every trigger that listens to it: how many."""
    listeners = event_triggers.listening(connection, event.kind, event.namespace)
    return _deliver(connection, listeners, event, now_micros) if listeners else 0


def _deliver(
    connection: sa.Connection, listeners: list[event_triggers.Listener], event: Event, now_micros: int
) -> int:
    count = 0
    for listener in listeners:
        if is_meant(json.loads(listener.source), event.data):
            count += 1
            deliveries.take_in(connection, listener.trigger_id, event, now_micros)
    return count


def _event_of(connection: sa.Connection, row: NewArtifact) -> Event:
    run = connection.execute(_ORIGIN, {"run_id": row.producer_run_id}).one_or_none()
    data = {
        "artifact_id": row.artifact_id,
        "name": row.name,
        "type": row.schema_title,
        "uri": row.uri,
        "metadata": dict(row.metadata),
        "run_id": row.producer_run_id,
        "pipeline_id": run.pipeline_id if run is not None else "",
        "experiment_id": run.experiment_id if run is not None else "",
        "time": rfc3339(from_micros(row.created_at), micro=True),
    }
    return Event(EventKind.ARTIFACT, row.namespace, row.artifact_id, data, row.producer_run_id)
