"""A run's tasks as messages: in the shape of 2.0 (`run_details`), and in upstream's newest (`tasks`).

Runs inside a read of the database, in a reader thread. Where the two differ:

* 2.0 knows artifacts by numbers of a metadata store that is not here: the names are given, without ids;
* 2.0 has no state for a step answered from the cache, and calls it SKIPPED;
* PENDING and CANCELED, which the newest shape does not know, are given in both: they are the truth.

Sources: kubeflow/pipelines 2.17, backend/api/v2beta1/run.proto; master of August 2026,
backend/api/v2beta1/go_http_client/run_model/{v2beta1_pipeline_task,pipeline_task_input_outputs}.go.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.states import IOType, RuntimeState
from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.store import artifacts, task_pages, task_states, tasks
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.task_states import TaskState
from sampan.components.pipelines.store.tasks import (
    AttemptRow,
    ParameterRow,
    ParameterSource,
    StateRow,
    TaskRow,
)

_OUTPUTS = frozenset(
    {IOType.OUTPUT, IOType.ONE_OF_OUTPUT, IOType.ITERATOR_OUTPUT, IOType.TASK_FINAL_STATUS_OUTPUT}
)
_UNKNOWN_CODE = 2
"""google.rpc's UNKNOWN: a step's own failure is none of the API's codes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tasks are shown with: their children's ids and names, their links, and the artifacts linked."""

    children: Mapping[str, Sequence[tuple[str, str]]]
    links: Mapping[str, Sequence[ArtifactLink]] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactRow] = field(default_factory=dict)


def of_run(connection: Any, run_id: str, *, full: bool) -> dict[str, Any]:
    """The fields of a run that show its tasks; with `full`, in the newest shape too."""
    rows = tasks.shown_by_run(connection, run_id)
    children: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        children[row.parent_task_id].append((row.task_id, row.name))
    details = [_detail(row, children.get(row.task_id, ())) for row in rows]
    fields = present(run_details=present(task_details=details), task_count=len(rows))
    if full:
        around = Surroundings(
            children,
            _by_task(artifacts.links_of_run(connection, run_id)),
            artifacts.of_run(connection, run_id),
        )
        fields |= present(tasks=[task(row, around) for row in rows])
    return fields


def states_of_run(connection: Any, run_id: str) -> dict[str, Any]:
    """In the newest shape, but for what went in and came out."""
    found = task_states.of_run(connection, run_id)
    return present(tasks=[_state(row) for row in found], task_count=len(found))


def _state(row: TaskState) -> dict[str, Any]:
    shown = _frame(row)
    if row.attempts:
        shown["pods"] = [present(name=each.pod, uid=each.uid, type="EXECUTOR") for each in row.attempts]
        shown["attempts"] = _attempts(row.attempts)
    if row.error or row.reason:
        custom = {"reason": row.reason} if row.reason else None
        shown["status_metadata"] = present(message=row.error, custom_properties=custom)
    # All of these are texts, lists and objects: what is empty is left out, as `present` would at twice the cost.
    return {name: value for name, value in shown.items() if value}


def _frame(row: TaskState | TaskRow) -> dict[str, Any]:
    """What both the newest shape and its shorter form begin with."""
    return {
        "name": row.name,
        "display_name": row.display_name,
        "task_id": row.task_id,
        "create_time": time_of(row.created_at),
        "start_time": time_of(row.started_at) if row.started_at else "",
        "end_time": time_of(row.finished_at) if row.finished_at else "",
        "state": _shown(row.state),
        "type": row.type.value,
        "type_attributes": _type_attributes(row),
        "parent_task_id": row.parent_task_id,
        "scope_path": row.scope_path.replace("/", "."),
    }


def _type_attributes(row: TaskState | TaskRow) -> dict[str, Any]:
    return present(
        iteration_index=str(row.iteration_index) if row.iteration_index >= 0 else "",
        iteration_count=str(row.iteration_count) if row.iteration_count >= 0 else "",
    )


def surroundings(connection: Any, rows: Sequence[TaskRow]) -> Surroundings:
    """For a few tasks, one by one."""
    links = [link for row in rows for link in artifacts.links_of_task(connection, row.task_id)]
    return Surroundings(
        task_pages.children(connection, [row.task_id for row in rows]),
        _by_task(links),
        artifacts.get_many(connection, {link.artifact_id for link in links}),
    )


def task(row: TaskRow, around: Surroundings) -> dict[str, Any]:
    """The newest shape."""
    frame = _frame(row)
    frame["type_attributes"] |= present(download_to_workspace=row.overlay.download_to_workspace)
    links = around.links.get(row.task_id, ())
    return present(
        **frame,
        run_id=row.run_id,
        pods=_pods(row),
        attempts=_attempts(row.attempts),
        cache_fingerprint=row.cache_fingerprint,
        status_metadata=present(message=row.error, custom_properties=_properties(row)),
        state_history=[_status(entry) for entry in row.state_history],
        child_tasks=[present(task_id=key, name=name) for key, name in around.children.get(row.task_id, ())],
        inputs=present(
            parameters=_parameters(row.overlay.inputs, parameters_of(row, IOType.UNSPECIFIED)),
            artifacts=_io_artifacts((link for link in links if link.type not in _OUTPUTS), around.artifacts),
        ),
        outputs=present(
            parameters=_parameters(row.overlay.outputs, parameters_of(row, IOType.OUTPUT)),
            artifacts=_io_artifacts((link for link in links if link.type in _OUTPUTS), around.artifacts),
        ),
    )


def alone(connection: Any, row: TaskRow) -> dict[str, Any]:
    """One task in the newest shape, and the task whose result it took."""
    source = tasks.get(connection, row.cached_from_task_id) if row.cached_from_task_id else None
    return task(row, surroundings(connection, [row])) | present(
        cached_from=present(task_id=source.task_id, run_id=source.run_id) if source is not None else None,
    )


def _attempts(found: Sequence[AttemptRow]) -> list[dict[str, Any]]:
    """Sampan's own: upstream knows a task's pods only by name."""
    shown = []
    for each in found:
        attempt = present(
            pod=each.pod,
            state=each.state.value,
            message=each.message,
            create_time=time_of(each.launched_at) if each.launched_at else "",
            schedule_time=time_of(each.scheduled_at) if each.scheduled_at else "",
            start_time=time_of(each.started_at) if each.started_at else "",
            end_time=time_of(each.finished_at) if each.finished_at else "",
        )
        if each.exit_code is not None:
            attempt["exit_code"] = each.exit_code
        shown.append(attempt)
    return shown


def artifact(row: ArtifactRow) -> dict[str, Any]:
    message = present(
        artifact_id=row.artifact_id,
        name=row.name,
        description=row.description,
        type=row.type.value,
        uri=row.uri,
        metadata=dict(row.metadata),
        created_at=time_of(row.created_at),
    )
    if row.number_value is not None:
        # An optional field: zero is a value. JSON has no word for the others.
        message["number_value"] = (
            row.number_value if math.isfinite(row.number_value) else str(row.number_value)
        )
    return message


def link(row: ArtifactLink) -> dict[str, Any]:
    return present(
        id=row.id,
        artifact_id=row.artifact_id,
        run_id=row.run_id,
        task_id=row.task_id,
        type=row.type.value,
        producer=_producer(row.producer_task_name, row.producer_iteration),
        key=row.key,
    )


def _detail(row: TaskRow, children: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The shape of 2.0."""
    pods = [attempt.pod for attempt in row.attempts]
    failed = [a.pod for a in row.attempts if a.state in (RuntimeState.FAILED, RuntimeState.CANCELED)]
    return present(
        run_id=row.run_id,
        task_id=row.task_id,
        display_name=row.display_name,
        create_time=time_of(row.created_at),
        start_time=time_of(row.started_at),
        end_time=time_of(row.finished_at),
        executor_detail=present(main_job=pods[-1] if pods else "", failed_main_jobs=failed),
        state=_older_state(row.state),
        # Of a task that is under way it says what its pod waits for: no error yet.
        error={"code": _UNKNOWN_CODE, "message": row.error} if row.error and _has_ended(row) else None,
        inputs={name: {} for name in row.inputs.artifacts},
        outputs={name: {} for name in row.outputs.artifacts},
        parent_task_id=row.parent_task_id,
        state_history=[
            {"update_time": entry.update_time, "state": _older_state(entry.state)}
            for entry in row.state_history
        ],
        pod_name=pods[-1] if pods else "",
        child_tasks=[{"task_id": key} for key, _ in children],
    )


