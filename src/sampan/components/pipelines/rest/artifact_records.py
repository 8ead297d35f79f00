"""Artifacts that clients record, and their links to tasks: created through the API beside those that steps leave.

An artifact is always recorded as an output of a task, of which there must be one: the engine's, or a recorded one.

Source: kubeflow/pipelines, pull request 13986 of August 2026, backend/src/apiserver/server/artifact_server.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError, PermissionDeniedError
from sampan.components.pipelines.api.states import ArtifactType, IOType
from sampan.components.pipelines.rest import task_details
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Call, answer
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import artifacts, runs, tasks
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.lib.ids import new_uid

_MAX_NAME = 256
_MAX_KEY = 256
_MAX_URI = 4096
_MAX_RECORDS = 1000
_NUMBERED = frozenset({ArtifactType.ClassificationMetric, ArtifactType.SlicedClassificationMetric})


async def create(call: Call) -> Response:
    made = await _recorded(call, [call.body])
    return answer(made[0])


async def create_many(call: Call) -> Response:
    """All of them, or none."""
    given = call.body.get("artifacts", [])
    _check_count(given, "artifacts")
    for index, each in enumerate(given):
        if each.get("reuse_if_exists"):
            raise InvalidArgumentError(f"artifacts[{index}]: reuse_if_exists is for POST /artifacts only")
    return answer({"artifacts": await _recorded(call, given)})


async def link(call: Call) -> Response:
    made = await _linked(call, [call.body.get("artifact_task", {})])
    return answer(made[0])


async def link_many(call: Call) -> Response:
    """All of them, or none."""
    given = call.body.get("artifact_tasks", [])
    _check_count(given, "artifact_tasks")
    return answer({"artifact_tasks": await _linked(call, given)})


def namespace_of_runs(call: Call) -> str:
    """Of the run that all records of a request are of. Raises InvalidArgumentError, NotFoundError."""
    body = call.body
    given = body.get("artifacts", []) + body.get("artifact_tasks", [])
    if not given:
        given = [body.get("artifact_task") or body]
    ids = {each.get("run_id", "") for each in given}
    if "" in ids:
        raise InvalidArgumentError("run_id must name the run that the artifact is of")
    found = {_namespace(call, run_id) for run_id in ids}
    if len(found) > 1:
        raise InvalidArgumentError("all records of one request must be of one namespace")
    return found.pop()


def _namespace(call: Call, run_id: str) -> str:
    found = call.backend.database.read_now(lambda connection: runs.namespace_of(connection, run_id))
    if found is None:
        raise not_found("run", run_id)
    return found


async def _recorded(call: Call, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    await call.authoriser.authorise(call.request, Verb.UPDATE, Resource.RUNS, call.namespace)
    planned = [(each, _row(call, each)) for each in given]

    def record(connection: Any) -> list[dict[str, Any]]:
        return [_stored(connection, each, row) for each, row in planned]

    return await call.backend.database.write(record)


def _stored(connection: Any, given: Mapping[str, Any], row: ArtifactRow) -> dict[str, Any]:
    task = _task(connection, given)
    _check_owner(connection, row)
    if given.get("reuse_if_exists") and (same := artifacts.find_same(connection, row)) is not None:
        row = same
    else:
        artifacts.insert(connection, [row])
    iteration = given.get("iteration_index", -1)
    made = ArtifactLink(
        id=new_uid(),
        artifact_id=row.artifact_id,
        run_id=task.run_id,
        task_id=task.task_id,
        type=IOType.OUTPUT if iteration < 0 else IOType.ITERATOR_OUTPUT,
        key=given["producer_key"],
        producer_task_name=task.name,
        producer_iteration=iteration,
    )
    artifacts.link(connection, [made])
    return task_details.artifact(row)


async def _linked(call: Call, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    await call.authoriser.authorise(call.request, Verb.UPDATE, Resource.RUNS, call.namespace)
    for each in given:
        for field in ("artifact_id", "task_id", "run_id", "producer", "key"):
            if not each.get(field):
                raise InvalidArgumentError(f"artifact_task.{field} must not be empty")
        if each.get("type", IOType.UNSPECIFIED) == IOType.UNSPECIFIED:
            raise InvalidArgumentError("artifact_task.type must say how the task has the artifact, as OUTPUT")
        _check_key(each["key"], "artifact_task.key")

    def record(connection: Any) -> list[dict[str, Any]]:
        rows = [_link(connection, each, call.namespace) for each in given]
        artifacts.link(connection, rows)
        return [task_details.link(row) for row in rows]

    return await call.backend.database.write(record)


def _link(connection: Any, given: Mapping[str, Any], namespace: str) -> ArtifactLink:
    task = _task(connection, given)
    artifact = artifacts.get(connection, given["artifact_id"])
    # Of another namespace it is as if it were not there.
    if artifact is None or artifact.namespace != namespace:
        raise not_found("artifact", given["artifact_id"])
    producer = given["producer"]
    return ArtifactLink(
        id=new_uid(),
        artifact_id=artifact.artifact_id,
        run_id=task.run_id,
        task_id=task.task_id,
        type=IOType(given["type"]),
        key=given["key"],
        producer_task_name=producer.get("task_name", ""),
        producer_iteration=producer.get("iteration", -1),
    )


def _row(call: Call, given: Mapping[str, Any]) -> ArtifactRow:
    """What is to be recorded, checked."""
    artifact = given.get("artifact", {})
    if artifact.get("artifact_id"):
        raise InvalidArgumentError("artifact.artifact_id is given by the server: leave it out")
    named = artifact.get("namespace", "")
    if call.backend.multi_user and named != call.namespace:
        raise InvalidArgumentError(f"artifact.namespace must be its run's, {call.namespace!r}, not {named!r}")
    kind = ArtifactType(artifact.get("type", ArtifactType.TYPE_UNSPECIFIED))
    if kind is ArtifactType.TYPE_UNSPECIFIED:
        raise InvalidArgumentError("artifact.type must be given, as Artifact, Dataset or Model")
    if kind is ArtifactType.Metric and "number_value" not in artifact:
        raise InvalidArgumentError("artifact.number_value must be given for a Metric")
    if kind in _NUMBERED and not artifact.get("metadata"):
        raise InvalidArgumentError(f"artifact.metadata must hold what a {kind} consists of")
    _check_key(given.get("producer_key", ""), "producer_key")
    if len(artifact.get("uri", "")) > _MAX_URI:
        raise InvalidArgumentError(f"artifact.uri has more than {_MAX_URI} characters")
    return ArtifactRow(
        artifact_id=new_uid(),
        namespace=call.namespace,
        name=checked_name(artifact.get("name", ""), "artifact.name", _MAX_NAME),
        type=kind,
        uri=artifact.get("uri", ""),
        created_at=call.backend.now_micros(),
        metadata=artifact.get("metadata", {}),
        number_value=artifact.get("number_value"),
        description=artifact.get("description", ""),
    )


def _task(connection: Any, given: Mapping[str, Any]) -> TaskRow:
    key = given.get("task_id", "")
    if not key:
        raise InvalidArgumentError("task_id must name the task that the artifact is of")
    row = tasks.get(connection, key)
    if row is None:
        raise not_found("task", key)
    if row.run_id != given["run_id"]:
        raise InvalidArgumentError(f"task {key!r} is not one of run {given['run_id']!r}")
    return row


def _check_owner(connection: Any, row: ArtifactRow) -> None:
    """Whoever records an artifact must not come by what others have stored."""
    if row.uri and not artifacts.namespaces_at(connection, row.uri) <= {row.namespace}:
        raise PermissionDeniedError("artifact.uri: what is there belongs to another namespace")


def _check_key(key: str, path: str) -> None:
    if not 0 < len(key) <= _MAX_KEY:
        raise InvalidArgumentError(f"{path} must have between 1 and {_MAX_KEY} characters")


def _check_count(given: Sequence[Any], path: str) -> None:
    if not 0 < len(given) <= _MAX_RECORDS:
        raise InvalidArgumentError(f"{path} must hold between 1 and {_MAX_RECORDS} entries")
