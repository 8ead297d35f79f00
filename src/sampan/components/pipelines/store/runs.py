"""Runs: the rows, and how they change. REST inserts, archives and deletes; the engine moves the state.

Every function works inside the caller's transaction, so that a change of state and what goes with it are one
commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState, StorageState
from sampan.components.pipelines.store import garbage, tables
from sampan.components.pipelines.store.listing import Listable, ListRequest, Page, metric_of_run, select_page
from sampan.components.pipelines.store.long_values import MOST_CHARACTERS, MOST_SPEC_CHARACTERS, short_values
from sampan.lib.clock import from_micros, rfc3339

_RUNS = tables.runs
_COLUMNS = _RUNS.c

_FINAL_STATES = tuple(state.value for state in RuntimeState if state.is_final)
_OPEN_STATES = tuple(state.value for state in RuntimeState if not state.is_final)

LISTABLE = Listable(
    kind="run",
    table=_RUNS,
    key=_COLUMNS.run_id,
    fields={
        "run_id": _COLUMNS.run_id,
        "id": _COLUMNS.run_id,
        "display_name": _COLUMNS.display_name,
        "name": _COLUMNS.display_name,
        "description": _COLUMNS.description,
        "created_at": _COLUMNS.created_at,
        "scheduled_at": _COLUMNS.scheduled_at,
        "finished_at": _COLUMNS.finished_at,
        "storage_state": _COLUMNS.storage_state,
        "state": _COLUMNS.state,
        "status": _COLUMNS.state,
        "namespace": _COLUMNS.namespace,
        "experiment_id": _COLUMNS.experiment_id,
        "recurring_run_id": _COLUMNS.recurring_run_id,
        "pipeline_id": _COLUMNS.pipeline_id,
        "pipeline_version_id": _COLUMNS.pipeline_version_id,
    },
    computed={"metric:": metric_of_run},
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. JSON columns are text, as in the table; times are microseconds, 0 for none."""

    run_id: str
    experiment_id: str
    namespace: str
    display_name: str
    spec: str
    spec_inline: bool
    created_at: int
    description: str = ""
    storage_state: str = StorageState.AVAILABLE
    state: str = RuntimeState.PENDING
    state_history: str = "[]"
    error: str = ""
    scheduled_at: int = 0
    finished_at: int = 0
    pipeline_id: str = ""
    pipeline_version_id: str = ""
    runtime_config: str = "{}"
    service_account: str = ""
    recurring_run_id: str = ""
    workflow: str = ""
    artifact_root: str = ""
    """The pipeline root that its steps write below; empty until it has begun."""
    pipeline_name: str = ""
    pinned: bool = False
    resumed_from: str = ""
    """The run whose finished tasks this one reuses."""
    pause_on_failure: bool = False

    @property
    def runtime_state(self) -> RuntimeState:
        return RuntimeState(self.state)


# Built once: making a statement costs more than running it.
_INSERT = _RUNS.insert()
_NOTE_IN_EXPERIMENT = (
    tables.experiments.update()
    .where(tables.experiments.c.experiment_id == sa.bindparam("id"))
    .values(last_run_created_at=sa.bindparam("moment"))
)
_BY_ID = sa.select(_RUNS).where(_COLUMNS.run_id == sa.bindparam("id"))
_NAMESPACE = sa.select(_COLUMNS.namespace).where(_COLUMNS.run_id == sa.bindparam("id"))
_STATE = sa.select(_COLUMNS.state, _COLUMNS.state_history).where(_COLUMNS.run_id == sa.bindparam("id"))
_SET_STATE = (
    _RUNS.update()
    .where(_COLUMNS.run_id == sa.bindparam("id"))
    .values({name: sa.bindparam(name) for name in ("state", "state_history", "finished_at", "error")})
)
_SET_BEGUN = _SET_STATE.values({name: sa.bindparam(name) for name in ("artifact_root", "pipeline_name")})


def insert(connection: sa.Connection, row: RunRow) -> RunRow:
    """Adds the run, with its first state in the history, and notes it in its experiment. The row as stored."""
    row = replace(row, state_history=json.dumps([_status(row.runtime_state, row.created_at, None)]))
    connection.execute(_INSERT, asdict(row))
    connection.execute(_NOTE_IN_EXPERIMENT, {"id": row.experiment_id, "moment": row.created_at})
    return row


def get(connection: sa.Connection, run_id: str) -> RunRow | None:
    found = connection.execute(_BY_ID, {"id": run_id}).one_or_none()
    return _row(found) if found is not None else None


def namespace_of(connection: sa.Connection, run_id: str) -> str | None:
    """Where the run is, or None when there is no such run: what is asked before anything else is."""
    return connection.execute(_NAMESPACE, {"id": run_id}).scalar_one_or_none()


def resumed_by(connection: sa.Connection, run_id: str) -> list[str]:
    """Ids of the runs that go on from this one, oldest first."""
    query = sa.select(_COLUMNS.run_id).where(_COLUMNS.resumed_from == run_id).order_by(_COLUMNS.created_at)
    return list(connection.execute(query).scalars())


