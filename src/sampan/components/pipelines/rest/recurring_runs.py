"""The recurring run service."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.triggers import read_trigger
from sampan.components.pipelines.api.wire import time_of
from sampan.components.pipelines.engine.creation import PipelineSource
from sampan.components.pipelines.engine.schedules import MICROS, ScheduleRequest, found
from sampan.components.pipelines.rest import render
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.store import schedules

_MAX_NAME = 256
_PROPAGATION = ("", "DELETE_PROPAGATION_POLICY_UNSPECIFIED", "FOREGROUND", "BACKGROUND", "ORPHAN", *"0123")
_DEFAULT_TICKS = 5


async def create(call: Call) -> Response:
    given = call.body
    request = ScheduleRequest(
        namespace=call.namespace,
        display_name=checked_name(given.get("display_name", ""), "recurring_run.display_name", _MAX_NAME),
        source=PipelineSource.of(given),
        trigger=read_trigger(given.get("trigger", {}), "recurring_run.trigger"),
        max_concurrency=given.get("max_concurrency", 0),
        no_catchup=given.get("no_catchup", False),
        # As upstream: what does not say that it is enabled is not.
        enabled=given.get("mode") == "ENABLE",
        experiment_id=given.get("experiment_id", ""),
        description=given.get("description", ""),
        service_account=given.get("service_account", ""),
        runtime_config=given.get("runtime_config", {}),
        plugins_input=given.get("plugins_input", {}),
    )
    return answer(render.recurring_run(await call.backend.schedules.create(request), call.shown_namespace))


async def get(call: Call) -> Response:
    schedule_id, shown = _id(call), call.shown_namespace
    return await answer_from(
        call, lambda connection: render.recurring_run(found(connection, schedule_id), shown)
    )


async def list_(call: Call) -> Response:
    request, namespace, shown = call.list_request(), call.namespace, call.shown_namespace
    experiment_id = call.query.get("experiment_id", "")

    def read(connection: Any) -> dict[str, Any]:
        page = schedules.list_page(connection, request, namespace, experiment_id)
        # Upstream's own spelling of the field.
        return render.page("recurringRuns", page.mapped(lambda row: render.recurring_run(row, shown)))

    return await answer_from(call, read)


async def enable(call: Call) -> Response:
    await call.backend.schedules.enable(_id(call))
    return answer({})


async def disable(call: Call) -> Response:
    await call.backend.schedules.disable(_id(call))
    return answer({})


async def delete(call: Call) -> Response:
    policy = call.query.get("propagation_policy", "")
    if policy not in _PROPAGATION:
        raise InvalidArgumentError(
            f"propagation_policy must be FOREGROUND, BACKGROUND or ORPHAN, not {policy[:40]!r}"
        )
    await call.backend.schedules.delete(_id(call))
    return answer({})


async def ticks(call: Call) -> Response:
    """Sampan's own: the next moments at which the schedule starts a run, or would if it were enabled."""
    schedule_id, count = _id(call), call.query_int("count") or _DEFAULT_TICKS
    row = await call.backend.database.read(lambda connection: found(connection, schedule_id))
    service = call.backend.schedules
    moments = [time_of(tick * MICROS) for tick in service.next_ticks(row, count)]
    return answer({"ticks": moments, "time_zone": service.zone_of(row)})


def _id(call: Call) -> str:
    return call.params["recurring_run_id"]
