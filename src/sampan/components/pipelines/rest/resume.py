"""Going on after a failure: an extension of Sampan's own.

`POST /apis/v2beta1/runs/{run_id}:resume` makes a new run of one that has ended, with another version of its pipeline,
or with `dry_run` only says what that would do. `:continue` lets a paused run go on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.engine.creation import PipelineSource, RunRequest
from sampan.components.pipelines.engine.resumption import Decision, Resumable, Resumption, StepChange
from sampan.components.pipelines.rest import render
from sampan.components.pipelines.rest.dispatch import Call, answer
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import runs
from sampan.components.pipelines.store.runs import RunRow

_MAX_NAME = 256
_SUFFIX = " (resumed)"


async def resume(call: Call) -> Response:
    """The new run, and task by task what it reuses and why it does not."""
    source = await call.backend.database.read(lambda connection: runs.get(connection, call.params["run_id"]))
    if source is None:
        raise not_found("run", call.params["run_id"])
    given = call.body
    engine = await call.backend.engine()
    resumable = await engine.resumable(
        Resumption(
            source.run_id,
            await _specification(call),
            given.get("runtime_config", {}).get("parameters", {}),
            _step_changes(given.get("steps", {})),
        )
    )
    plan = [_decision(each) for each in resumable.plan]
    if given.get("dry_run"):
        return answer({"plan": plan})
    row = await call.backend.creator.create(_request(call, source, resumable))
    return answer({"run": render.run(row), "plan": plan})


async def proceed(call: Call) -> Response:
    """A run that is paused runs its failed steps again, with what is changed in them."""
    engine = await call.backend.engine()
    run_id, given = call.params["run_id"], call.body
    await engine.proceed(
        Resumption(run_id, await _specification(call), steps=_step_changes(given.get("steps", {})))
    )
    return answer({})


def _step_changes(given: Mapping[str, Mapping[str, Any]]) -> dict[str, StepChange]:
    """The request's `steps`."""
    return {name: StepChange(**change) for name, change in given.items()}


def _decision(made: Decision) -> dict[str, Any]:
    return {
        "task": made.task,
        "display_name": made.display_name,
        "action": made.action.value,
        "reason": made.reason,
    }


async def _specification(call: Call) -> Mapping[str, Any] | None:
    """The new version's document; None where the run's own is kept."""
    given = call.body
    if "pipeline_spec" in given:
        spec: Mapping[str, Any] = given["pipeline_spec"]
        return spec
    if "pipeline_version_reference" not in given:
        return None
    found = await call.backend.creator.specify(call.namespace, PipelineSource.of(given), None)
    loaded: Mapping[str, Any] = await asyncio.to_thread(json.loads, found.spec)
    return loaded


def _request(call: Call, source: RunRow, resumable: Resumable) -> RunRequest:
    given = call.body
    name = given.get("display_name", "") or source.display_name.removesuffix(_SUFFIX) + _SUFFIX
    origin = PipelineSource(pipeline_spec=resumable.spec)
    if "pipeline_version_reference" in given and not given.get("steps"):
        origin = PipelineSource.of(given)
    return RunRequest(
        namespace=call.namespace,
        display_name=checked_name(name, "display_name", _MAX_NAME),
        source=origin,
        experiment_id=source.experiment_id,
        description=source.description,
        service_account=source.service_account,
        runtime_config=resumable.runtime_config,
        resumed_from=source.run_id,
        pause_on_failure=bool(given.get("pause_on_failure")),
    )
