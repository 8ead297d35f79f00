"""The run service."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from enum import StrEnum
from typing import Any

from starlette.responses import Response

from sampan.client.protocol import DeleteOptions
from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.api.states import RuntimeState, StorageState
from sampan.components.pipelines.api.wire import present
from sampan.components.pipelines.api.workflow_kinds import WORKFLOWS
from sampan.components.pipelines.engine.creation import PipelineSource, RunRequest
from sampan.components.pipelines.rest import render, run_extras, task_details
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import experiments, logged_steps, runs, tasks
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.step_logs import StepLogs
from sampan.kube.errors import ApiError
from sampan.lib.log import get_logger

log = get_logger(__name__)

_MAX_NAME = 256
_UNAVAILABLE = 14
"""google.rpc.Code.UNAVAILABLE: it will go on by itself."""
_MAX_FULL = 100
"""Runs in one answer with all of their tasks."""
_RETRIED = frozenset({RuntimeState.FAILED, RuntimeState.CANCELED})
_VIEW_NUMBERS = {"0": "DEFAULT", "1": "FULL"}


class _View(StrEnum):
    """How much of a run is shown. Upstream's are the first two."""

    DEFAULT = "DEFAULT"
    FULL = "FULL"
    STATES = "STATES"
    """How its tasks stand, and nothing of what went in and came out: for watching a run."""
    SPEC = "SPEC"
    """What it runs, also where that is a pipeline's version, and nothing of its tasks."""


async def create(call: Call) -> Response:
    """Checks what the run would do, stores it, and hands it to the engine."""
    given = call.body
    request = RunRequest(
        namespace=call.namespace,
        display_name=checked_name(given.get("display_name", ""), "run.display_name", _MAX_NAME),
        source=PipelineSource.of(given),
        experiment_id=given.get("experiment_id", "") or call.query.get("experiment_id", ""),
        description=given.get("description", ""),
        service_account=given.get("service_account", ""),
        runtime_config=given.get("runtime_config", {}),
        pause_on_failure=call.query_flag("pause_on_failure"),
        uses_cache="enable_caching" not in call.query or call.query_flag("enable_caching"),
    )
    return answer(render.run(await call.backend.creator.create(request)))


async def get(call: Call) -> Response:
    run_id = call.params["run_id"]
    view, extras = _view(call), run_extras.wanted(call)

    def read(connection: Any) -> dict[str, Any]:
        row = runs.get(connection, run_id)
        if row is None:
            raise not_found("run", run_id)
        later = present(resumed_by=runs.resumed_by(connection, run_id))
        shown = _shown(call, row) | later | run_extras.of_runs(connection, [row], extras)[run_id]
        if view is _View.SPEC:
            return shown | {"pipeline_spec": render.specification(row.spec)}
        if view is _View.STATES:
            shown.pop("pipeline_spec", None)
            return shown | task_details.states_of_run(connection, run_id)
        return shown | task_details.of_run(connection, run_id, full=view is _View.FULL)

    return await answer_from(call, read)


async def list_(call: Call) -> Response:
    request, namespace = call.list_request(), call.namespace
    experiment_id = call.query.get("experiment_id", "")

    view, extras = _view(call), run_extras.wanted(call)
    if view in (_View.STATES, _View.SPEC):
        raise InvalidArgumentError(f"view {view} is of one run: ask for it at /runs/{{run_id}}")
    full = view is _View.FULL
    if full:
        request = replace(request, page_size=min(request.page_size or _MAX_FULL, _MAX_FULL))

    def read(connection: Any) -> dict[str, Any]:
        page = runs.list_page(connection, request, namespace, experiment_id)
        more = run_extras.of_runs(connection, page.items, extras)
        if full:
            return render.page(
                "runs", page.mapped(lambda row: _with_tasks(connection, row) | more[row.run_id])
            )
        counts = tasks.counts(connection, [row.run_id for row in page.items])
        return render.page(
            "runs",
            page.mapped(
                lambda row: _shown(call, row) | present(task_count=counts.get(row.run_id)) | more[row.run_id]
            ),
        )

    return await answer_from(call, read)


def _with_tasks(connection: Any, row: RunRow) -> dict[str, Any]:
    return render.run(row) | task_details.of_run(connection, row.run_id, full=True)


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
    """Said again of a run whose exit tasks still run, it stops those too."""
    row = _row(call)
    if row.runtime_state.is_final:
        raise FailedPreconditionError(f"run {row.run_id!r} has already ended, as {row.state}")
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
    workflow = _row(call).workflow
    attempts = await call.backend.database.read(
        lambda connection: logged_steps.attempts_of_run(connection, run_id)
    )
    # The row first: a crash in between leaves pods behind, but never a run that starts again.
    now = call.backend.now_micros()
    await call.backend.database.write(lambda connection: runs.delete(connection, run_id, now))
    await engine.forget(run_id, call.namespace)
    await asyncio.to_thread(StepLogs(call.backend.home).remove, call.namespace, attempts)
    if workflow:
        await _delete_workflow(call, workflow, run_id)
    return answer({})


def _shown(call: Call, row: RunRow) -> dict[str, Any]:
    """The run; of one that cannot go on, with what keeps it."""
    shown = render.run(row)
    if not row.runtime_state.is_final and (trouble := call.backend.trouble(row.run_id)):
        shown["error"] = {"code": _UNAVAILABLE, "message": trouble}
    return shown


async def _delete_workflow(call: Call, name: str, run_id: str) -> None:
    """The object that the run was of."""
    try:
        await call.backend.client.delete(WORKFLOWS, name, call.namespace, DeleteOptions(uid=run_id))
    except ApiError as error:
        log.warning("the Workflow of a deleted run remains", workflow=name, error=error.message)


def _row(call: Call) -> RunRow:
    run_id = call.params["run_id"]
    row = call.backend.database.read_now(lambda connection: runs.get(connection, run_id))
    if row is None:
        raise not_found("run", run_id)
    return row


def _view(call: Call) -> _View:
    text = call.query.get("view", "") or _View.DEFAULT
    try:
        return _View(_VIEW_NUMBERS.get(text, text))
    except ValueError as error:
        raise InvalidArgumentError(
            f"view must be DEFAULT, FULL, STATES or SPEC, not {text[:40]!r}"
        ) from error
