"""The run service."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.api.states import RuntimeState, StorageState
from sampan.components.pipelines.rest import render, task_details
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import experiments, logged_steps, pipelines, runs
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.step_logs import StepLogs
from sampan.lib.ids import new_uid
from sampan.lib.log import get_logger

log = get_logger(__name__)

_MAX_NAME = 256
_BEGIN_SECONDS = 2.0
"""How long an answer waits for its run to begin. The run is stored already; a full disk can hold the rest up."""
_RETRIED = frozenset({RuntimeState.FAILED, RuntimeState.CANCELED})


async def create(call: Call) -> Response:
    """Checks what the run would do, stores it, and hands it to the engine."""
    given = call.body
    now = call.backend.now_micros()
    row = RunRow(
        run_id=new_uid(),
        experiment_id=given.get("experiment_id", "") or call.query.get("experiment_id", ""),
        namespace=call.namespace,
        display_name=checked_name(given.get("display_name", ""), "run.display_name", _MAX_NAME),
        spec="",
        spec_inline=True,
        created_at=now,
        scheduled_at=now,
        description=given.get("description", ""),
        service_account=given.get("service_account", ""),
        runtime_config=json.dumps(given.get("runtime_config", {}), ensure_ascii=False),
    )
    row = await _with_specification(call, row)
    stored = await call.backend.database.write(lambda connection: _insert(connection, row))
    await _begin(call, row.run_id)
    return answer(render.run(stored))


async def _begin(call: Call, run_id: str) -> None:
    engine = await call.backend.engine()
    begin = asyncio.ensure_future(engine.submit(run_id))
    done, _ = await asyncio.wait([begin], timeout=_BEGIN_SECONDS)
    if not done:
        log.warning("a run is slow to begin; it is stored, and begins when it can", run=run_id)
    for ended in done:
        ended.result()


async def get(call: Call) -> Response:
    run_id = call.params["run_id"]
    full = _is_full(call)

    def read(connection: Any) -> dict[str, Any]:
        row = runs.get(connection, run_id)
        if row is None:
            raise not_found("run", run_id)
        return render.run(row) | task_details.of_run(connection, run_id, full=full)

    return await answer_from(call, read)


async def list_(call: Call) -> Response:
    request, namespace = call.list_request(), call.namespace
    experiment_id = call.query.get("experiment_id", "")

    def read(connection: Any) -> dict[str, Any]:
        page = runs.list_page(connection, request, namespace, experiment_id)
        return render.page("runs", page.mapped(render.run))

    return await answer_from(call, read)


async def archive(call: Call) -> Response:
    run_id = call.params["run_id"]
    await call.backend.database.write(
        lambda connection: runs.set_storage_state(connection, run_id, StorageState.ARCHIVED)
    )
    return answer({})


async def unarchive(call: Call) -> Response:
    run_id = call.params["run_id"]

    def restore(connection: Any) -> None:
        row = runs.get(connection, run_id)
        experiment = experiments.get(connection, row.experiment_id) if row is not None else None
        if experiment is not None and experiment.storage_state == StorageState.ARCHIVED:
            raise FailedPreconditionError(
                f"the run's experiment {experiment.display_name!r} is archived: un-archive it first"
            )
        runs.set_storage_state(connection, run_id, StorageState.AVAILABLE)

    await call.backend.database.write(restore)
    return answer({})


async def terminate(call: Call) -> Response:
    row = _row(call)
    if row.runtime_state.is_final:
        raise FailedPreconditionError(f"run {row.run_id!r} has already ended, as {row.state}")
    if row.runtime_state is not RuntimeState.CANCELING:
        engine = await call.backend.engine()
        await engine.terminate(row.run_id)
    return answer({})


async def retry(call: Call) -> Response:
    row = _row(call)
    if row.runtime_state not in _RETRIED:
        raise FailedPreconditionError(
            f"run {row.run_id!r} is {row.state}; only a FAILED or CANCELED run can be tried again"
        )
    engine = await call.backend.engine()
    await engine.retry(row.run_id)
    return answer({})


async def delete(call: Call) -> Response:
    """Removes the run with its tasks, whatever its state, and then what still belongs to it in the cluster."""
    run_id = call.params["run_id"]
    engine = await call.backend.engine()
    attempts = await call.backend.database.read(
        lambda connection: logged_steps.attempts_of_run(connection, run_id)
    )
    # The row first: a crash in between leaves pods behind, but never a run that starts again.
    await call.backend.database.write(lambda connection: runs.delete(connection, run_id))
    await engine.forget(run_id, call.namespace)
    await asyncio.to_thread(StepLogs(call.backend.home).remove, call.namespace, attempts)
    return answer({})


async def _with_specification(call: Call, row: RunRow) -> RunRow:
    """The run with what it executes: its own specification, or a version's, checked with its parameters."""
    given = call.body
    parameters = given.get("runtime_config", {}).get("parameters", {})
    prepare = await call.backend.prepare()
    if "pipeline_spec" in given:
        return replace(row, spec=await asyncio.to_thread(prepare, given["pipeline_spec"], parameters))
    version = _referenced_version(call)
    await asyncio.to_thread(prepare, version.spec.encode(), parameters)
    return replace(
        row,
        spec=version.spec,
        spec_inline=False,
        pipeline_id=version.pipeline_id,
        pipeline_version_id=version.pipeline_version_id,
    )