def _older_state(state: RuntimeState) -> str:
    return RuntimeState.SKIPPED if state is RuntimeState.CACHED else _shown(state)


def _shown(state: RuntimeState) -> str:
    """A step whose failure waits for its user's word has failed; it is the run that is paused."""
    return (RuntimeState.FAILED if state is RuntimeState.PAUSED else state).value


def _has_ended(row: TaskRow) -> bool:
    return row.state.is_final or row.state is RuntimeState.PAUSED


def _status(entry: StateRow) -> dict[str, Any]:
    return {"update_time": entry.update_time, "state": _shown(entry.state)}


def parameters_of(row: TaskRow, side: IOType) -> list[ParameterRow]:
    """What the engine has recorded of a task: its outputs for OUTPUT, else its inputs."""
    if side is IOType.OUTPUT:
        return [
            ParameterRow(value, key, side, row.name, row.iteration_index)
            for key, value in row.outputs.parameters.items()
        ]
    found = []
    for key, value in row.inputs.parameters.items():
        source = row.inputs.sources.get(key) or ParameterSource(IOType.UNSPECIFIED)
        found.append(ParameterRow(value, key, source.type, source.producer))
    return found


def _parameters(
    said: Sequence[ParameterRow] | None, executed: Sequence[ParameterRow]
) -> list[dict[str, Any]]:
    return [
        {"value": each.value}
        | present(
            parameter_key=each.key,
            type="" if each.type is IOType.UNSPECIFIED else each.type.value,
            producer=_producer(each.producer, each.iteration),
        )
        for each in (executed if said is None else said)
    ]


