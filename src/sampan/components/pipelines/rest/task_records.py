"""Tasks that clients record: created and changed through the API, beside those that the engine executes.

A recorded task is shown and listed with the others, and the engine leaves it alone. Of an executed task clients may
add what they know once its run has ended; what happened to it is the engine's to say.

Source: kubeflow/pipelines, pull request 13986 of August 2026, backend/src/apiserver/{server/run_server,
storage/task_store}.go: what is merged, and that a task at the same place is not made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.api.states import IOType, RuntimeState, TaskType
from sampan.components.pipelines.rest import task_details
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import runs, tasks
from sampan.components.pipelines.store.tasks import OverlayRow, ParameterRow, PodRow, StateRow, TaskRow
from sampan.lib.clock import from_micros, rfc3339, to_micros
from sampan.lib.ids import new_uid

_MAX_NAME = 256
_MAX_TASKS = 1000
_EXECUTED = ("state", "type", "pods", "create_time", "start_time", "end_time", "type_attributes")
"""What the engine alone says of the tasks that it executes."""
_SEVERAL = frozenset(
    {IOType.COLLECTED_INPUTS, IOType.ITERATOR_INPUT, IOType.ITERATOR_INPUT_RAW, IOType.ITERATOR_OUTPUT}
)
"""Of these a key may have several values that nothing but the value tells apart."""


async def create(call: Call) -> Response:
    given, run_id = call.body, call.params["run_id"]
    _check_run(given, run_id, "task")
    now = call.backend.now_micros()
    name = checked_name(given.get("name", ""), "task.name", _MAX_NAME)
    row = TaskRow(
        task_id=new_uid(),
        run_id=run_id,
        parent_task_id=given.get("parent_task_id", ""),
        name=name,
        scope_path=given.get("scope_path", "").replace(".", "/") or name,
        display_name=given.get("display_name", "") or name,
        type=TaskType.RUNTIME,
        state=RuntimeState.RUNNING,
        created_at=_micros(given, "create_time") or now,
        recorded=True,
    )
    row = _merged(row, given, now)
    if not row.state_history:
        row = replace(row, state_history=(_entry(row.state, now),))

    def record(connection: Any) -> dict[str, Any]:
        _check_parent(connection, row)
        if (same := tasks.find_same(connection, row)) is not None:
            return _shown(connection, same)
        tasks.insert(connection, [row])
        return _shown(connection, row)

    return answer(await call.backend.database.write(record))


async def update(call: Call) -> Response:
    key, given = call.params["task_id"], call.body
    if given.get("task_id", key) not in ("", key):
        raise InvalidArgumentError(f"task.task_id in the body is not the one in the path, {key!r}")
    now = call.backend.now_micros()
    run_id = call.params.get("run_id", "")
    return answer(
        await call.backend.database.write(lambda connection: _changed(connection, run_id, key, given, now))
    )


async def update_many(call: Call) -> Response:
    """All of them, or none."""
    given: Mapping[str, Any] = call.body.get("tasks", {})
    run_id = call.params.get("run_id", "") or call.body.get("run_id", "")
    if not given:
        raise InvalidArgumentError("tasks must hold at least one task, by its task_id")
    if len(given) > _MAX_TASKS:
        raise InvalidArgumentError(f"tasks: at most {_MAX_TASKS} are allowed in one request")
    if call.body.get("run_id", run_id) not in ("", run_id):
        raise InvalidArgumentError(f"run_id in the body is not the one in the path, {run_id!r}")
    for key, task in given.items():
        if task.get("task_id", key) not in ("", key):
            raise InvalidArgumentError(f"tasks.{key}.task_id is not the key, {key!r}")
    now = call.backend.now_micros()

    def change(connection: Any) -> dict[str, Any]:
        return {key: _changed(connection, run_id, key, task, now) for key, task in sorted(given.items())}

    return answer({"tasks": await call.backend.database.write(change)})


async def get_of_run(call: Call) -> Response:
    """A task, if it is one of the path's run."""
    key, run_id = call.params["task_id"], call.params["run_id"]
    return await answer_from(
        call, lambda connection: task_details.alone(connection, _of_run(connection, run_id, key))
    )


async def find_cached(call: Call) -> Response:
    fingerprint, namespace = call.body.get("cache_fingerprint", ""), call.namespace
    if not fingerprint:
        raise InvalidArgumentError("cache_fingerprint must not be empty")

    def read(connection: Any) -> dict[str, Any]:
        row = tasks.newest_with(connection, namespace, fingerprint)
        return {"task": _shown(connection, row)} if row is not None else {}

    return await answer_from(call, read)


def _changed(connection: Any, run_id: str, key: str, given: Mapping[str, Any], now: int) -> dict[str, Any]:
    row = _of_run(connection, run_id, key)
    _check_run(given, row.run_id, f"task {key!r}")
    parent = given.get("parent_task_id", row.parent_task_id)
    if parent != row.parent_task_id:
        raise InvalidArgumentError(f"task {key!r}: parent_task_id cannot be changed")
    if not row.recorded:
        _check_executed(connection, row, given)
    changed = _merged(row, given, now)
    if changed.state is not row.state:
        history = (*row.state_history, _entry(changed.state, now))
        changed = replace(changed, state_history=history)
    tasks.update(connection, [changed])
    return _shown(connection, changed)