def _referenced_version(call: Call) -> pipelines.VersionRow:
    reference = call.body.get("pipeline_version_reference", {})
    version_id = reference.get("pipeline_version_id", "") or call.body.get("pipeline_version_id", "")
    pipeline_id = reference.get("pipeline_id", "")
    if not version_id and not pipeline_id:
        raise InvalidArgumentError(
            "run: give pipeline_spec, or a pipeline_version_reference with pipeline_id or pipeline_version_id"
        )

    def look_up(connection: Any) -> pipelines.VersionRow:
        if version_id:
            version = pipelines.get_version(connection, version_id)
        else:
            version = pipelines.latest_version(connection, pipeline_id)
        pipeline = pipelines.get(connection, version.pipeline_id) if version is not None else None
        # Whoever may create runs here may use this namespace's pipelines, and no others.
        if version is None or pipeline is None or pipeline.namespace != call.namespace:
            raise not_found("pipeline version", version_id or f"of pipeline {pipeline_id}")
        if pipeline_id and version.pipeline_id != pipeline_id:
            raise InvalidArgumentError(
                f"run.pipeline_version_reference: {version_id!r} is no version of pipeline {pipeline_id!r}"
            )
        return version

    return call.backend.database.read_now(look_up)


def _insert(connection: Any, row: RunRow) -> RunRow:
    """Stores the run in its experiment, or in the default one."""
    if row.experiment_id:
        experiment = experiments.get(connection, row.experiment_id)
        if experiment is None or experiment.namespace != row.namespace:
            raise not_found("experiment", row.experiment_id)
    else:
        experiment = experiments.ensure_default(connection, row.namespace, row.created_at)
        row = replace(row, experiment_id=experiment.experiment_id)
    if experiment.storage_state == StorageState.ARCHIVED:
        raise FailedPreconditionError(
            f"run.experiment_id: the experiment {experiment.display_name!r} is archived: un-archive it first"
        )
    return runs.insert(connection, row)


def _row(call: Call) -> RunRow:
    run_id = call.params["run_id"]
    row = call.backend.database.read_now(lambda connection: runs.get(connection, run_id))
    if row is None:
        raise not_found("run", run_id)
    return row


def _is_full(call: Call) -> bool:
    view = call.query.get("view", "") or "DEFAULT"
    if view not in ("DEFAULT", "FULL", "0", "1"):
        raise InvalidArgumentError(f"view must be DEFAULT or FULL, not {view[:40]!r}")
    return view in ("FULL", "1")