def _pods(row: TaskRow) -> list[dict[str, Any]]:
    if row.overlay.pods is not None:
        return [present(name=pod.name, uid=pod.uid, type=pod.type) for pod in row.overlay.pods]
    return [present(name=each.pod, uid=each.uid, type="EXECUTOR") for each in row.attempts]


def _io_artifacts(links: Iterable[ArtifactLink], rows: Mapping[str, ArtifactRow]) -> list[dict[str, Any]]:
    """One entry for each name and producer, with all artifacts that came under it."""
    grouped: dict[tuple[str, IOType, str, int], list[dict[str, Any]]] = defaultdict(list)
    for entry in links:
        if entry.artifact_id in rows:
            place = (entry.key, entry.type, entry.producer_task_name, entry.producer_iteration)
            grouped[place].append(artifact(rows[entry.artifact_id]))
    return [
        present(artifacts=shown, artifact_key=key, type=kind.value, producer=_producer(name, iteration))
        for (key, kind, name, iteration), shown in grouped.items()
    ]


def _producer(task_name: str, iteration: int) -> dict[str, Any]:
    producer = present(task_name=task_name)
    if task_name and iteration >= 0:
        producer["iteration"] = str(iteration)
    return producer


def _by_task(links: Iterable[ArtifactLink]) -> dict[str, list[ArtifactLink]]:
    grouped: dict[str, list[ArtifactLink]] = defaultdict(list)
    for entry in links:
        grouped[entry.task_id].append(entry)
    return grouped


def current_attempt(row: TaskRow) -> AttemptRow | None:
    """The attempt whose pod is the task's: the last one."""
    return row.attempts[-1] if row.attempts else None


def _properties(row: TaskRow) -> dict[str, Any]:
    """Why the task was reused or not, and what clients have noted."""
    return present(reason=row.reason) | dict(row.overlay.custom_properties)