def ended(connection: sa.Connection, run_ids: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Of these runs, those that are over: their state, and when they ended."""
    found: dict[str, tuple[str, int]] = {}
    ids = sorted(run_ids)
    for start in range(0, len(ids), 500):
        query = sa.select(_COLUMNS.run_id, _COLUMNS.state, _COLUMNS.finished_at).where(
            _COLUMNS.run_id.in_(ids[start : start + 500]), _COLUMNS.state.in_(_FINAL_STATES)
        )
        found |= {row.run_id: (row.state, row.finished_at) for row in connection.execute(query)}
    return found


def unfinished(connection: sa.Connection) -> list[RunRow]:
    """Every run that is not in a final state, oldest first: what a restarted engine takes up again."""
    query = sa.select(_RUNS).where(_COLUMNS.state.not_in(_FINAL_STATES)).order_by(_COLUMNS.created_at)
    return [_row(found) for found in connection.execute(query)]


def unfinished_workflows(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Namespace, name and run of each Workflow object whose run is not over."""
    query = sa.select(_COLUMNS.namespace, _COLUMNS.workflow, _COLUMNS.run_id).where(
        _COLUMNS.state.in_(_OPEN_STATES), _COLUMNS.workflow != ""
    )
    return [(found.namespace, found.workflow, found.run_id) for found in connection.execute(query)]


def unfinished_of_workflow(connection: sa.Connection, namespace: str, workflow: str) -> list[str]:
    """Runs of Workflow objects of that name that are not over."""
    query = sa.select(_COLUMNS.run_id).where(
        _COLUMNS.state.in_(_OPEN_STATES),
        _COLUMNS.namespace == namespace,
        _COLUMNS.workflow == workflow,
    )
    return list(connection.execute(query).scalars())


def set_state(
    connection: sa.Connection,
    run_id: str,
    state: RuntimeState,
    at_micros: int,
    error: dict[str, Any] | None = None,
    begun: Mapping[str, str] | None = None,
) -> bool:
    """Moves the run to `state` and writes it into the history. False when the run is gone or already there.

    A final state sets the time of finishing; any other clears it, for a run that is tried again. `error` is a
    google.rpc status, `{"code": …, "message": …}`. `begun` are `artifact_root` and `pipeline_name`, noted
    where they are given.
    """
    found = connection.execute(_STATE, {"id": run_id}).one_or_none()
    if found is None or found.state == state:
        return False
    history = [*json.loads(found.state_history), _status(state, at_micros, error)]
    changed = {
        "id": run_id,
        "state": state.value,
        "state_history": json.dumps(history),
        "finished_at": at_micros if state.is_final else 0,
        "error": json.dumps(error) if error else "",
    }
    if begun:
        connection.execute(_SET_BEGUN, {**changed, **begun})
    else:
        connection.execute(_SET_STATE, changed)
    return True


def set_spec(connection: sa.Connection, run_id: str, spec: str) -> None:
    """The run goes on with a specification of its own, which is no version's any more."""
    connection.execute(_RUNS.update().where(_COLUMNS.run_id == run_id).values(spec=spec, spec_inline=True))


def set_storage_state(connection: sa.Connection, run_id: str, state: StorageState) -> None:
    connection.execute(_RUNS.update().where(_COLUMNS.run_id == run_id).values(storage_state=state.value))


def archive_all(connection: sa.Connection, experiment_id: str) -> None:
    connection.execute(
        _RUNS.update()
        .where(_COLUMNS.experiment_id == experiment_id)
        .values(storage_state=StorageState.ARCHIVED.value)
    )


def delete(connection: sa.Connection, run_id: str, now: int = 0) -> bool:
    """Removes the run with its tasks, and the artifacts that only it had. Their files go later (`garbage`)."""
    garbage.doom_run(connection, run_id, now)
    return connection.execute(_RUNS.delete().where(_COLUMNS.run_id == run_id)).rowcount > 0


def list_page(
    connection: sa.Connection, request: ListRequest, namespace: str, experiment_id: str = ""
) -> Page[RunRow]:
    where = [_COLUMNS.namespace == namespace]
    if experiment_id:
        where.append(_COLUMNS.experiment_id == experiment_id)
    page = select_page(connection, LISTABLE, request, where, [_COLUMNS.run_id])
    # One after the other: a page of long ones would not fit into memory.
    found = (get(connection, each.run_id) for each in page.items)
    return Page([_short(row) for row in found if row is not None], page.total_size, page.next_page_token)


def _short(row: RunRow) -> RunRow:
    """Without long values; a long specification goes altogether."""
    config = row.runtime_config
    if len(config) > MOST_CHARACTERS:
        given = json.loads(config)
        config = json.dumps({**given, "parameters": short_values(given.get("parameters") or {})})
    return replace(row, runtime_config=config, spec=row.spec if len(row.spec) <= MOST_SPEC_CHARACTERS else "")


def _row(found: sa.Row[Any]) -> RunRow:
    return RunRow(**found._mapping)


def _status(state: RuntimeState, at_micros: int, error: dict[str, Any] | None) -> dict[str, Any]:
    status: dict[str, Any] = {
        "update_time": rfc3339(from_micros(at_micros), micro=True),
        "state": state.value,
    }
    if error:
        status["error"] = error
    return status
