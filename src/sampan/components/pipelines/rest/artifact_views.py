"""Artifacts as they are shown and deleted: lists with who wrote them, one with who uses it, and its lineage.

The default answers are upstream's; `view=FULL`, `search`, the lineage and deleting are Sampan's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import FailedPreconditionError
from sampan.components.pipelines.api.states import TaskType
from sampan.components.pipelines.api.wire import present
from sampan.components.pipelines.rest import render, task_details
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import artifacts, lineage, task_pages
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.lineage import READ, WROTE, Use

_DEPTH, _DEEPEST = 3, 20
_MOST_NODES = 300
_MOST_USES = 200
_LONGEST_SEARCH = 256
_NAMED = 5


async def list_artifacts(call: Call) -> Response:
    """With `view=FULL` each with its size and the step that wrote it; `search` in name, URI and metadata."""
    request, namespace, full = call.list_request(), call.namespace, call.query_full()
    search = call.query.get("search", "")[:_LONGEST_SEARCH]

    def read(connection: Any) -> dict[str, Any]:
        page = task_pages.list_artifacts(connection, request, namespace, search)
        if not full:
            return render.page("artifacts", page.mapped(task_details.artifact))
        uses, tasks = lineage.uses_of(connection, [row.artifact_id for row in page.items])
        return render.page("artifacts", page.mapped(lambda row: _full(row, uses, tasks)))

    return await answer_from(call, read)


async def get_artifact(call: Call) -> Response:
    """With `view=FULL` also the steps that read it or took it from the cache."""
    artifact_id, full = call.params["artifact_id"], call.query_full()

    def read(connection: Any) -> dict[str, Any]:
        row = _found(connection, artifact_id)
        if not full:
            return task_details.artifact(row)
        uses, tasks = lineage.uses_of(connection, [artifact_id])
        used = [use for use in uses if use.how != WROTE]
        return _full(row, uses, tasks) | present(
            used_by=[_use(use, tasks) for use in used[-_MOST_USES:]], used_count=len(used)
        )

    return await answer_from(call, read)


async def get_lineage(call: Call) -> Response:
    """What led to an artifact and what came of it, `depth` steps far each way."""
    artifact_id = call.params["artifact_id"]
    depth = min(max(call.query_int("depth") or _DEPTH, 1), _DEEPEST)

    def read(connection: Any) -> dict[str, Any]:
        _found(connection, artifact_id)
        found = lineage.around(connection, artifact_id, depth, _MOST_NODES)
        return {
            "artifacts": [task_details.artifact(row) for row in found.artifacts.values()],
            "executions": [_task(row) for row in found.tasks.values()],
            "uses": [
                {"artifact_id": use.artifact_id, "task_id": use.task_id, "how": use.how, "key": use.key}
                for use in found.uses.values()
            ],
            "depth": depth,
            "whole": found.is_whole,
        }

    return await answer_from(call, read)


async def delete(call: Call) -> Response:
    """The record and the files that a run of ours wrote. Runs that go on need it; others only with `force=true`."""
    artifact_id, force = call.params["artifact_id"], call.query_flag("force")
    now = call.backend.now_micros()

    def write(connection: Any) -> None:
        row = _found(connection, artifact_id)
        runs = lineage.dependents(connection, row)
        if runs.unfinished:
            raise FailedPreconditionError(
                f"artifact {row.name!r} is used by runs that have not ended: {_names(runs.unfinished)}; "
                "wait for them, or stop them first"
            )
        if runs.others and not force:
            raise FailedPreconditionError(
                f"artifact {row.name!r} is used by other runs: {_names(runs.others)}; they keep their results and "
                "lose this artifact if it is deleted with force=true"
            )
        lineage.delete(connection, row, now)

    await call.backend.database.write(write)
    engine = await call.backend.engine()
    engine.sweep()
    return answer({})


def full(connection: Any, row: ArtifactRow) -> dict[str, Any]:
    """As `view=FULL` has it."""
    uses, tasks = lineage.uses_of(connection, [row.artifact_id])
    return _full(row, uses, tasks)


def _found(connection: Any, artifact_id: str) -> ArtifactRow:
    row = artifacts.get(connection, artifact_id)
    if row is None:
        raise not_found("artifact", artifact_id)
    return row


def _full(row: ArtifactRow, uses: Sequence[Use], tasks: Mapping[str, Any]) -> dict[str, Any]:
    made = [use for use in uses if use.artifact_id == row.artifact_id and use.how != READ]
    # What a step that was taken from the cache has written anew, as metrics are, has no other origin.
    wrote = next((use for use in made if use.how == WROTE), made[0] if made else None)
    is_imported = wrote is not None and tasks[wrote.task_id].task_type == TaskType.IMPORTER.value
    return task_details.artifact(row) | present(
        digest=row.digest,
        size_bytes=row.size_bytes,
        file_count=row.file_count,
        schema_title=row.schema_title,
        schema_version=row.schema_version,
        stored=row.stored,
        imported=is_imported,
        # Whether the files are a run's own, and go with the artifact.
        owned=bool(row.producer_run_id),
        produced_by=_use(wrote, tasks) if wrote is not None else None,
    )


def _use(use: Use, tasks: Mapping[str, Any]) -> dict[str, Any]:
    return {**_task(tasks[use.task_id]), "how": use.how, "key": use.key}


def _task(row: Any) -> dict[str, Any]:
    return present(
        task_id=row.task_id,
        name=row.name,
        display_name=row.display_name,
        state=row.state,
        run_id=row.run_id,
        run=row.run,
        pipeline=row.pipeline,
    )


def _names(runs: Mapping[str, str]) -> str:
    shown = [f"{name!r} ({run_id[:8]})" for run_id, name in list(runs.items())[:_NAMED]]
    left = len(runs) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")