def _check_executed(connection: Any, row: TaskRow, given: Mapping[str, Any]) -> None:
    run = runs.get(connection, row.run_id)
    if run is not None and not run.runtime_state.is_final:
        raise FailedPreconditionError(
            f"task {row.task_id!r} is executed by this server, and its run is {run.state}: it can be amended once "
            "the run has ended, and tasks that clients have recorded (POST …/tasks) at any time"
        )
    for field in _EXECUTED:
        if given.get(field):
            raise FailedPreconditionError(
                f"task {row.task_id!r} was executed by this server: its {field} cannot be changed"
            )


def _of_run(connection: Any, run_id: str, key: str) -> TaskRow:
    """The task; `run_id` is empty where the path names none. Raises NotFoundError, InvalidArgumentError."""
    row = tasks.get(connection, key)
    if row is None:
        raise not_found("task", key)
    if run_id and row.run_id != run_id:
        raise InvalidArgumentError(f"task {key!r} is not one of run {run_id!r}")
    return row


def _check_run(given: Mapping[str, Any], run_id: str, what: str) -> None:
    if given.get("run_id", run_id) not in ("", run_id):
        raise InvalidArgumentError(f"{what}: run_id in the body is not its run's, {run_id!r}")


def _check_parent(connection: Any, row: TaskRow) -> None:
    if row.parent_task_id:
        parent = tasks.get(connection, row.parent_task_id)
        if parent is None:
            raise not_found("parent task", row.parent_task_id)
        if parent.run_id != row.run_id:
            raise InvalidArgumentError("task.parent_task_id must be a task of the same run")


def _merged(row: TaskRow, given: Mapping[str, Any], now: int) -> TaskRow:
    """The row with what is given; what is not stays, and parameters are merged."""
    status, attributes = given.get("status_metadata", {}), given.get("type_attributes", {})
    state = given.get("state", "RUNTIME_STATE_UNSPECIFIED")
    kind = given.get("type", "TASK_TYPE_UNSPECIFIED")
    changed = replace(
        row,
        name=given.get("name") or row.name,
        display_name=given.get("display_name") or row.display_name,
        cache_fingerprint=given.get("cache_fingerprint") or row.cache_fingerprint,
        started_at=_micros(given, "start_time") or row.started_at,
        finished_at=_micros(given, "end_time") or row.finished_at,
        state=RuntimeState[state] if state in RuntimeState.__members__ else row.state,
        type=TaskType[kind] if kind in TaskType.__members__ else row.type,
        error=status.get("message") or row.error,
        iteration_index=_index(attributes, "iteration_index", row.iteration_index),
        iteration_count=_index(attributes, "iteration_count", row.iteration_count),
        overlay=_overlay(row, given),
    )
    if changed.recorded and changed.state.is_final and not changed.finished_at:
        changed = replace(changed, finished_at=now)
    return changed


def _overlay(row: TaskRow, given: Mapping[str, Any]) -> OverlayRow:
    status, attributes = given.get("status_metadata", {}), given.get("type_attributes", {})
    pods = [
        PodRow(pod.get("name", ""), pod.get("uid", ""), pod.get("type", "")) for pod in given.get("pods", ())
    ]
    shown = task_details.parameters_of
    return OverlayRow(
        pods=tuple(pods) or row.overlay.pods,
        inputs=_sides(given.get("inputs"), row.overlay.inputs, lambda: shown(row, IOType.UNSPECIFIED)),
        outputs=_sides(given.get("outputs"), row.overlay.outputs, lambda: shown(row, IOType.OUTPUT)),
        custom_properties={**row.overlay.custom_properties, **status.get("custom_properties", {})},
        download_to_workspace=attributes.get("download_to_workspace", row.overlay.download_to_workspace),
    )


def _sides(
    given: Mapping[str, Any] | None,
    former: Sequence[ParameterRow] | None,
    executed: Callable[[], Sequence[ParameterRow]],
) -> tuple[ParameterRow, ...] | None:
    if given is None or "parameters" not in given:
        return None if former is None else tuple(former)
    new = [
        ParameterRow(
            value=each.get("value"),
            key=each.get("parameter_key", ""),
            type=IOType(each.get("type", IOType.UNSPECIFIED)),
            producer=each.get("producer", {}).get("task_name", ""),
            iteration=each.get("producer", {}).get("iteration", -1),
        )
        for each in given["parameters"]
    ]
    return tuple(_joined([*(executed() if former is None else former), *new]))


def _joined(parameters: Iterable[ParameterRow]) -> list[ParameterRow]:
    """The last one of each place."""
    found: dict[Any, ParameterRow] = {}
    for each in parameters:
        place = (each.type, each.key, each.producer, each.iteration)
        distinct = repr(each.value) if each.type in _SEVERAL and each.iteration < 0 else ""
        found[(*place, distinct)] = each
    return list(found.values())


def _micros(given: Mapping[str, Any], field: str) -> int:
    return to_micros(given[field]) if field in given else 0


def _index(attributes: Mapping[str, Any], field: str, former: int) -> int:
    value = attributes.get(field, former)
    if not -1 <= value < 1 << 31:
        raise InvalidArgumentError(f"task.type_attributes.{field} must be between 0 and {(1 << 31) - 1}")
    return int(value)


def _entry(state: RuntimeState, now: int) -> StateRow:
    return StateRow(rfc3339(from_micros(now), micro=True), state)


def _shown(connection: Any, row: TaskRow) -> dict[str, Any]:
    return task_details.task(row, task_details.surroundings(connection, [row]))
