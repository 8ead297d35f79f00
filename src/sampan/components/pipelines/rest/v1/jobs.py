"""The job service of v1: recurring runs under their older name.

A job of a pipeline runs the version that was the default one when it was made; v2's runs the latest of each moment.

Source: kubeflow/pipelines 2.17, backend/src/apiserver/server/job_server.go (CreateJob).
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.triggers import read_trigger
from sampan.components.pipelines.api.wire_messages_v1 import ResourceType
from sampan.components.pipelines.engine.schedules import ScheduleRequest, found
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.render import page
from sampan.components.pipelines.rest.v1 import filters, references, render
from sampan.components.pipelines.rest.v1.runs import request_of
from sampan.components.pipelines.store import schedules


async def create(call: Call) -> Response:
    given = call.body
    run = await request_of(call, "job")
    request = ScheduleRequest(
        namespace=run.namespace,
        display_name=run.display_name,
        source=run.source,
        trigger=read_trigger(given.get("trigger", {}), "job.trigger"),
        max_concurrency=given.get("max_concurrency", 0),
        no_catchup=given.get("no_catchup", False),
        enabled=given.get("enabled", False) or given.get("mode") == "ENABLED",
        experiment_id=run.experiment_id,
        description=run.description,
        service_account=run.service_account,
        runtime_config=run.runtime_config,
    )
    row = await call.backend.schedules.create(request)
    return answer(render.job(row, call.shown_namespace))


async def get(call: Call) -> Response:
    key, shown = call.params["recurring_run_id"], call.shown_namespace
    return await answer_from(call, lambda connection: render.job(found(connection, key), shown))


async def list_(call: Call) -> Response:
    request, namespace, shown = filters.list_request(call), call.namespace, call.shown_namespace
    kind, key = references.queried(call.query, "resource_reference_key")
    experiment_id = key if kind is ResourceType.EXPERIMENT else ""

    def read(connection: Any) -> dict[str, Any]:
        listed = schedules.list_page(connection, request, namespace, experiment_id)
        return page("jobs", listed.mapped(lambda row: render.job(row, shown)))

    return await answer_from(call, read)
