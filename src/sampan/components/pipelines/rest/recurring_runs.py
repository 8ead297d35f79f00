"""The recurring run service."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.triggers import read_trigger
from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.engine.creation import PipelineSource
from sampan.components.pipelines.engine.schedules import MICROS, ScheduleRequest, found, run_of_tick
from sampan.components.pipelines.rest import render, schedule_history
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.store import schedules
from sampan.components.pipelines.store.schedules import ScheduleRow

_MAX_NAME = 256
_PROPAGATION = ("", "DELETE_PROPAGATION_POLICY_UNSPECIFIED", "FOREGROUND", "BACKGROUND", "ORPHAN", *"0123")
_DEFAULT_TICKS = 5
_RECENT = 10
"""Runs shown with a recurring run."""


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
    schedule_id, full = _id(call), call.query_full()
    return await answer_from(
        call, lambda connection: _shown(call, connection, found(connection, schedule_id), full=full)
    )


async def list_(call: Call) -> Response:
    """With `view=FULL` each with its next tick, how many runs it has started, and the latest of them."""
    request, namespace, full = call.list_request(), call.namespace, call.query_full()
    experiment_id = call.query.get("experiment_id", "")

    def read(connection: Any) -> dict[str, Any]:
        page = schedules.list_page(connection, request, namespace, experiment_id)
        # Upstream's own spelling of the field.
        return render.page("recurringRuns", page.mapped(lambda row: _shown(call, connection, row, full=full)))

    return await answer_from(call, read)


async def run_now(call: Call) -> Response:
    """Sampan's own: a run as of a tick that is due now, also of one that is disabled."""
    return answer(render.run(await call.backend.schedules.run_now(_id(call))))


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
    """Sampan's own: the next moments at which the schedule starts a run, or would if it were enabled.

    With `past`, also what became of so many of the last ones.
    """
    schedule_id, count = _id(call), call.query_int("count") or _DEFAULT_TICKS
    past, service = max(call.query_int("past"), 0), call.backend.schedules

    def read(connection: Any) -> dict[str, Any]:
        row = found(connection, schedule_id)
        answered: dict[str, Any] = {
            "ticks": [time_of(tick * MICROS) for tick in service.next_ticks(row, count)],
            "time_zone": service.zone_of(row),
        }
        if past:
            gone = service.past_ticks(row, past)
            states = schedules.states_of(connection, [run_of_tick(schedule_id, tick) for tick in gone])
            answered["past"] = schedule_history.past(row, gone, states)
        return answered

    return await answer_from(call, read)


def _shown(call: Call, connection: Any, row: ScheduleRow, *, full: bool) -> dict[str, Any]:
    shown = render.recurring_run(row, call.shown_namespace)
    if full:
        recent = schedules.recent_runs(connection, row.recurring_run_id, _RECENT)
        shown |= present(
            next_tick_at=time_of(row.next_tick) if row.next_tick else "",
            runs_started=str(row.runs_started),
            recent_runs=[_recent(each) for each in recent],
        )
    return shown


def _recent(run: Any) -> dict[str, Any]:
    return present(
        run_id=run.run_id,
        display_name=run.display_name,
        state=run.state,
        created_at=time_of(run.created_at),
        scheduled_at=time_of(run.scheduled_at),
        finished_at=time_of(run.finished_at) if run.finished_at else "",
    )


def _id(call: Call) -> str:
    return call.params["recurring_run_id"]
