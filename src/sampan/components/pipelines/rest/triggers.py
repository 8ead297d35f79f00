"""The trigger service: Sampan's own, in the manner of the recurring run service."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.engine.creation import PipelineSource
from sampan.components.pipelines.engine.triggers.service import TriggerRequest, found_trigger
from sampan.components.pipelines.rest import event_render, render
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import deliveries, event_triggers

_MAX_NAME = 256
_DEFAULT_CONCURRENCY = 10


async def create(call: Call) -> Response:
    row, secret = await call.backend.triggers.create(_request(call))
    return answer(event_render.trigger(row, call.shown_namespace, secret))


async def replace(call: Call) -> Response:
    """All of it but its id, its deliveries, and the secret, unless another is given."""
    row, secret = await call.backend.triggers.replace(_id(call), _request(call))
    return answer(event_render.trigger(row, call.shown_namespace, secret))


async def test(call: Call) -> Response:
    """Starts a run by an event that the request makes up; whoever asks needs no secret, but the right to."""
    event = call.body.get("event", {})
    return answer(event_render.delivery(await call.backend.triggers.test(_id(call), event)))


def _request(call: Call) -> TriggerRequest:
    given = call.body
    return TriggerRequest(
        namespace=call.namespace,
        display_name=checked_name(given.get("display_name", ""), "trigger.display_name", _MAX_NAME),
        source=PipelineSource.of(given),
        given=given,
        max_concurrency=given.get("max_concurrency", _DEFAULT_CONCURRENCY),
        enabled=not given.get("disabled", False),
        experiment_id=given.get("experiment_id", ""),
        description=given.get("description", ""),
        service_account=given.get("service_account", ""),
        runtime_config=given.get("runtime_config", {}),
        conditions=given.get("conditions", {}),
    )


async def get(call: Call) -> Response:
    trigger_id, shown = _id(call), call.shown_namespace
    return await answer_from(call, lambda c: event_render.trigger(found_trigger(c, trigger_id), shown))


async def list_(call: Call) -> Response:
    request, namespace, shown = call.list_request(), call.namespace, call.shown_namespace
    experiment_id = call.query.get("experiment_id", "")

    def read(connection: Any) -> dict[str, Any]:
        page = event_triggers.list_page(connection, request, namespace, experiment_id)
        return render.page("triggers", page.mapped(lambda row: event_render.trigger(row, shown)))

    return await answer_from(call, read)


async def enable(call: Call) -> Response:
    await call.backend.triggers.enable(_id(call))
    return answer({})


async def disable(call: Call) -> Response:
    await call.backend.triggers.disable(_id(call))
    return answer({})


async def delete(call: Call) -> Response:
    await call.backend.triggers.delete(_id(call))
    return answer({})


async def list_deliveries(call: Call) -> Response:
    request, trigger_id = call.list_request(), _id(call)

    def read(connection: Any) -> dict[str, Any]:
        page = deliveries.list_page(connection, request, trigger_id)
        return render.page("deliveries", page.mapped(event_render.delivery))

    return await answer_from(call, read)


async def get_delivery(call: Call) -> Response:
    """With the event as it came."""
    trigger_id, delivery_id = _id(call), call.params["delivery_id"]

    def read(connection: Any) -> dict[str, Any]:
        row = deliveries.get(connection, delivery_id)
        if row is None or row.trigger_id != trigger_id:
            raise not_found("delivery", delivery_id)
        return event_render.delivery_with_event(row)

    return await answer_from(call, read)


async def retry_delivery(call: Call) -> Response:
    row = await call.backend.triggers.retry(_id(call), call.params["delivery_id"])
    return answer(event_render.delivery(row))


def _id(call: Call) -> str:
    return call.params["trigger_id"]
